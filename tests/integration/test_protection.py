"""An operator's hands on a running gateway: trying an account out, and draining it under traffic."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from tests.integration.whole import Gateway


async def first_account(gateway: Gateway) -> str:
    listed = (await gateway.admin("GET", "/upstreams"))["items"]
    return str(next(account["id"] for account in listed if account["label"] == "acct-1"))


async def test_a_probe_is_a_real_turn_with_that_account(gateway: Gateway) -> None:
    account = await first_account(gateway)
    probed = await gateway.admin("POST", f"/upstreams/{account}/probe")
    assert (probed["ok"], probed["status"], probed["error"]) == (True, 200, None)
    assert probed["ttft_ms"] <= probed["latency_ms"]
    assert [arrival["account"] for arrival in await gateway.arrived()] == ["acct-1"]
    await gateway.admin("POST", f"/upstreams/{account}/pause")
    assert (await gateway.admin("POST", f"/upstreams/{account}/probe", {"model": "gpt-5.5"}))["model"] == "gpt-5.5"
    events = (await gateway.admin("GET", "/audit-logs?action=upstream_account.probe"))["items"]
    assert [event["outcome"] for event in events] == ["success", "success"]


async def test_a_failing_probe_says_why_in_the_backends_words(gateway: Gateway) -> None:
    account = await first_account(gateway)
    await gateway.fault("acct-1", "usage_limit_reached")
    probed = await gateway.admin("POST", f"/upstreams/{account}/probe")
    assert (probed["ok"], probed["status"], probed["error"]["code"]) == (False, 429, "usage_limit_reached")
    assert probed["error"]["detail"]
    assert gateway.process.house.known.leases.total() == 0


async def test_a_drained_account_finishes_its_turn_and_is_paused_then(gateway: Gateway) -> None:
    account, leases = await first_account(gateway), gateway.process.house.known.leases
    with leases.hold(UUID(account)):
        shown = await gateway.admin("POST", f"/upstreams/{account}/drain")
        assert (shown["status"], shown["drain"]) == ("draining", {"in_flight": 1})
        async with gateway.turn() as answer:
            assert answer.status == 200
            await answer.read()
        assert [arrival["account"] for arrival in await gateway.arrived()] == ["acct-2"]
        await beaten(gateway, account)
        assert (await gateway.admin("GET", f"/upstreams/{account}"))["status"] == "draining"
    async with asyncio.timeout(30):
        while (await gateway.admin("GET", f"/upstreams/{account}"))["status"] != "paused":
            await asyncio.sleep(0.1)


async def beaten(gateway: Gateway, account: str) -> None:
    """The process has told the others that it still serves the account."""

    async def told() -> Any:
        async with gateway.process.context.database.session() as session:
            await session.run("SELECT bool_or(%(account)s = ANY(drains_busy)) FROM nodes", {"account": UUID(account)})
            return (await session.cursor.fetchone())[0]

    async with asyncio.timeout(30):
        while not await told():
            await asyncio.sleep(0.1)
