"""Saved resets from end to end: a turn of a pool that is used up succeeds, and one reset is gone for it at most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from codex_pooler.jobs.saved_resets import SavedResetCare
from codex_pooler.simulator.record import Arrival
from tests.integration.clients import TRANSPORTS
from tests.integration.test_quota import id_of
from tests.integration.whole import Gateway

CONSUME = "/backend-api/wham/rate-limit-reset-credits/consume"
AUTO = {
    "auto_redeem_enabled": True,
    "trigger_mode": "blocked",
    "quota_threshold_percent": 95,
    "min_blocked_minutes": 60,
    "keep_credits": 0,
}


async def use_up(gateway: Gateway, *names: str, percent: float = 100) -> None:
    """The accounts' weeks are used, and the gateway knows it."""
    for name in names:
        await gateway.control("POST", f"/accounts/{name}", {"used_percent": {"secondary": percent}})
        await gateway.process.context.saved_resets.refresh_week(id_of(gateway, name), -1)


async def allow(gateway: Gateway, *names: str, **policy: Any) -> None:
    for name in names:
        await gateway.admin("PUT", f"/upstreams/{id_of(gateway, name)}/saved-reset-policy", AUTO | policy)


async def bank(gateway: Gateway, name: str, granted: int | list[float]) -> None:
    await gateway.control("POST", f"/accounts/{name}", {"grant_reset_credits": granted})


def spent(gateway: Gateway) -> dict[str, int]:
    """How many saved resets each account has used."""
    return {account.name: len(account.redeemed) for account in gateway.world.accounts.values()}


def asked(gateway: Gateway) -> list[Arrival]:
    """All requests to spend one."""
    return [one for one in gateway.world.record.arrivals if one.path == CONSUME]


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(10):
        while not (found := await holds()):
            await asyncio.sleep(0.02)
    return found


def care(gateway: Gateway) -> SavedResetCare:
    """Another one besides the process's own, whose passes the test makes."""
    house = gateway.process.house
    return SavedResetCare(
        gateway.process.context.database,
        gateway.process.context.saved_resets,
        house.known.quotas,
        lambda: house.snapshot.current,
    )


async def let_time_pass(gateway: Gateway, seconds: float) -> None:
    """For claims, and for those who read lists."""
    names = ("created_at", "dispatch_at", "sent_at", "applied_at")
    older = ", ".join(f"{name} = {name} - make_interval(secs => %(seconds)s)" for name in names)
    async with gateway.process.context.database.session() as session:
        await session.run(f"UPDATE saved_reset_claims SET {older}", {"seconds": seconds})
        earlier = "UPDATE saved_reset_checks SET claimed_at = claimed_at - make_interval(secs => %(seconds)s)"
        await session.run(earlier, {"seconds": seconds})


