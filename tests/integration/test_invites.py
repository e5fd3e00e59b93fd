"""Invites from the link to the first request of the pool, in front of the simulated sign-in server."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.accounts.importing import Imported
from codex_pooler.accounts.invites import accept
from codex_pooler.storage.database import Session
from codex_pooler.storage.tables import accounts, api_keys, audit_events, invites, oauth_flows
from codex_pooler.telemetry.metrics import INVITES
from tests.integration.whole import Gateway
from tests.mail.server import Mailbox, mail_server

PATIENCE_SECONDS = 20
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Guest:
    """Somebody with the link of an invite, and nothing else."""

    gateway: Gateway
    token: str

    async def ask(self, method: str = "GET", path: str = "", **more: Any) -> tuple[int, Any]:
        url = f"{self.gateway.origin}/api/public/v1/invites/{self.token}{path}"
        async with self.gateway.http.request(method, url, **more) as answer:
            assert self.token not in await answer.text()
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def look(self) -> Any:
        status, page = await self.ask()
        assert status == 200, page
        return page

    async def begin(self) -> Any:
        status, page = await self.ask("POST", "/device-flow", json={})
        assert (status, page["state"]) == (201, "device_pending"), page
        return page

    async def poll(self) -> Any:
        status, page = await self.ask(path="/device-flow")
        assert status == 200, page
        return page

    async def until(self, state: str) -> Any:
        """Poll as the page does until the invite is in this state."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (page := await self.poll())["state"] != state:
                await asyncio.sleep(0.5)
        return page


@dataclass
class Party:
    """A pool without accounts, and invites into it."""

    gateway: Gateway
    pool_id: str

    async def invite(self, email: str = "anna@example.com", **more: Any) -> tuple[Any, Guest]:
        made = await self.gateway.admin("POST", "/invites", {"pool_id": self.pool_id, "email": email, **more})
        return made, self.guest(made)

    def guest(self, made: Any) -> Guest:
        return Guest(self.gateway, made["url"].rpartition("/")[2])

    async def enter(self, page: Any, account: str | None = None, **more: Any) -> None:
        """Type the code on the sign-in server's page."""
        body = {"user_code": page["flow"]["user_code"], **({"account": account} if account else {}), **more}
        await self.gateway.control("POST", "/devices", body)

    async def rows(self, table: Any, *where: Any) -> list[Any]:
        async with self.gateway.process.context.database.session() as session:
            return await session.fetch(sa.select(table).where(*where))

    async def change(self, made: Any, **columns: Any) -> None:
        async with self.gateway.process.context.database.session() as session:
            await session.execute(sa.update(invites).where(invites.c.id == UUID(made["id"])).values(**columns))

    async def status(self, made: Any) -> str:
        items = (await self.gateway.admin("GET", "/invites"))["items"]
        return next(str(item["status"]) for item in items if item["id"] == made["id"])

    async def stored_nothing(self) -> bool:
        pool = await self.gateway.admin("GET", f"/pools/{self.pool_id}")
        known = await self.rows(accounts, accounts.c.email.in_(["anna@example.com", "bert@example.com"]))
        return pool["members"] == [] and known == []


@pytest.fixture
async def party(gateway: Gateway) -> Party:
    gateway.world.settings.device_interval_s = 1
    gateway.world.add_account("anna", email="Anna@Example.com")
    gateway.world.add_account("bert", email="bert@example.com")
    pool = await gateway.admin("POST", "/pools", {"name": "Guests"})
    return Party(gateway, pool["id"])


