"""Reading auth.json: every way it can be wrong has its code, and nothing of it shows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.accounts.auth_json import MESSAGES, AuthJsonError, parse_auth_json

NOW = datetime.now(UTC)
MakeAuthJson = Callable[..., dict[str, Any]]


def code_of(document: Any) -> str:
    with pytest.raises(AuthJsonError) as caught:
        parse_auth_json(document, NOW)
    assert caught.value.message
    return caught.value.code


def test_a_good_file_names_its_account(make_auth_json: MakeAuthJson) -> None:
    document = make_auth_json("acct-9", user="user-9", email="bo@example.com")
    found = parse_auth_json(document, NOW)
    assert (found.account_id, found.user_id, found.workspace_id) == ("acct-9", "user-9", "ws-1")
    assert (found.email, found.plan_type) == ("bo@example.com", "plus")
    assert found.access_expires_at is not None
    assert NOW < found.access_expires_at < NOW + timedelta(hours=2)
    assert found.last_refresh_at == datetime(2026, 1, 1, tzinfo=UTC)
    for secret in (document["tokens"]["access_token"], document["tokens"]["id_token"], "rt-secret-of-the-test"):
        assert secret not in repr(found)


@pytest.mark.parametrize("before", ["", "\ufeff", "\n "])
def test_the_text_of_the_file_is_as_good_as_its_object(make_auth_json: MakeAuthJson, before: str) -> None:
    document = make_auth_json()
    assert parse_auth_json(before + json.dumps(document, indent=2), NOW) == parse_auth_json(document, NOW)


def test_old_and_future_files_are_understood(make_auth_json: MakeAuthJson) -> None:
    document = make_auth_json()
    expected = parse_auth_json(document, NOW)
    del document["auth_mode"], document["OPENAI_API_KEY"]
    document["something_new"] = {"a": [1]}
    document["tokens"]["id_token"] = {"raw_jwt": document["tokens"]["id_token"], "email": "x"}
    assert parse_auth_json(document, NOW) == expected


def test_the_account_id_may_come_from_the_claims(make_auth_json: MakeAuthJson) -> None:
    document = make_auth_json("acct-7")
    del document["tokens"]["account_id"]
    assert parse_auth_json(document, NOW).account_id == "acct-7"


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("unsupported_auth_json", lambda d: d.update(OPENAI_API_KEY="sk-test")),
    ("unsupported_auth_json", lambda d: d.update(auth_mode="apikey")),
    ("unsupported_auth_json", lambda d: d.update(personal_access_token="at-x")),
    ("unsupported_auth_json", lambda d: d["tokens"].update(access_token="at-opaque")),
    ("missing_tokens", lambda d: d.pop("tokens")),
    ("missing_tokens", lambda d: d.update(tokens=[])),
    ("missing_token", lambda d: d["tokens"].pop("access_token")),
    ("missing_token", lambda d: d["tokens"].update(id_token="  ")),
    ("missing_token", lambda d: d["tokens"].update(id_token=5)),
    ("invalid_token", lambda d: d["tokens"].update(access_token="a.b.c")),
    ("invalid_token", lambda d: d["tokens"].update(id_token="one-part")),
    ("invalid_token", lambda d: d["tokens"].update(id_token="a.W10.c")),
    ("missing_refresh_token", lambda d: d["tokens"].pop("refresh_token")),
    ("missing_refresh_token", lambda d: d["tokens"].update(refresh_token="")),
]


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_each_fault_has_its_code(make_auth_json: MakeAuthJson, code: str, change: Callable[[Any], Any]) -> None:
    document = make_auth_json()
    change(document)
    assert code_of(document) == code


def test_an_expired_login_is_refused(make_auth_json: MakeAuthJson) -> None:
    assert code_of(make_auth_json(lifetime=-3600)) == "expired_token"


def test_a_login_without_any_account_is_refused(make_auth_json: MakeAuthJson) -> None:
    document = make_auth_json("", user=None)
    assert code_of(document) == "missing_account_identifier"


@pytest.mark.parametrize("document", ["", "{", "[]", "null", "5", None, 5, [], "[" * 60_000, b"{}", {"a": object()}])
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert code_of(document) == "invalid_auth_json"


def test_a_file_over_64_kib_is_refused(make_auth_json: MakeAuthJson) -> None:
    assert code_of({**make_auth_json(), "padding": "x" * 65_536}) == "invalid_auth_json"


def test_messages_say_what_to_do_next() -> None:
    for message in MESSAGES.values():
        assert any(verb in message for verb in ("Paste", "Run", "run", "Copy", "Sign in"))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh"]), json_values))
def test_any_object_is_either_read_or_refused(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    with pytest.raises(AuthJsonError):
        parse_auth_json(document, NOW)
    assert document == before


def test_scenario_31_every_code_of_an_import_has_a_fixture() -> None:
    elsewhere = {"invalid_auth_json", "too_large", "expired_token", "missing_account_identifier"}
    assert {code for code, _ in CHANGES} | elsewhere == set(MESSAGES)


@pytest.mark.parametrize("seconds", [3_600, 86_400])
def test_scenario_31_an_expired_access_token_is_refused_even_with_a_refresh_token(
    make_auth_json: MakeAuthJson, seconds: int
) -> None:
    document = make_auth_json(lifetime=-seconds)
    assert document["tokens"]["refresh_token"]
    assert code_of(document) == "expired_token"
