"""Stored settings: what deviates is kept and read back, and what cannot be read opens nothing and stops nothing."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from codex_pooler.snapshot.networks import NO_NETWORKS
from codex_pooler.snapshot.rules import Entry, deviations, entries, merged, plain, read, rules_of
from codex_pooler.snapshot.settings import DEFAULTS, GROUPS, settings_of

NETWORKS = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"]


def acceptable(entry: Entry) -> st.SearchStrategy[Any]:
    rule = entry.rule
    numbers = st.integers(rule.low or 0, rule.high or 0)
    return {
        "integer": numbers,
        "boolean": st.booleans(),
        "text": st.from_regex(rule.pattern, fullmatch=True, alphabet=st.characters(codec="ascii")),
        "url": st.sampled_from(["", "https://example.com/prices.json"]),
        "choice": st.sampled_from(rule.among or ("",)),
        "choices": st.lists(st.sampled_from(rule.among or ("",)), unique=True),
        "networks": st.lists(st.sampled_from(NETWORKS)),
        "secret": st.binary(min_size=1, max_size=40).map(lambda sealed: base64.b64encode(sealed).decode()),
        "numbers": st.dictionaries(st.sampled_from(["gpt-5.5", "o3"]), numbers),
    }[rule.kind]


def patches(group: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Acceptable values for some settings of a group, nested as they are stored."""
    optional = {entry.key: acceptable(entry) for entry in entries(group)}
    return st.fixed_dictionaries({}, optional=optional).map(nested)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in flat.items():
        *above, last = key.split(".")
        place = document
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return document


@pytest.mark.parametrize("name", GROUPS)
@effort(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_deviates_comes_back_and_nothing_else_is_kept(name: str, data: st.DataObject) -> None:
    stored = data.draw(patches(GROUPS[name]))
    value, refusals = read(GROUPS[name], stored)
    assert refusals == []
    kept = deviations(value, GROUPS[name])
    assert read(GROUPS[name], kept) == (value, [])
    shown = {key: held for key, held in plain(value).items() if rules_of(type(value))[key].kind != "secret"}
    assert read(value, shown) == (value, [])
    assert merged(kept, dict.fromkeys(kept)) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@effort(max_examples=100, deadline=None)
@given(data=st.data())
def test_nothing_stored_can_stop_the_process_or_open_the_firewall(data: st.DataObject) -> None:
    logging.disable(logging.CRITICAL)
    names = [entry.key.split(".")[0] for group in GROUPS.values() for entry in entries(group)]
    document = st.dictionaries(st.sampled_from(names), JSON, max_size=6) | JSON
    settings = settings_of(data.draw(st.dictionaries(st.sampled_from([*GROUPS, "unknown"]), document)))
    logging.disable(logging.NOTSET)
    for name, default in GROUPS.items():
        value = getattr(settings, name)
        for entry, usual in zip(entries(value), entries(default), strict=True):
            assert entry.default is None or type(entry.default) is type(usual.default), entry
    assert settings.ingress.firewall_allowlist in (None, NO_NETWORKS) or settings.ingress.has_firewall


def test_a_mistake_costs_only_itself() -> None:
    settings = settings_of({"gateway": {"circuit_open_seconds": 5, "client_version": 7, "gone": 1}, "files": None})
    assert settings.gateway.circuit_open_seconds == 5
    assert settings.gateway.client_version == DEFAULTS.gateway.client_version
    assert settings.files == DEFAULTS.files


def test_a_merge_patch_is_what_rfc_7396_says() -> None:
    stored = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert merged(stored, {"a": {"b": None, "e": 3}, "d": [3]}) == {"a": {"c": 2, "e": 3}, "d": [3]}
    assert merged(stored, {"a": None}) == {"d": [1, 2]}
    assert merged(None, {"a": {"b": None}}) == {"a": {}}
    assert stored == {"a": {"b": 1, "c": 2}, "d": [1, 2]}
