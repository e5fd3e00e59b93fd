"""A running gateway renews its logins by itself, and its turns go on with the new tokens."""

from __future__ import annotations

import asyncio
from uuid import UUID

from codex_pooler.jobs.token_refresh import renew_what_is_due
from tests.integration.whole import Gateway


def tokens(gateway: Gateway) -> dict[str, str]:
    pool = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)]
    return {member.account.label: member.account.access_token for member in pool.members}


def exchanges(gateway: Gateway) -> int:
    return sum(arrival.path == "/oauth/token" for arrival in gateway.world.record.arrivals)


async def test_logins_that_expire_soon_are_renewed_and_serve(gateway: Gateway) -> None:
    gateway.world.settings.access_lifetime_s = 300.0
    account = gateway.world.accounts["acct-1"]
    login = {"pool_id": gateway.pool_id, "auth_json": gateway.world.auth_json(account)}
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
