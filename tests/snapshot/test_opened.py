"""Secrets are opened once for as long as they stay what they are, and forgotten with their account."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from uuid import UUID

import pytest

from codex_pooler.snapshot.opened import AccessToken, Opened
from codex_pooler.storage.vault import SecretBox

ONE, OTHER = UUID(int=1), UUID(int=2)


class Box(SecretBox):
    """Counts how often it is asked."""

    opened = 0

    def open(self, sealed: bytes, context: str) -> bytes:
        self.opened += 1
        return super().open(sealed, context)


@pytest.fixture
def box() -> Box:
    return Box("upstream", {1: bytes(32)})


def test_a_secret_is_opened_when_it_changes_and_only_then(box: Box) -> None:
    opened, place = Opened(box), f"account_secrets:{ONE}:access"
    first, second = box.seal(b"first", place), box.seal(b"second", place)
    assert [opened.text(ONE, "access", sealed) for sealed in (first, first, memoryview(first))] == ["first"] * 3
    assert box.opened == 1
    assert [opened.text(ONE, "access", second), opened.text(ONE, "access", None)] == ["second", None]
    assert box.opened == 2


def test_what_cannot_be_opened_is_nothing_and_said_once(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    opened, elsewhere = Opened(box), box.seal(b"token", f"account_secrets:{OTHER}:egress")
    with caplog.at_level(logging.ERROR):
        assert [opened.text(ONE, "egress", elsewhere) for _ in range(3)] == [None] * 3
    assert len(caplog.records) == 1
    assert "token" not in caplog.text


SOON, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def test_the_last_token_goes_on_while_a_newer_key_is_not_known_here(caplog: pytest.LogCaptureFixture) -> None:
    keys = {1: bytes(32)}
    box, newer, place = SecretBox("upstream", keys, lambda: keys), {2: bytes([2]) * 32}, f"account_secrets:{ONE}:access"
    opened, first = Opened(box), box.seal(b"first", place)
    elsewhere = SecretBox("upstream", keys | newer)
    second = elsewhere.seal(b"second", place)
    assert opened.token(ONE, first, SOON) == AccessToken("first", SOON)
    with caplog.at_level(logging.ERROR):
        assert [opened.token(ONE, second, LATER) for _ in range(3)] == [AccessToken("first", SOON)] * 3
    assert len(caplog.records) == 1
    keys |= newer
    assert opened.token(ONE, second, LATER) == AccessToken("second", LATER), "as soon as the key is there"


def test_no_token_outlives_its_removal_and_none_stands_in_for_a_damaged_one(box: Box) -> None:
    opened, place = Opened(box), f"account_secrets:{ONE}:access"
    elsewhere = SecretBox("upstream", {2: bytes([2]) * 32})
    for after in (None, box.seal(b"somebody else's", f"account_secrets:{OTHER}:access")):
        assert opened.token(ONE, box.seal(b"first", place), None).text == "first"
        assert opened.token(ONE, after, None).text == ""
        assert opened.token(ONE, elsewhere.seal(b"second", place), None).text == ""
    assert opened.token(OTHER, elsewhere.seal(b"x", place), None).text == "", "there never was one"


def test_a_proxy_that_cannot_be_opened_is_never_an_older_one(box: Box) -> None:
    opened, place = Opened(box), f"account_secrets:{ONE}:egress"
    elsewhere = SecretBox("upstream", {1: bytes(32), 2: bytes([2]) * 32})
    assert opened.text(ONE, "egress", box.seal(b"http://one:1", place)) == "http://one:1"
    assert opened.text(ONE, "egress", elsewhere.seal(b"http://other:1", place)) is None


def test_secrets_of_accounts_that_are_gone_are_forgotten(box: Box) -> None:
    opened = Opened(box)
    for account in (ONE, OTHER):
        opened.token(account, box.seal(b"x", f"account_secrets:{account}:access"), None)
    opened.forget_all_but({ONE})
    assert {account for account, _ in opened._known} == set(opened._last_tokens) == {ONE}
