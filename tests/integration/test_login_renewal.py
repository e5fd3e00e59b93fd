"""A running gateway renews its logins by itself, and its turns go on with the new tokens."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.renewal import renewed
from codex_pooler.jobs.token_refresh import renew_what_is_due
from codex_pooler.process import process
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.upstream.oauth import Grant
from tests.integration.whole import Gateway


def tokens(gateway: Gateway) -> dict[str, str]:
    pool = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)]
    return {member.account.label: member.account.access_token for member in pool.members}


def exchanges(gateway: Gateway) -> int:
    return sum(arrival.path == "/oauth/token" for arrival in gateway.world.record.arrivals)


async def test_logins_that_expire_soon_are_renewed_and_serve(gateway: Gateway) -> None:
    gateway.world.settings.access_lifetime_s = 300.0
    account = gateway.world.accounts["acct-1"]
    days_old = gateway.world.auth_json(account) | {"last_refresh": (datetime.now(UTC) - timedelta(days=3)).isoformat()}
    login = {"pool_id": gateway.pool_id, "auth_json": days_old}
    imported = await gateway.admin("POST", "/upstreams/import", login)
    assert imported["account"]["credential"]["refresh"]["state"] == "due"
    before = tokens(gateway)
    gateway.world.settings.access_lifetime_s = 864_000.0
    refresher = gateway.process.house.refresher
    assert refresher
    await renew_what_is_due(refresher)
    after = tokens(gateway)
    assert after["acct-1"] != before["acct-1"], "turns have the new token at once"
    assert after["acct-2"] == before["acct-2"]
    assert exchanges(gateway) == 1
    shown = await gateway.admin("GET", f"/upstreams/{imported['account']['id']}")
    assert shown["credential"]["refresh"]["state"] == "ok"
    async with gateway.turn() as answer:
        assert answer.status == 200
        await answer.read()
    assert gateway.world.record.arrivals[-1].account == "acct-1"


async def test_a_refused_login_leaves_the_routing_at_once(gateway: Gateway) -> None:
    refresher = gateway.process.house.refresher
    assert refresher
    (account_id,) = [a["id"] for a in (await gateway.admin("GET", "/upstreams"))["items"] if a["label"] == "acct-1"]
    await gateway.control("POST", "/accounts/acct-1", {"logged_out": True})
    old = tokens(gateway)["acct-1"]
    renewals = await asyncio.gather(*(refresher.renew(UUID(account_id), old) for _ in range(50)))
    assert {(one.outcome, one.code) for one in renewals} == {("rejected", "refresh_token_invalidated")}
    assert exchanges(gateway) == 1
    pool = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)]
    assert [member.account.label for member in pool.fit] == ["acct-2"]
    async with gateway.turn() as answer:
        assert answer.status == 200
        await answer.read()


async def test_a_login_that_a_dead_process_kept_is_stored_at_the_next_start(gateway: Gateway, dsn: str) -> None:
    context = gateway.process.context
    logins = Logins(context.database, context.keyring.upstream, SecretSpool(context.config.state_dir / "spool"))
    items = (await gateway.admin("GET", "/upstreams"))["items"]
    account_id = next(UUID(item["id"]) for item in items if item["label"] == "acct-1")
    login = await logins.current(account_id)
    assert login
    issued = gateway.world.issue(gateway.world.accounts["acct-1"])
    grant = Grant(issued["access_token"], issued["refresh_token"], issued["id_token"], None)
    await logins.kept.keep(renewed(login.id, login.age.epoch, login.refresh_token, grant, datetime.now(UTC)))
    async with process(context.config, dsn) as next_start:
        pool = next_start.house.snapshot.current.pools[UUID(gateway.pool_id)]
        assert issued["access_token"] in [member.account.access_token for member in pool.members]
    assert logins.kept.all() == []
    again = await logins.current(account_id)
    assert again
    assert again.refresh_token == issued["refresh_token"]


async def test_scenario_11_a_turn_whose_token_is_refused_goes_on_with_a_new_one(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "token_expired", route="turn")
    async with gateway.turn() as answer:
        assert answer.status == 200
        assert b"response.completed" in await answer.read()
    assert exchanges(gateway) == 1
    assert [one.account for one in gateway.world.record.arrivals if one.fault == "token_expired"] == ["acct-1"]
    served = [row["account"]["name"] for row in await gateway.log()]
    assert served == ["acct-1"], "the account that was refused is the one that serves"


async def test_scenario_11_a_turn_whose_login_is_over_goes_to_the_next_account_and_a_person_is_asked_for(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    await gateway.control("POST", "/accounts/acct-1", {"logged_out": True})
    async with gateway.turn() as answer:
        assert answer.status == 200
        assert b"response.completed" in await answer.read()
    (row,) = await gateway.log()
    assert [attempt["account"]["name"] for attempt in row["attempt_log"]] == ["acct-1", "acct-2"]
    assert exchanges(gateway) == 1
    (shown,) = [one for one in (await gateway.admin("GET", "/upstreams"))["items"] if one["label"] == "acct-1"]
    assert (shown["status"], shown["status_reason"]) == ("reauth_required", "refresh_token_invalidated")
    (event,) = (await gateway.admin("GET", "/audit-logs?action=account.reauth_required"))["items"]
    assert (event["target"]["label"], event["outcome"]) == ("acct-1", "failure")
    assert "acct-1" in caplog.text or shown["id"] in caplog.text
    assert "needs a new login: refresh_token_invalidated" in caplog.text


async def test_f17_fifty_turns_that_are_refused_at_once_cost_one_exchange_per_login(gateway: Gateway) -> None:
    days_later = time.time() + 11 * 86_400
    gateway.world.clock = lambda: days_later

    async def turn() -> int:
        async with gateway.turn() as answer:
            assert b"response.completed" in await answer.read()
            return int(answer.status)

    assert set(await asyncio.gather(*(turn() for _ in range(50)))) == {200}
    assert 1 <= exchanges(gateway) <= 2
    assert gateway.world.record.reused_refresh_tokens == []
