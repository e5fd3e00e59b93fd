"""Key material: its form, and what is kept of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from codex_pooler.keys.lifecycle import ACTIONS, RESULT, KeyActionRefused, refusals, require, standing
from codex_pooler.keys.material import new_material
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.token_form import API_KEY, MCP_TOKEN, OPERATOR_TOKEN, generate, looks_like, prefix_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", [API_KEY, OPERATOR_TOKEN, MCP_TOKEN])
def test_every_token_has_the_promised_form(kind: str) -> None:
    token = generate(kind)
    assert re.fullmatch(rf"{kind}-[0-9a-f]{{12}}-[A-Za-z0-9_-]{{43}}", token)
    assert looks_like(kind, token)
    assert prefix_of(token) == token[: len(kind) + 13]
    assert generate(kind) != token


@pytest.mark.parametrize("form", ["{}x", " {}", "{}\n", "x{}", "{0}{0}", ""])
def test_nothing_else_looks_like_one(form: str) -> None:
    token = form.format(generate(API_KEY))
    assert not looks_like(API_KEY, token)
    with pytest.raises(ValueError, match="not a token"):
        prefix_of(token)


def test_kinds_are_told_apart() -> None:
    assert not looks_like(OPERATOR_TOKEN, generate(API_KEY))


def test_only_prefix_and_keyed_digest_are_kept(keyring: Keyring) -> None:
    material = new_material(keyring)
    assert material.digest == keyring.digest("api_key", material.secret)
    assert material.digest != keyring.digest("operator_token", material.secret)
    assert material.secret not in repr(material)


@pytest.mark.parametrize(
    ("status", "expires", "expected"),
    [
        ("active", None, "active"),
        ("active", NOW + timedelta(seconds=1), "active"),
        ("active", NOW, "expired"),
        ("paused", NOW, "expired"),
        ("revoked", NOW, "revoked"),
    ],
)
def test_a_keys_standing_counts_its_expiry(status: str, expires: datetime | None, expected: str) -> None:
    assert standing(status, expires, NOW) == expected


@pytest.mark.parametrize("state", ["active", "paused", "revoked", "expired"])
def test_an_action_works_exactly_where_it_is_offered(state: str) -> None:
    for action in ACTIONS:
        if refusals(state)[action] is None:
            require(action, state)
        else:
            with pytest.raises(KeyActionRefused):
                require(action, state)
    assert set(RESULT) <= set(ACTIONS)
