"""What the backend says of a workspace is read with care: nothing it says may send a token elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_pooler.upstream.accounts_check import Checked, CheckFailed, read_check

OURS = "https://chatgpt.com"
LAB = "http://127.0.0.1:4100"


def answer(**said: Any) -> bytes:
    entry = {
        "id": "acct-1",
        "name": "Acme",
        "structure": "workspace",
        "plan_type": "business",
        "is_deactivated": False,
        "is_fedramp_compliant_workspace": False,
        "workspace_backend_origin": OURS,
        "account_routing_override": "NO_CONSTRAINT",
    }
    others = {"id": "acct-2", "is_deactivated": True, "account_routing_override": "eu"}
    return json.dumps({"accounts": [others, {**entry, **said}], "default_account_id": "acct-2"}).encode()


def read(origin: str = OURS, **said: Any) -> Checked:
    return read_check(answer(**said), "acct-1", origin)


def test_the_accounts_own_entry_counts_and_the_usual_says_nothing() -> None:
    assert read() == Checked(False, False, "Acme", None, None)
    assert read(structure="personal").workspace is None


def test_where_and_how_requests_must_go() -> None:
    found = read(
        account_routing_override="us_cr",
        workspace_backend_origin="https://us.chatgpt.com",
        is_fedramp_compliant_workspace=True,
    )
    assert (found.override, found.origin, found.is_fedramp) == ("us_cr", "https://us.chatgpt.com", True)


@pytest.mark.parametrize(
    "origin",
    [
        "http://us.chatgpt.com",
        "https://chatgpt.com.example.org",
        "https://evilchatgpt.com",
        "https://user@us.chatgpt.com",
        "https://us.chatgpt.com:8443",
        "https://127.0.0.1",
        "http://127.0.0.1:4100",
        "javascript:alert(1)",
        "",
        5,
        None,
        ["https://us.chatgpt.com"],
    ],
)
def test_no_other_origin_is_taken(origin: Any) -> None:
    assert read(workspace_backend_origin=origin).origin is None


def test_a_lab_may_name_places_on_its_own_machine() -> None:
    assert read(LAB, workspace_backend_origin="http://127.0.0.1:4200").origin == "http://127.0.0.1:4200"
    assert read(LAB, workspace_backend_origin=LAB).origin is None


@pytest.mark.parametrize("override", ["NO_CONSTRAINT", "", "us cr", "us\r\nx-evil: 1", "x" * 65, None, 5])
def test_an_override_that_is_none_or_no_word_is_left_out(override: Any) -> None:
    assert read(account_routing_override=override).override is None


@pytest.mark.parametrize("flag", ["true", 1, None, "yes"])
def test_only_a_plain_yes_ends_an_account(flag: Any) -> None:
    assert read(is_deactivated=flag).is_deactivated is False
    assert read(is_deactivated=True).is_deactivated is True


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>", "unreadable"),
        (b"[]", "not_listed"),
        (b"{}", "not_listed"),
        (b'{"accounts": "x"}', "not_listed"),
        (b'{"accounts": [5, {"id": "acct-9"}]}', "not_listed"),
    ],
)
def test_what_says_nothing_of_the_account_is_a_failure(body: bytes, code: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        read_check(body, "acct-1", OURS)
    assert caught.value.code == code
