"""Invites over the admin API: one open invite an address, one look at its link, lists, mail, and whose pools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import accounts, audit_events, invites
from codex_pooler.telemetry.metrics import INVITES

if TYPE_CHECKING:
    from codex_pooler.web.context import WebContext
    from tests.web.admin.conftest import Browserless, MakeScript


async def invite(owner: Browserless, pool: Any, email: str = "anna@example.com", **more: Any) -> Any:
    return await owner.post("/invites", {"pool_id": pool["id"], "email": email, **more})


async def stored(database: Database, identity: str) -> Any:
    async with database.session() as session:
        return await session.one(sa.select(invites).where(invites.c.id == UUID(identity)))


async def change(database: Database, identity: str, **columns: Any) -> None:
    async with database.session() as session:
        await session.execute(sa.update(invites).where(invites.c.id == UUID(identity)).values(**columns))


async def run_out(database: Database, identity: str) -> None:
    row = await stored(database, identity)
    past = row.expires_at - datetime.now(UTC) + timedelta(seconds=1)
    await change(database, identity, created_at=row.created_at - past, expires_at=row.expires_at - past)


async def test_the_link_is_shown_once_and_not_in_the_database(
    owner: Browserless, pool: Any, database: Database, keyring: Keyring
) -> None:
    made = await invite(owner, pool, "Anna@Example.com", note="See you", ttl_hours=48, issue_api_key=True)
    origin, _, token = made["url"].rpartition("/")
    assert origin.endswith("/onboarding/invites")
    assert len(token) == 43
    row = await stored(database, made["id"])
    assert bytes(row.digest) == keyring.digest("invite", token)
    assert token not in str(row)
    assert row.expires_at - row.created_at == timedelta(hours=48)
    (listed,) = (await owner.get("/invites"))["items"]
    assert listed == {name: value for name, value in made.items() if name != "url"}
    assert (listed["status"], listed["invited_email"], listed["note"]) == ("active", "anna@example.com", "See you")
    assert listed["issue_api_key"] is True
    assert listed["email"] == {"state": "not_sent", "sent_at": None, "error_code": None}
    assert listed["result"] == {"upstream_id": None, "accepted_email": None, "accepted_at": None}
    assert listed["invited_by"]["name"] == "Ada L"


async def test_an_address_has_one_open_invite_a_pool(owner: Browserless, pool: Any, database: Database) -> None:
    first = await invite(owner, pool)
    status, problem = await owner.call("POST", "/invites", {"pool_id": pool["id"], "email": "ANNA@example.com"})
    assert (status, problem["code"]) == (409, "invite_exists")
    other = await owner.post("/pools", {"name": "Other"})
    await invite(owner, other)
    await run_out(database, first["id"])
    second = await invite(owner, pool)
    assert (await stored(database, first["id"])).status == "expired"
    await owner.post(f"/invites/{second['id']}/revoke")
    await invite(owner, pool)


@pytest.mark.parametrize(
    "body",
    [
        {"email": "anna"},
        {"email": "anna@example.com\r\nBcc: x@example.com"},
        {"email": "Anna <anna@example.com>"},
        {"email": "a@example.com,b@example.com"},
        {"email": "anna@example.com", "ttl_hours": 0},
        {"email": "anna@example.com", "ttl_hours": 10_000},
        {"email": "anna@example.com", "note": "x" * 501},
    ],
)
async def test_a_mistake_is_told_at_its_field(owner: Browserless, pool: Any, body: dict[str, Any]) -> None:
    status, problem = await owner.call("POST", "/invites", {"pool_id": pool["id"], **body})
    assert (status, problem["code"]) == (422, "validation_failed")
    assert problem["errors"][0]["pointer"] == f"/{list(body)[-1]}"


async def test_a_new_link_ends_the_old_one(owner: Browserless, pool: Any, database: Database) -> None:
    first = await invite(owner, pool, note="See you", ttl_hours=3, issue_api_key=True)
    second = await owner.post(f"/invites/{first['id']}/reissue")
    assert second["id"] != first["id"]
    assert second["url"] != first["url"]
    assert (second["note"], second["issue_api_key"]) == ("See you", True)
    row = await stored(database, second["id"])
    assert row.expires_at - row.created_at == timedelta(hours=3)
    assert (await stored(database, first["id"])).status == "revoked"
    await run_out(database, second["id"])
    third = await owner.post(f"/invites/{second['id']}/reissue")
    assert [item["status"] for item in (await owner.get("/invites"))["items"]] == ["active", "revoked", "expired"]
    await change(database, third["id"], status="accepted")
    status, problem = await owner.call("POST", f"/invites/{third['id']}/reissue")
    assert (status, problem["code"]) == (410, "invite_consumed")


async def test_what_ends_open_invites_is_counted(owner: Browserless, pool: Any, context: WebContext) -> None:
    made = await invite(owner, pool)
    again = await owner.post(f"/invites/{made['id']}/reissue")
    await owner.post(f"/invites/{again['id']}/revoke")
    await owner.call("POST", f"/invites/{again['id']}/revoke")
    assert context.metrics.counts == {(INVITES, "revoked"): 2}


@pytest.mark.parametrize(
    ("status", "code"), [("accepted", "invite_consumed"), ("revoked", "invite_revoked"), ("expired", "invite_expired")]
)
async def test_only_an_open_invite_can_be_revoked(
    owner: Browserless, pool: Any, database: Database, status: str, code: str
) -> None:
    made = await invite(owner, pool)
    await change(database, made["id"], status=status)
    answer, problem = await owner.call("POST", f"/invites/{made['id']}/revoke")
    assert (answer, problem["code"]) == (410, code)


@pytest.mark.parametrize("status", ["disabled", "archived"])
async def test_nobody_is_invited_into_a_pool_that_takes_nobody_in(owner: Browserless, pool: Any, status: str) -> None:
    await owner.call("PATCH", f"/pools/{pool['id']}", {"status": status})
    answer, problem = await owner.call("POST", "/invites", {"pool_id": pool["id"], "email": "anna@example.com"})
    assert (answer, problem["code"]) == (409, "pool_not_active")


async def test_the_list_goes_on_and_is_filtered(owner: Browserless, pool: Any, database: Database) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    made = [await invite(owner, pool, f"anna{number}@example.com") for number in range(5)]
    await invite(owner, other, "bert@example.com", note="Friend of Anna")
    await run_out(database, made[0]["id"])
    await owner.post(f"/invites/{made[1]['id']}/revoke")
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await owner.get(f"/invites?limit=2{cursor and f'&cursor={cursor}'}")
        seen += [item["invited_email"] for item in page["items"]]
        cursor = page["page"]["next_cursor"]
    assert seen == ["bert@example.com", *(f"anna{number}@example.com" for number in (4, 3, 2, 1, 0))]

    async def found(query: str) -> list[str]:
        return [item["invited_email"].partition("@")[0] for item in (await owner.get(f"/invites?{query}"))["items"]]

    assert await found("status=expired&status=revoked") == ["anna1", "anna0"]
    assert await found(f"status=active&pool_id={pool['id']}") == ["anna4", "anna3", "anna2"]
    assert await found("q=FRIEND") == ["bert"]
    assert await found("q=nobody") == []
    assert (await owner.call("GET", "/invites?cursor=x"))[1]["code"] == "invalid_cursor"


async def test_who_manages_another_pool_sees_none_of_this(
    owner: Browserless, pool: Any, make_script: MakeScript
) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    made = await invite(owner, pool)
    admin = await make_script("instance_admin", other["id"])
    assert (await admin.get("/invites"))["items"] == []
    assert (await admin.get(f"/invites?pool_id={pool['id']}"))["items"] == []
    for action in ("reissue", "resend", "revoke"):
        assert (await admin.call("POST", f"/invites/{made['id']}/{action}"))[0] == 404
    status, _ = await admin.call("POST", "/invites", {"pool_id": pool["id"], "email": "x@example.com"})
    assert status == 404
    theirs = await invite(admin, other)
    assert [item["id"] for item in (await admin.get("/invites"))["items"]] == [theirs["id"]]


async def test_what_is_done_with_invites_is_in_the_audit_trail(
    owner: Browserless, pool: Any, database: Database
) -> None:
    made = await invite(owner, pool)
    again = await owner.post(f"/invites/{made['id']}/reissue")
    await owner.post(f"/invites/{again['id']}/revoke")
    async with database.session() as session:
        rows = await session.fetch(
            sa.select(audit_events).where(audit_events.c.target_type == "invite").order_by(audit_events.c.occurred_at)
        )
    assert [row.action for row in rows] == ["invite.create", "invite.reissue", "invite.revoke"]
    assert {row.target_label for row in rows} == {"a***@example.com"}
    for secret in (made["url"], again["url"]):
        assert secret.rpartition("/")[2] not in str(rows)


# -- by mail


async def test_mail_needs_a_mail_server(owner: Browserless, pool: Any) -> None:
    body = {"pool_id": pool["id"], "email": "anna@example.com", "send_email": True}
    status, problem = await owner.call("POST", "/invites", body)
    assert (status, problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (
        422,
        "/send_email",
        "smtp_disabled",
    )
    assert (await owner.get("/invites"))["items"] == []
    made = await invite(owner, pool)
    assert (await owner.call("POST", f"/invites/{made['id']}/resend"))[0] == 422
    (kept,) = (await owner.get("/invites"))["items"]
    assert kept["status"] == "active", "what cannot be sent again is not revoked either"


async def test_a_mail_is_queued_with_the_invite_and_failed_when_its_job_is_given_up(
    owner: Browserless, pool: Any, database: Database
) -> None:
    values = {"values": {"enabled": True, "host": "127.0.0.1"}}
    assert (await owner.call("PATCH", "/settings/smtp", values))[0] == 200
    made = await invite(owner, pool, send_email=True)
    assert made["email"]["state"] == "queued"
    async with database.session() as session:
        job = await session.one(sa.text("SELECT task_name, args FROM procrastinate_jobs"))
        assert (job.task_name, job.args["invite_id"]) == ("invite_mail", made["id"])
        assert made["url"].rpartition("/")[2] not in str(job)
        await session.run("UPDATE procrastinate_jobs SET status = 'cancelled'")
    (listed,) = (await owner.get("/invites"))["items"]
    assert listed["email"]["state"] == "failed"


# -- for accounts that need a new login


async def needing_login(owner: Browserless, pool: Any, make_auth_json: Any, database: Database, **columns: Any) -> str:
    account = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    identity = account["account"]["id"]
    async with database.session() as session:
        state = {"state": "reauth_required", **columns}
        await session.execute(sa.update(accounts).where(accounts.c.id == UUID(identity)).values(**state))
    return str(identity)


async def test_an_account_that_needs_a_login_is_reinvited(
    owner: Browserless, pool: Any, make_auth_json: Any, database: Database
) -> None:
    account = await needing_login(owner, pool, make_auth_json, database)
    first = await owner.post(f"/upstreams/{account}/reinvite")
    assert (first["upstream_id"], first["invited_email"]) == (account, "anna@example.com")
    second = await owner.post(f"/upstreams/{account}/reinvite", {"ttl_hours": 2})
    assert second["url"] != first["url"]
    assert (await stored(database, first["id"])).status == "revoked"
    by_hand = {"pool_id": pool["id"], "email": "boss@example.com", "upstream_id": account}
    assert (await owner.post("/invites", by_hand))["upstream_id"] == account


async def test_an_account_with_a_good_login_is_not_reinvited(
    owner: Browserless, pool: Any, make_auth_json: Any, database: Database
) -> None:
    account = await needing_login(owner, pool, make_auth_json, database, state="active")
    status, problem = await owner.call("POST", f"/upstreams/{account}/reinvite")
    assert (status, problem["code"]) == (409, "invalid_state_transition")


async def test_an_account_in_no_pool_or_without_an_address_is_not_reinvited(
    owner: Browserless, pool: Any, make_auth_json: Any, database: Database
) -> None:
    account = await needing_login(owner, pool, make_auth_json, database, email=None)
    assert (await owner.call("POST", f"/upstreams/{account}/reinvite"))[1]["code"] == "email_unknown"
    await owner.call("DELETE", f"/pools/{pool['id']}/assignments/{account}")
    assert (await owner.call("POST", f"/upstreams/{account}/reinvite"))[1]["code"] == "no_pool"
