"""Secrets are opened once for as long as they stay what they are, and forgotten with their account."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest

from codex_pooler.snapshot.opened import Opened
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


def test_secrets_of_accounts_that_are_gone_are_forgotten(box: Box) -> None:
    opened = Opened(box)
    for account in (ONE, OTHER):
        opened.text(account, "access", box.seal(b"x", f"account_secrets:{account}:access"))
    opened.forget_all_but({ONE})
    assert {account for account, _ in opened._known} == {ONE}
