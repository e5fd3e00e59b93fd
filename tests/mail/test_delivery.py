"""Conversations with mail servers: what arrives, what is never said in the open, and what each failure is called."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_pooler.mail.delivery import ADVICE, PASSING, MailFailed, MailServer, deliver
from codex_pooler.mail.letters import Letter, message
from tests.mail.server import Mailbox, certificate, mail_server

LETTER = Letter("anna@example.org", "Hello", ("First.", "Second."))


def server(box: Mailbox, **more: Any) -> MailServer:
    return replace(MailServer("127.0.0.1", box.port, "pooler@example.com"), **more)


async def send(box: Mailbox, **more: Any) -> None:
    where = server(box, **more)
    await deliver(message(LETTER, where.sender), where)


async def refusal(box: Mailbox, **more: Any) -> str:
    with pytest.raises(MailFailed) as caught:
        await send(box, **more)
    assert box.mails == []
    assert str(caught.value) == ADVICE[caught.value.code]
    assert caught.value.may_pass == (caught.value.code in PASSING)
    return caught.value.code


async def test_a_mail_arrives_with_both_parts() -> None:
    async with mail_server(Mailbox()) as box:
        await send(box, username="ada", password="pa ss")
    (mail,) = box.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == ("pooler@example.com", "anna@example.org", "Hello")
    assert mail["Message-ID"].endswith("@example.com>")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert box.logins == [("ada", "pa ss")]


async def test_starttls_is_used_where_it_is_offered(tmp_path: Path) -> None:
    async with mail_server(Mailbox(tls=certificate(tmp_path))) as box:
        await send(box, host="localhost", verify=False, username="ada", password="pass")
    assert box.commands.index("STARTTLS") < box.commands.index("AUTH")
    assert len(box.mails) == 1


async def test_implicit_tls(tmp_path: Path) -> None:
    async with mail_server(Mailbox(), certificate(tmp_path)) as box:
        await send(box, host="localhost", implicit_tls=True, verify=False)
        assert "STARTTLS" not in box.commands
        assert len(box.mails) == 1


async def test_a_certificate_that_nobody_signed_is_refused_and_nothing_is_said_in_the_open(tmp_path: Path) -> None:
    async with mail_server(Mailbox(tls=certificate(tmp_path))) as box:
        for starttls in ("if_available", "always"):
            assert await refusal(box, host="localhost", starttls=starttls) == "smtp_tls_failed"
    assert {"AUTH", "MAIL", "DATA"}.isdisjoint(box.commands)


async def test_a_server_without_starttls_is_refused_where_it_is_a_must() -> None:
    async with mail_server(Mailbox()) as box:
        assert await refusal(box, starttls="always") == "smtp_tls_unavailable"
    assert "MAIL" not in box.commands


async def test_a_password_goes_over_a_plain_connection_only_on_this_machine_or_when_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("codex_pooler.mail.delivery._is_this_machine", lambda host: False)
    async with mail_server(Mailbox()) as box:
        assert await refusal(box, username="ada", password="pass") == "smtp_auth_unencrypted"
        assert box.logins == []
        await send(box, username="ada", password="pass", starttls="never")
        assert box.logins == [("ada", "pass")]


REFUSALS = [
    ({"GREETING": "554 go away"}, "smtp_unexpected_response"),
    ({"GREETING": "421 busy"}, "smtp_temporary_failure"),
    ({"GREETING": "HTTP/1.1 400 Bad Request"}, "smtp_unexpected_response"),
    ({"AUTH": "535 no"}, "smtp_auth_failed"),
    ({"AUTH": "454 later"}, "smtp_temporary_failure"),
    ({"MAIL": "550 not you"}, "smtp_sender_refused"),
    ({"MAIL": "451 later"}, "smtp_temporary_failure"),
    ({"RCPT": "550 no such user"}, "smtp_recipient_refused"),
    ({"RCPT": "450 greylisted"}, "smtp_temporary_failure"),
    ({"DATA": "554 no"}, "smtp_rejected"),
    ({"END": "554 spam"}, "smtp_rejected"),
    ({"END": "452 full"}, "smtp_temporary_failure"),
]


@pytest.mark.parametrize(("replies", "code"), REFUSALS, ids=lambda value: str(value)[:40])
async def test_every_refusal_has_its_code(replies: dict[str, str], code: str) -> None:
    async with mail_server(Mailbox(replies=replies)) as box:
        assert await refusal(box, username="ada", password="pass") == code


async def test_a_server_that_takes_no_password() -> None:
    async with mail_server(Mailbox(extensions=())) as box:
        assert await refusal(box, username="ada", password="pass") == "smtp_auth_unavailable"


async def test_nobody_listens() -> None:
    async with mail_server(Mailbox()) as box:
        pass
    assert await refusal(box) == "smtp_connection_failed"
    assert await refusal(box, host="nowhere.invalid") == "smtp_connection_failed"


async def test_a_silent_server_is_given_up_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server(Mailbox(silent=True)) as box:
        where = server(box)
        with pytest.raises(MailFailed, match="did not answer in time"):
            await deliver(message(LETTER, where.sender), where, longest_seconds=0.05)
        monkeypatch.setattr("codex_pooler.mail.delivery.STEP_SECONDS", 0.05)
        assert await refusal(box) == "smtp_timeout"


async def test_who_is_cancelled_does_not_wait_for_the_server() -> None:
    async with mail_server(Mailbox(silent=True)) as box:
        task = asyncio.create_task(send(box))
        while not box.talks:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
