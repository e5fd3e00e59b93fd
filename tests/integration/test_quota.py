"""Quota from end to end: what the backend says decides who serves next, and what clients and processes are told."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.standing import BLOCKED, KNOWN_GOOD, Standing
from tests.integration.whole import Gateway

MODEL = "gpt-5.5"


def quotas(gateway: Gateway) -> Quotas:
    return gateway.process.house.known.quotas


def id_of(gateway: Gateway, name: str) -> UUID:
    pools = gateway.process.house.snapshot.current.pools.values()
    return next(m.account.id for pool in pools for m in pool.members if m.account.label == name)


def standing(gateway: Gateway, name: str, model: str = MODEL) -> Standing:
    return quotas(gateway).standing(id_of(gateway, name), model, time.time())


async def answer(gateway: Gateway, **more: Any) -> tuple[int, dict[str, str], bytes]:
    async with gateway.turn(**more) as response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read()


async def test_scenario_26_a_new_account_serves_at_once_and_is_known_afterwards(gateway: Gateway) -> None:
    assert standing(gateway, "acct-1").never_observed
    assert (await answer(gateway))[0] == 200
    assert standing(gateway, "acct-1").grade == KNOWN_GOOD


async def test_scenario_24_an_exhausted_account_is_left_alone_until_its_reset(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached")
    assert (await answer(gateway))[0] == 200
    blocked = standing(gateway, "acct-1")
    assert (blocked.grade, blocked.reason) == (BLOCKED, "usage_limited")
    assert blocked.until is not None
    assert 7_100 < blocked.until - time.time() < 7_300
    assert (await answer(gateway))[0] == 200
    rows = reversed(await gateway.log())
    served = [[each["account"]["name"] for each in row["attempt_log"]] for row in rows]
    assert served == [["acct-1", "acct-2"], ["acct-2"]]


async def test_scenario_28_a_pool_without_quota_says_when_the_first_account_is_back(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached")
    await gateway.fault("acct-2", "usage_limit_reached")
    asked_at = time.time()
    for _ in range(2):
        status, headers, body = await answer(gateway)
        assert status == 429
        assert b'"usage_limit_reached"' in body
        assert int(headers["retry-after"]) <= 300
    ends = [standing(gateway, name).until for name in ("acct-1", "acct-2")]
    assert f'"resets_at":{round(min(end for end in ends if end))}'.encode() in body
    assert asked_at + 7_100 < (ends[0] or 0)


async def test_clients_see_the_pools_quota_in_heads_and_not_the_accounts(gateway: Gateway) -> None:
    await gateway.control("POST", "/accounts/acct-1", {"used_percent": {"primary": 50}})
    await answer(gateway)
    await gateway.control("POST", "/accounts/acct-1", {"used_percent": {"primary": 100}})
    await answer(gateway)
    await asyncio.sleep(1.1)
    _, headers, _ = await answer(gateway)
    assert headers["x-codex-primary-window-minutes"] == "300"
    assert 0 < int(headers["x-codex-primary-used-percent"]) < 100


async def test_evidence_reaches_the_database_within_moments(gateway: Gateway) -> None:
    await answer(gateway)
    for _ in range(50):
        async with gateway.process.context.database.session() as session:
            await session.run("SELECT count(*) FROM quota_windows")
            if (await session.cursor.fetchone())[0]:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was stored within five seconds")
