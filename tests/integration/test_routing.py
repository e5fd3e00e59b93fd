"""Routing from end to end: sessions and their accounts, priorities, attempts, and what operators are told of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from codex_pooler.jobs.bindings import BindingKeeper
from codex_pooler.quota.facts import HEADERS, Observation
from codex_pooler.quota.record import AFTERWARDS_SECONDS
from codex_pooler.quota.windows import ACCOUNT, FIVE_HOURS, WEEK, Window
from codex_pooler.routing.bindings import Bindings
from codex_pooler.storage.tables import session_bindings
from tests.integration.whole import Gateway


async def served(gateway: Gateway, session: str | None = None, **more: Any) -> str:
    """The account that served a turn."""
    headers = {"session-id": session} if session else {}
    async with gateway.turn(headers=headers, **more) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    return str((await gateway.arrived())[-1]["account"])


async def logged(gateway: Gateway, count: int) -> list[Any]:
    """The log once it has so many rows, the newest first."""
    async with asyncio.timeout(10):
        while len(rows := await gateway.log()) < count:
            await asyncio.sleep(0.05)
    return rows


def account_ids(gateway: Gateway) -> dict[str, UUID]:
    pool = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)]
    return {member.account.label: member.account.id for member in pool.members}


async def stored_bindings(gateway: Gateway) -> list[UUID]:
    database = gateway.process.context.database
    await BindingKeeper(database, gateway.process.house.known.bindings).store()
    async with database.session() as session:
        return [row.account_id for row in await session.fetch(sa.select(session_bindings.c.account_id))]


async def recover(gateway: Gateway, account_id: UUID) -> None:
    """Evidence arrives, late enough not to have come with the refusal, that the account has room again."""
    await asyncio.sleep(AFTERWARDS_SECONDS + 0.1)
    now = time.time()
    windows = tuple(Window(ACCOUNT, minutes, 5.0, now, HEADERS, now + 9_000) for minutes in (FIVE_HOURS, WEEK))
    gateway.process.house.known.quotas.observe(account_id, Observation(HEADERS, now, "plus", windows), now)


async def test_scenario_14_a_session_moves_when_its_account_is_exhausted_and_stays_where_it_went(
    gateway: Gateway,
) -> None:
    ids = account_ids(gateway)
    assert await served(gateway, "thread-1") == "acct-1"
    assert await stored_bindings(gateway) == [ids["acct-1"]]
    await gateway.fault("acct-1", "usage_limit_reached")
    assert await served(gateway, "thread-1") == "acct-2"
    assert await stored_bindings(gateway) == [ids["acct-2"]]
    await recover(gateway, ids["acct-1"])
    assert await served(gateway, "thread-1") == "acct-2", "an account that has recovered does not take it back"
    assert await served(gateway, "thread-2") == "acct-1"


async def test_a_session_finds_its_account_again_after_a_restart(gateway: Gateway) -> None:
    pool = f"/pools/{gateway.pool_id}"
    ids = account_ids(gateway)
    await gateway.admin("PATCH", f"{pool}/assignments/{ids['acct-2']}", {"priority": 5})
    assert await served(gateway, "thread-1") == "acct-2"
    await stored_bindings(gateway)
    await gateway.admin("PATCH", f"{pool}/assignments/{ids['acct-2']}", {"priority": -5})
    house = gateway.process.house
    house.known = replace(house.known, bindings=Bindings())
    assert await served(gateway, "thread-2") == "acct-1"
    await BindingKeeper(gateway.process.context.database, house.known.bindings).load()
    assert await served(gateway, "thread-1") == "acct-2"


async def test_scenario_5_turns_with_one_cache_key_meet_until_the_pool_says_no(gateway: Gateway) -> None:
    pool = f"/pools/{gateway.pool_id}"
    for name, account_id in account_ids(gateway).items():  # so that the quota of both is known
        await gateway.admin("PATCH", f"{pool}/assignments/{account_id}", {"priority": 5})
        assert await served(gateway) == name
        await gateway.admin("PATCH", f"{pool}/assignments/{account_id}", {"priority": 0})
    await gateway.admin("PATCH", pool, {"strategy": "bridge_ring"})
    for n in range(4):
        assert len({await served(gateway, prompt_cache_key=f"cache-{n}") for _ in range(4)}) == 1
    await gateway.admin("PATCH", pool, {"switches": {"prompt_cache_affinity": False}})
    assert len({await served(gateway, prompt_cache_key="cache-1") for _ in range(16)}) == 2


async def test_scenario_7_a_pool_that_allows_one_attempt_shows_the_failure(gateway: Gateway) -> None:
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"max_attempts": 1})
    await gateway.fault("acct-1", "server_error", times=2)
    async with gateway.turn() as answer:
        assert answer.status >= 500
    (row,) = await logged(gateway, 1)
    assert [each["account"]["name"] for each in row["attempt_log"]] == ["acct-1"]
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"max_attempts": 3})
    assert await served(gateway) == "acct-2"


async def test_scenario_20_the_higher_priority_serves_until_it_is_exhausted(gateway: Gateway) -> None:
    ids = account_ids(gateway)
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}/assignments/{ids['acct-2']}", {"priority": 10})
    assert [await served(gateway) for _ in range(3)] == ["acct-2"] * 3
    await gateway.fault("acct-2", "usage_limit_reached")
    assert [await served(gateway) for _ in range(2)] == ["acct-1"] * 2


async def test_the_log_and_the_dry_run_tell_the_same(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached")
    await served(gateway, "thread-1")
    await served(gateway, "thread-1")
    second, first = await logged(gateway, 2)
    assert [each["name"] for each in first["routing"]["ranked"]] == ["acct-1", "acct-2"]
    assert (first["routing"]["strategy"], first["routing"]["affinity"]) == ("fill_first", "none")
    assert second["routing"]["affinity"] == "owner"
    assert [each["name"] for each in second["routing"]["ranked"]] == ["acct-2"]
    (left_out,) = second["routing"]["left_out"]
    assert (left_out["name"], left_out["code"]) == ("acct-1", "usage_limited")
    (key,) = (await gateway.admin("GET", "/api-keys"))["items"]
    asked = f"model=gpt-5.5&session=thread-1&api_key_id={key['id']}"
    explanation = await gateway.admin("GET", f"/pools/{gateway.pool_id}/explain?{asked}")
    ranks = {each["account"]["name"]: each["rank"] for each in explanation["candidates"]}
    assert ranks == {"acct-2": 1, "acct-1": None}
    assert (explanation["affinity"]["kind"], explanation["affinity"]["account"]["name"]) == ("owner", "acct-2")
    (reason,) = explanation["candidates"][1]["reasons"]
    assert (reason["gate"], reason["code"]) == ("quota", "usage_limited")