async def redemptions(gateway: Gateway, name: str) -> Any:
    return (await gateway.admin("GET", f"/upstreams/{id_of(gateway, name)}/saved-resets"))["redemptions"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_turn_of_an_exhausted_pool_goes_on_with_a_saved_reset(gateway: Gateway, transport: str) -> None:
    await bank(gateway, "acct-2", 2)
    await allow(gateway, "acct-2")
    await use_up(gateway, "acct-1", "acct-2")
    told = await TRANSPORTS[transport](gateway, "Reply with exactly: ok")
    assert told.text == "ok"
    assert spent(gateway) == {"acct-1": 0, "acct-2": 1}
    [redemption] = await redemptions(gateway, "acct-2")
    assert (redemption["trigger"], redemption["state"], redemption["outcome"]) == ("blocked", "confirmed", "reset")
    assert (await TRANSPORTS[transport](gateway, "Reply with exactly: ok")).text == "ok", "and it goes on serving"
    assert sum(spent(gateway).values()) == 1
    shown = await gateway.admin("GET", f"/upstreams/{id_of(gateway, 'acct-2')}")
    assert shown["saved_resets"]["available"] == 1
    events = (await gateway.admin("GET", "/audit-logs?action=saved_reset.redeemed"))["items"]
    assert [event["target"]["label"] for event in events] == ["acct-2"]


async def test_scenario_29_turns_at_once_spend_one_saved_reset(gateway: Gateway) -> None:
    for name in ("acct-1", "acct-2"):
        await bank(gateway, name, 3)
    await allow(gateway, "acct-1", "acct-2")
    await use_up(gateway, "acct-1", "acct-2")
    told = await asyncio.gather(*(TRANSPORTS["http"](gateway, "Reply with exactly: ok") for _ in range(20)))
    assert {one.text for one in told} == {"ok"}
    assert sum(spent(gateway).values()) == 1
    assert len(asked(gateway)) == 1


async def test_the_turn_that_finds_the_pool_exhausted_is_saved_as_well(gateway: Gateway) -> None:
    await allow(gateway, "acct-1", "acct-2")
    for name in ("acct-1", "acct-2"):
        await bank(gateway, name, 1)
        await gateway.control("POST", f"/accounts/{name}", {"used_percent": {"secondary": 100}})
    assert (await TRANSPORTS["http"](gateway, "Reply with exactly: ok")).text == "ok"
    assert sum(spent(gateway).values()) == 1


async def test_nothing_is_spent_while_a_sibling_serves(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1", "acct-2")
    await use_up(gateway, "acct-1")
    assert (await TRANSPORTS["http"](gateway, "Reply with exactly: ok")).text == "ok"
    assert asked(gateway) == []


async def test_nothing_is_spent_while_a_sibling_only_fails(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1")
    await gateway.fault("acct-2", "server_error", times=9)
    for _ in range(4):
        assert (await TRANSPORTS["http"](gateway, "Hello")).end == "error"
    assert asked(gateway) == []


@pytest.mark.parametrize(
    "change",
    [
        {"auto_redeem_enabled": False},
        {"keep_credits": 1},
        {"min_blocked_minutes": 10_080},
    ],
    ids=["switched off", "kept back", "too near the week's end"],
)
async def test_a_policy_that_says_no_leaves_the_refusal_as_it_is(gateway: Gateway, change: dict[str, Any]) -> None:
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1", **change)
    await gateway.control("POST", "/accounts/acct-1", {"resets_in_s": {"secondary": 5 * 86_400}})
    await use_up(gateway, "acct-1", "acct-2")
    told = await TRANSPORTS["http"](gateway, "Hello")
    assert (told.end, told.error_code) == ("error", "usage_limit_reached")
    assert asked(gateway) == []


async def test_a_client_that_names_an_exhausted_account_spends_nothing(gateway: Gateway) -> None:
    first = await TRANSPORTS["http"](gateway, "Hello")
    [response_id] = first.response_ids
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1")
    told = await TRANSPORTS["http"](gateway, "Hello", previous_response_id=response_id)
    assert told.end == "error"
    assert asked(gateway) == []


@pytest.mark.parametrize("fault", ["answer_lost", "bad_gateway"])
async def test_scenario_29_a_request_without_an_answer_is_repeated_with_its_own_id(
    gateway: Gateway, fault: str
) -> None:
    await bank(gateway, "acct-1", 2)
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1", "acct-2")
    account_id = id_of(gateway, "acct-1")
    await gateway.fault("acct-1", fault, route="consume")
    await gateway.fault("acct-1", "bad_gateway", times=9, route="usage")  # what became of it cannot be seen
    assert (await TRANSPORTS["http"](gateway, "Hello")).error_code == "usage_limit_reached"
    [waiting] = await redemptions(gateway, "acct-1")
    assert waiting["state"] == "awaiting_confirmation"
    assert (await TRANSPORTS["http"](gateway, "Hello")).error_code == "usage_limit_reached"
    await let_time_pass(gateway, 61)
    await care(gateway).settle()
    assert len(asked(gateway)) == 2
    assert list(gateway.world.accounts["acct-1"].redeemed) == [waiting["id"]], "by the id of the first request"
    await gateway.control("DELETE", "/faults")
    await gateway.process.context.saved_resets.refresh_week(account_id, -1)
    await care(gateway).settle()
    assert (await redemptions(gateway, "acct-1"))[0]["state"] == "confirmed"
    assert (await TRANSPORTS["http"](gateway, "Reply with exactly: ok")).text == "ok"
    assert spent(gateway)["acct-1"] == 1


async def test_a_client_that_leaves_meanwhile_leaves_no_claim_behind(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", 2)
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1", "acct-2")
    slow = {"account": "acct-1", "route": "consume", "fault": {"preset": "slow_headers", "delay_ms": 300}, "times": 1}
    await gateway.control("POST", "/faults", slow)
    turn = asyncio.create_task(TRANSPORTS["http"](gateway, "Hello"))

    async def has_asked() -> bool:
        return bool(asked(gateway))

    await until(has_asked)
    turn.cancel()

    async def is_confirmed() -> bool:
        return [each["state"] for each in await redemptions(gateway, "acct-1")] == ["confirmed"]

    await until(is_confirmed)
    assert spent(gateway)["acct-1"] == 1


async def test_a_pool_near_its_limits_is_redeemed_ahead_where_that_is_wanted(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1", trigger_mode="threshold", quota_threshold_percent=90)
    await use_up(gateway, "acct-1", "acct-2", percent=92)
    assert (await TRANSPORTS["http"](gateway, "Reply with exactly: ok")).text == "ok"

    async def is_confirmed() -> bool:
        return [each["state"] for each in await redemptions(gateway, "acct-1")] == ["confirmed"]

    await until(is_confirmed)
    assert (await redemptions(gateway, "acct-1"))[0]["trigger"] == "threshold"
    assert spent(gateway) == {"acct-1": 1, "acct-2": 0}


async def test_without_a_database_nothing_is_spent_and_the_refusal_is_the_usual_one(
    gateway: Gateway,
) -> None:
    await bank(gateway, "acct-1", 1)
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1", "acct-2")
    database = gateway.process.context.database
    async with AsyncExitStack() as held:
        for _ in range(database.pool.maxsize or 0):
            await held.enter_async_context(database.session())
        told = await TRANSPORTS["http"](gateway, "Hello")
    assert told.error_code == "usage_limit_reached"
    assert asked(gateway) == []


async def test_a_person_spends_one_after_looking(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", [86_400, 20 * 86_400])
    await use_up(gateway, "acct-1", percent=60)
    path = f"/upstreams/{id_of(gateway, 'acct-1')}/saved-resets/redeem"
    assert await refused(gateway, path, 3) == (409, "count_changed")
    assert await refused(gateway, f"/upstreams/{id_of(gateway, 'acct-2')}/saved-resets/redeem", 1) == (
        409,
        "count_changed",
    )
    assert asked(gateway) == []
    shown = await gateway.admin("POST", path, {"confirm": True, "expected_available": 2})
    assert shown["available"] == 1
    assert [each["state"] for each in shown["items"]] == ["consumed", "available"]
    assert [(each["trigger"], each["state"]) for each in shown["redemptions"]] == [("manual", "confirmed")]
    assert await refused(gateway, path, 2) == (409, "count_changed")
    events = (await gateway.admin("GET", "/audit-logs?action=upstream_account.saved_reset_redeem"))["items"]
    assert [event["target"]["label"] for event in events] == ["acct-1"]


async def test_a_person_waits_while_one_is_being_spent(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", 2)
    await use_up(gateway, "acct-1")
    await gateway.fault("acct-1", "answer_lost", route="consume")
    await gateway.fault("acct-1", "bad_gateway", times=9, route="usage")
    path = f"/upstreams/{id_of(gateway, 'acct-1')}/saved-resets/redeem"
    shown = await gateway.admin("POST", path, {"confirm": True, "expected_available": 2})
    assert shown["redemptions"][0]["state"] == "awaiting_confirmation"
    assert await refused(gateway, path, 1) == (409, "redemption_in_progress")
    assert len(asked(gateway)) == 1


async def refused(gateway: Gateway, path: str, expected: int) -> tuple[int, str]:
    """Status and code of an attempt to spend one by hand."""
    headers = {"Authorization": f"Bearer {gateway.token}"}
    body = {"confirm": True, "expected_available": expected}
    async with gateway.http.post(f"{gateway.origin}/api/admin/v1{path}", json=body, headers=headers) as answer:
        return answer.status, (await answer.json())["code"]


async def test_a_reset_about_to_expire_is_used(gateway: Gateway) -> None:
    await bank(gateway, "acct-1", [3_600, 20 * 86_400])
    await allow(gateway, "acct-1")
    await use_up(gateway, "acct-1", percent=40)
    await care(gateway).read_now()
    await let_time_pass(gateway, 61)
    await care(gateway).look()
    [redemption] = await redemptions(gateway, "acct-1")
    assert (redemption["trigger"], redemption["state"]) == ("expiry", "confirmed")
    assert spent(gateway) == {"acct-1": 1, "acct-2": 0}