async def test_a_guest_adds_an_account_and_the_pool_serves_with_it(
    party: Party, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made, guest = await party.invite(issue_api_key=True)
    ready = await guest.look()
    assert (ready["state"], ready["pool_name"], ready["invited_email_masked"]) == (
        "ready",
        "Guests",
        "a***@example.com",
    )
    pending = await guest.begin()
    assert pending["flow"]["verification_url"].endswith("/codex/device")
    assert pending["flow"]["interval_s"] == 1
    assert (await guest.look())["flow"] == pending["flow"], "whoever loads the page again goes on with the same code"
    assert (await guest.poll())["state"] == "device_pending"
    await party.enter(pending, "anna")
    accepted = await guest.until("accepted")
    assert f"{party.gateway.process.context.config.origin}/backend-api/codex" in accepted["client_config"]
    key = accepted["api_key"]
    async with party.gateway.turn(headers={"Authorization": f"Bearer {key}"}) as answer:
        assert answer.status == 200
        assert "ok" in await answer.text()
    (arrival,) = [one for one in await party.gateway.arrived() if one["path"].endswith("/responses")]
    assert arrival["account"] == "anna"

    later = await guest.look()
    assert (later["state"], later["api_key"]) == ("accepted", None), "the key is shown once"
    (listed,) = (await party.gateway.admin("GET", "/invites"))["items"]
    (account,) = await party.rows(accounts, accounts.c.onboarding == "invite")
    assert listed["status"] == "accepted"
    assert party.gateway.process.house.metrics.counts[INVITES, "accepted"] == 1
    assert (listed["result"]["upstream_id"], listed["result"]["accepted_email"]) == (
        str(account.id),
        "A***@Example.com",
    )
    (event,) = await party.rows(audit_events, audit_events.c.action == "invite.accepted")
    assert (event.actor_type, event.target_id, event.target_label) == ("visitor", UUID(made["id"]), "a***@example.com")
    for secret in (guest.token, key, pending["flow"]["user_code"]):
        assert secret not in caplog.text
        assert secret not in str(event)


async def test_an_accepted_invite_cannot_be_used_again(party: Party) -> None:
    _, guest = await party.invite()
    pending = await guest.begin()
    await party.enter(pending, "anna")
    page = await guest.until("accepted")
    assert page["api_key"] is None, "none was promised"
    status, problem = await guest.ask("POST", "/device-flow", json={})
    assert (status, problem["code"], problem["state"]) == (410, "invite_consumed", "accepted")
    assert len(await party.rows(oauth_flows)) == 1


async def test_scenario_34_somebody_else_than_the_invited_stores_nothing_and_the_invite_stays_good(
    party: Party,
) -> None:
    made, guest = await party.invite(issue_api_key=True)
    await party.enter(await guest.begin(), "bert")
    failed = await guest.until("device_error")
    assert failed["error"]["code"] == "invite_email_mismatch"
    assert "a***@example.com" in failed["error"]["detail"]
    assert "bert" not in str(failed)
    assert await party.stored_nothing()
    assert await party.rows(api_keys, api_keys.c.pool_id == UUID(party.pool_id)) == []
    assert [flow.sealed for flow in await party.rows(oauth_flows)] == [None]
    assert await party.status(made) == "active"
    await party.enter(await guest.begin(), "anna")
    assert (await guest.until("accepted"))["api_key"]


async def test_scenario_34_a_guest_who_declines_or_waits_too_long_may_begin_again(party: Party) -> None:
    _, guest = await party.invite()
    await party.enter(await guest.begin(), denied=True)
    assert (await guest.until("device_error"))["error"]["code"] == "access_denied"
    await guest.begin()
    async with party.gateway.process.context.database.session() as session:
        await session.execute(sa.update(oauth_flows).values(expires_at=sa.func.now()))
    expired = await guest.look()
    assert (expired["state"], expired["flow"]) == ("device_error", None)
    await party.enter(await guest.begin(), "anna")
    await guest.until("accepted")


async def test_an_invite_that_is_revoked_while_the_guest_signs_in_takes_nobody_in(party: Party) -> None:
    made, guest = await party.invite()
    pending = await guest.begin()
    await party.gateway.admin("POST", f"/invites/{made['id']}/revoke")
    await party.enter(pending, "anna")
    page = await guest.poll()
    assert page == {**dict.fromkeys(page), "state": "revoked"}, "nothing but its state"
    (flow,) = await party.rows(oauth_flows)
    assert (flow.state, flow.sealed) == ("cancelled", None)
    assert await party.stored_nothing()


@pytest.mark.parametrize(
    ("ended", "code"),
    [({"status": "revoked"}, "invite_revoked"), ({"expires_at": LONG_AGO}, "invite_expired")],
    ids=["revoked", "expired"],
)
async def test_an_invite_that_ends_at_the_last_moment_keeps_the_login_out(
    party: Party, ended: dict[str, Any], code: str
) -> None:
    """After the code was exchanged and before the login was stored."""
    made, guest = await party.invite()
    await party.enter(await guest.begin(), "anna")
    (flow,) = await party.rows(oauth_flows)

    async def join(session: Session, imported: Imported) -> None:
        await party.change(made, **ended)
        await accept(session, UUID(made["id"]), imported.account_id, datetime.now(UTC))

    flows = party.gateway.process.context.flows
    view = await flows.poll(flow.id, lambda pools: True, lambda credentials: None, also=join)
    assert view.error is not None
    assert (view.state, view.error.code) == ("failed", code)
    assert await party.stored_nothing()


async def test_who_revokes_while_a_login_is_being_stored_waits_and_is_told(party: Party) -> None:
    """The two lock the same rows in the same order, so neither is a deadlock's victim."""
    made, guest = await party.invite()
    await party.enter(await guest.begin(), "anna")
    (flow,) = await party.rows(oauth_flows)
    url = f"{party.gateway.origin}/api/admin/v1/invites/{made['id']}/revoke"
    header = {"Authorization": f"Bearer {party.gateway.token}"}
    revoking: list[asyncio.Task[Any]] = []

    async def join(session: Session, imported: Imported) -> None:
        revoking.append(asyncio.create_task(party.gateway.http.post(url, headers=header)))
        await until_somebody_waits_for_a_lock(party)
        await accept(session, UUID(made["id"]), imported.account_id, datetime.now(UTC))

    flows = party.gateway.process.context.flows
    assert (await flows.poll(flow.id, lambda pools: True, lambda credentials: None, also=join)).state == "completed"
    async with await revoking[0] as answer:
        assert (answer.status, (await answer.json())["code"]) == (410, "invite_consumed")
    assert await party.status(made) == "accepted"


async def until_somebody_waits_for_a_lock(party: Party) -> None:
    waiting = sa.text(
        "SELECT count(*) AS many FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(PATIENCE_SECONDS), party.gateway.process.context.database.session() as session:
        while (await session.one(waiting)).many == 0:
            await asyncio.sleep(0.02)


async def test_links_that_have_ended_or_never_were_tell_nothing(party: Party) -> None:
    made, guest = await party.invite(note="for your eyes only")
    again = await party.gateway.admin("POST", f"/invites/{made['id']}/reissue")
    old = await guest.look()
    assert old == {**dict.fromkeys(old), "state": "revoked"}
    fresh = party.guest(again)
    assert "for your eyes only" not in str(await fresh.look())
    await party.change(again, expires_at=sa.func.now())
    assert (await fresh.look())["state"] == "expired"
    assert (await fresh.ask("POST", "/device-flow", json={}))[1]["code"] == "invite_expired"
    unknown = [await Guest(party.gateway, token).ask() for token in ("A" * 43, "short", "A" * 43 + "%00", "..%2f..")]
    for status, problem in unknown[:2]:
        assert (status, problem["code"], problem["state"]) == (404, "invite_invalid", "invalid")
        assert problem["instance"] == "/api/public/v1"
    assert {status for status, _ in unknown} == {404}


@pytest.mark.parametrize("status", ["disabled", "archived"])
async def test_a_pool_that_takes_nobody_in_has_no_invites(party: Party, status: str) -> None:
    _, guest = await party.invite()
    pending = await guest.begin()
    await party.enter(pending, "anna")
    await party.gateway.admin("PATCH", f"/pools/{party.pool_id}", {"status": status})
    assert (await guest.ask())[0] == (await guest.ask(path="/device-flow"))[0] == 404
    assert await party.stored_nothing()


async def test_the_token_of_an_invite_opens_nothing_else(party: Party) -> None:
    _, guest = await party.invite()
    header = {"Authorization": f"Bearer {guest.token}"}
    for path in ("/api/admin/v1/invites", "/backend-api/codex/models", "/v1/models", "/backend-api/wham/usage"):
        async with party.gateway.http.get(party.gateway.origin + path, headers=header) as answer:
            assert answer.status in (401, 404), path
    status, _ = await Guest(party.gateway, "A" * 43).ask(headers=header)
    assert status == 404
    stranger = {"Authorization": f"Bearer {party.gateway.token}"}
    assert (await guest.ask(headers=stranger))[0] == 200, "and whatever else is sent does not count"


async def test_forms_and_other_sites_begin_nothing(party: Party) -> None:
    _, guest = await party.invite()
    assert (await guest.ask("POST", "/device-flow", data={"a": "b"}))[0] == 415
    assert (await guest.ask("POST", "/device-flow"))[0] == 415
    foreign = {"Origin": "https://elsewhere.example"}
    assert (await guest.ask("POST", "/device-flow", json={}, headers=foreign))[1]["code"] == "csrf_failed"
    assert await party.rows(oauth_flows) == []


async def test_guessing_is_slowed_down(party: Party) -> None:
    _, guest = await party.invite()
    answers = [await Guest(party.gateway, f"{number:043d}").ask() for number in range(25)]
    assert {status for status, _ in answers} == {404, 429}
    assert answers[-1][1]["code"] == "rate_limited"
    assert (await guest.look())["state"] == "ready", "who has a link is not in the way of who guesses"


async def test_one_link_may_not_be_asked_for_all_the_time(party: Party) -> None:
    _, guest = await party.invite()
    answers = [await guest.ask() for _ in range(40)]
    assert {status for status, _ in answers} == {200, 429}
    _, other = await party.invite("bert@example.com")
    assert (await other.look())["state"] == "ready"


async def test_the_owner_of_an_account_that_needs_a_login_brings_it_back(party: Party) -> None:
    gateway = party.gateway
    login = gateway.world.auth_json(gateway.world.accounts["anna"])
    body = {"pool_id": party.pool_id, "auth_json": login, "label": "Anna's"}
    account = (await gateway.admin("POST", "/upstreams/import", body))["account"]
    async with gateway.process.context.database.session() as session:
        gone = {"state": "reauth_required", "refresh_refused": True}
        await session.execute(sa.update(accounts).where(accounts.c.id == UUID(account["id"])).values(**gone))
    guest = party.guest(await gateway.admin("POST", f"/upstreams/{account['id']}/reinvite"))
    await party.enter(await guest.begin(), "bert")
    assert (await guest.until("device_error"))["error"]["code"] == "identity_mismatch"
    await party.enter(await guest.begin(), "anna")
    await guest.until("accepted")
    back = await gateway.admin("GET", f"/upstreams/{account['id']}")
    assert (back["status"], back["label"]) == ("active", "Anna's")


# -- by mail


async def test_the_link_that_is_mailed_is_the_link_that_is_shown(party: Party) -> None:
    async with mail_server(Mailbox()) as box:
        await party.gateway.admin("PATCH", "/settings/smtp", smtp(box))
        made, _ = await party.invite(send_email=True, note="See you on Monday")
        assert made["email"]["state"] == "queued"
        await until_mail(party, made, "sent")
    (mail,) = box.mails
    assert mail["To"] == "anna@example.com"
    body = mail.get_body(("plain",))
    assert body is not None
    assert made["url"] in body.get_content()
    assert "See you on Monday" in body.get_content()
    assert box.logins == [("ada", "pass-of-the-test")]


async def test_a_mail_that_is_refused_says_why_and_can_be_sent_again(party: Party) -> None:
    async with mail_server(Mailbox(replies={"RCPT": "550 no such user"})) as box:
        await party.gateway.admin("PATCH", "/settings/smtp", smtp(box))
        made, guest = await party.invite(send_email=True)
        assert await until_mail(party, made, "failed") == "smtp_recipient_refused"
        assert (await guest.look())["state"] == "ready", "the link is good all the same"
        box.replies = {}
        again = await party.gateway.admin("POST", f"/invites/{made['id']}/resend")
        await until_mail(party, again, "sent")
    assert len(box.mails) == 1


async def test_a_server_that_is_busy_is_tried_again(party: Party) -> None:
    async with mail_server(Mailbox(replies={"MAIL": "451 later"})) as box:
        await party.gateway.admin("PATCH", "/settings/smtp", smtp(box))
        made, _ = await party.invite(send_email=True)
        assert await until_mail(party, made, "queued", "smtp_temporary_failure")


async def test_an_owner_tries_the_mail_settings(party: Party) -> None:
    async with mail_server(Mailbox()) as box:
        await party.gateway.admin("PATCH", "/settings/smtp", smtp(box, enabled=False))
        took = await party.gateway.admin("POST", "/settings/smtp/test", {"to": "me@example.com"})
        assert took == {"to": "me@example.com", "host": "127.0.0.1", "port": box.port}
        assert [mail["To"] for mail in box.mails] == ["me@example.com"]


def smtp(box: Mailbox, *, enabled: bool = True) -> dict[str, Any]:
    login = {"username": "ada", "password": "pass-of-the-test"}
    return {"values": {"enabled": enabled, "host": "127.0.0.1", "port": box.port, **login}}


async def until_mail(party: Party, made: Any, state: str, code: str | None = None) -> str | None:
    """Wait until the invite's mail is in this state (and has failed with this code); its code."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            items = (await party.gateway.admin("GET", "/invites"))["items"]
            mail = next(item["email"] for item in items if item["id"] == made["id"])
            if mail["state"] == state and code in (None, mail["error_code"]):
                return str(mail["error_code"])
            await asyncio.sleep(0.05)
