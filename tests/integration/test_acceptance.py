"""Scenarios in which routing, quota and failover have to agree, through the whole gateway; the others are proved where
docs/acceptance.md says."""

from __future__ import annotations

import asyncio
import time

import pytest

from codex_pooler.quota.standing import BLOCKED
from tests.integration.clients import TRANSPORTS, over_http
from tests.integration.test_quota import standing
from tests.integration.test_routing import account_ids, served
from tests.integration.whole import Gateway

LIMIT_EVENTS = "codex.rate_limits"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_scenario_7_the_third_account_answers_and_the_log_has_three_attempts(
    gateway: Gateway, transport: str
) -> None:
    third = gateway.world.add_account("acct-3")
    body = {"pool_id": gateway.pool_id, "auth_json": gateway.world.auth_json(third), "label": third.name}
    await gateway.admin("POST", "/upstreams/import", body)
    await gateway.fault("acct-1", "server_error")
    await gateway.fault("acct-2", "failed_overloaded")
    told = await TRANSPORTS[transport](gateway, "Reply with exactly: third")
    assert (told.end, told.text, told.types.count("response.created")) == ("response.completed", "third", 1)
    (row,) = await gateway.log()
    assert [(each["account"]["name"], each["outcome"]) for each in row["attempt_log"]] == [
        ("acct-1", "failed_over"),
        ("acct-2", "failed_over"),
        ("acct-3", "served"),
    ]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_scenario_9_an_overload_after_the_limits_and_the_handshake_is_not_seen(
    gateway: Gateway, transport: str
) -> None:
    gateway.world.settings.sse_rate_limit_event = True  # over a websocket they always come first
    await gateway.fault("acct-1", "failed_overloaded")
    told = await TRANSPORTS[transport](gateway, "Reply with exactly: ok")
    assert (told.end, told.text, told.types.count(LIMIT_EVENTS)) == ("response.completed", "ok", 1)
    assert [each["account"] for each in await gateway.arrived() if each["response_id"]] == ["acct-1", "acct-2"]


async def test_scenario_12_turns_refused_at_once_cost_one_renewal(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "token_expired", times=20)
    told = await asyncio.gather(*(over_http(gateway, "Reply with exactly: ok") for _ in range(20)))
    assert {one.end for one in told} == {"response.completed"}
    tokens = [one for one in gateway.world.record.arrivals if one.path == "/oauth/token"]
    assert len(tokens) == 1
    assert gateway.world.record.reused_refresh_tokens == []


async def test_scenario_13_what_continues_a_paused_accounts_response_says_how_to_go_on(gateway: Gateway) -> None:
    first = await over_http(gateway, "Reply with exactly: ok")
    (response_id,) = first.response_ids
    await gateway.admin("POST", f"/upstreams/{account_ids(gateway)['acct-1']}/pause")
    async with gateway.turn("and now?", previous_response_id=response_id) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (503, "pinned_continuation_unavailable")
        assert answer.headers["x-codex-recovery-kind"] == "restart_with_full_context"
    assert (error["retryable"], error["requires_new_upstream_session"]) == (False, True)
    assert error["recovery"]["kind"] == "restart_with_full_context"
    assert error["recovery"]["anchor_removal"]["body"] == ["previous_response_id"]
    assert "session-id" in error["recovery"]["anchor_removal"]["headers"]
    assert {each["account"] for each in await gateway.arrived()} == {"acct-1"}, "another account was never asked"
    assert await served(gateway) == "acct-2", "but the whole conversation may go there"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_scenario_19_a_full_account_is_passed_over_and_a_full_pool_waits_and_says_so(
    gateway: Gateway, transport: str
) -> None:
    for account_id in account_ids(gateway).values():
        path = f"/pools/{gateway.pool_id}/assignments/{account_id}"
        await gateway.admin("PATCH", path, {"max_concurrency": 1})
    client, house = TRANSPORTS[transport], gateway.process.house
    gateway.world.settings.pacing_ms = 50
    running = [asyncio.create_task(client(gateway, "Say 30 words")) for _ in range(2)]
    async with asyncio.timeout(5):
        while house.known.leases.total() < 2:
            await asyncio.sleep(0.02)
    house.busy_wait = 0.3
    began = time.monotonic()
    third = await client(gateway, "Reply with exactly: third")
    assert time.monotonic() - began >= 0.3, "it waited in line first"
    refused = third.events[-1]
    assert (refused["status"], third.error_code) == (429, "accounts_busy")
    assert int(refused["headers"]["retry-after"]) >= 1
    assert [one.end for one in await asyncio.gather(*running)] == ["response.completed"] * 2
    assert {each["account"] for each in await gateway.arrived()} == {"acct-1", "acct-2"}
    house.busy_wait = 5.0
    both = [client(gateway, "Say 3 words") for _ in range(4)]
    assert [one.end for one in await asyncio.gather(*both)] == ["response.completed"] * 4, "who waits is served in turn"


async def test_scenario_25_a_model_with_a_limit_of_its_own_is_blocked_alone(gateway: Gateway) -> None:
    spark = "gpt-5.3-codex-spark"
    await gateway.fault("acct-1", "usage_limit_reached", model=spark)
    await over_http(gateway, "hello", model=spark)
    assert standing(gateway, "acct-1", spark).grade == BLOCKED
    assert standing(gateway, "acct-1").grade != BLOCKED
    assert await served(gateway) == "acct-1"
