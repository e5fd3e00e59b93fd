"""Every way in which an account can spoil a turn, by the rows of what clients do about it, tried over both transports
on the first account of a pool whose second is well.  What really went upstream is read from the backend's record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from codex_pooler.simulator.faults import HTTP, PRESETS, UPGRADE, WEBSOCKET
from codex_pooler.simulator.record import Arrival
from tests.integration.clients import TRANSPORTS, Told, over_websocket
from tests.integration.whole import Gateway

Fault = str | Mapping[str, Any]
Rows = Mapping[str, tuple[Fault, ...]]
AT_ONCE = 6

# what the backend answers -> the faults that answer so; unseen as long as nothing of the answer was shown
BEFORE_OUTPUT: Rows = {
    "400, because the account lacks the model": ("model_not_supported",),
    "401": ("token_expired", "token_revoked", "bare_401", "account_deactivated"),
    "402": ("deactivated_workspace",),
    "403": ("forbidden", "challenge"),
    "404 model_not_found": ("model_not_found",),
    "429 usage_limit_reached": ("usage_limit_reached", "usage_limit_without_reset"),
    "429 usage_not_included": ("usage_not_included",),
    "429 insufficient_quota": ("insufficient_quota",),
    "429 other with Retry-After": ("rate_limit_with_retry_after",),
    "429 other without Retry-After": ("rate_limit_exceeded", "bare_429"),
    "500, 502, 503, 504 and other": (
        "server_error",
        "bad_gateway",
        "unavailable",
        "gateway_timeout",
        "unknown_520",
        "malformed_error",
    ),
    "503 server_is_overloaded": ("server_is_overloaded",),
    "503 slow_down": ("slow_down",),
    "200 that is no event stream": ("not_sse", {"kind": "not_sse", "body": "", "transports": [HTTP]}),
    "an empty stream": ("empty_stream",),
    "a stream that is cut": ("truncated_before_output", "close_going_away"),
    "a stream that is reset": ("reset_before_output",),
    "a reset before headers": ("reset_before_headers",),
    "failed: overloaded": ("failed_overloaded", {"preset": "failed_overloaded", "code": "slow_down"}),
    "failed: quota": ("failed_quota", "failed_usage_limit", {"preset": "failed_quota", "code": "usage_not_included"}),
    "failed: rate limit": ("failed_rate_limit",),
    "failed: server error": ("failed_server_error",),
    "failed: a code nobody knows": ({"kind": "failed", "code": "something_new"},),
    "an error event": ("error_event",),
}
# the upgrade's answer -> faults of it
UPGRADES: Rows = {
    "426": ("upgrade_426",),
    "401, 403, 404, 405, 500": ("upgrade_401", "upgrade_403", "upgrade_404", "upgrade_405", "upgrade_500"),
    "400": ("upgrade_400",),
    "429 usage_limit_reached": ("upgrade_usage_limit",),
    "429 other": ({"kind": "refuse", "status": 429, "body": {"detail": "x"}, "transports": [UPGRADE]},),
    "503": ("upgrade_503",),
    "a reset": ("upgrade_reset",),
}
# once output was shown there is no way back: the client must take it as "try again", and nothing is asked twice
AFTER_OUTPUT: Rows = {
    "a reset": ("reset_after_output",),
    "a cut": ("truncated_after_output", "close_after_output"),
    "failed": ("failed_after_output", "failed_overloaded_after_output"),
    "failed: quota": (
        {"preset": "failed_after_output", "code": "usage_limit_reached"},
        {"preset": "failed_after_output", "code": "insufficient_quota"},
        {"preset": "failed_after_output", "code": "usage_not_included"},
    ),
    "failed: rate limit": ({"preset": "failed_after_output", "code": "rate_limit_exceeded"},),
    "an error event": ("error_event_after_output",),
}
# of the request and not of the account: it goes back to the client in the backend's words
OF_THE_REQUEST: Rows = {
    "400": ("bad_request", "context_length_exceeded", "policy_violation", "client_too_old"),
    "404, 409, 413": ("not_found", "conflict", "too_large"),
    "failed": ("failed_context",),
}
# no failure at all, or tried in tests of their own: silence, the socket's own codes, items sealed for another account,
# answers that come late or never though the backend has done what it was asked for
ELSEWHERE = {
    "slow_answer",
    "answer_lost",
    "answer_never",
    "answer_replaced",
    "slow_headers",
    "slow_first_event",
    "stall_before_output",
    "stall_after_output",
    "incomplete",
    "previous_response_not_found",
    "websocket_connection_limit_reached",
    "invalid_encrypted_content",
}


def faults_of(rows: Rows, transport: str) -> dict[str, Fault]:
    """Every fault of a table that this transport can meet, by a name."""
    named = {f"{row} #{number}": fault for row, faults in rows.items() for number, fault in enumerate(faults)}
    return {name: fault for name, fault in named.items() if transport in _transports(fault)}


def _transports(fault: Fault) -> Iterable[str]:
    if isinstance(fault, str):
        return PRESETS[fault].transports
    default = PRESETS[fault["preset"]].transports if "preset" in fault else (HTTP, WEBSOCKET)
    return tuple(fault.get("transports", default))


def upstream(gateway: Gateway, name: str) -> list[Arrival]:
    """The turns that reached this pool's accounts."""
    ours = {f"{name}-1", f"{name}-2"}
    return [one for one in gateway.world.record.arrivals if one.account in ours and one.response_id]


async def each(
    gateway: Gateway, transport: str, faults: Mapping[str, Fault], check: Callable[..., Awaitable[str | None]]
) -> dict[str, str]:
    """What is wrong with a row, for the rows with which something is; every row has a pool of its own."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, fault: Fault) -> str | None:
        async with room:
            name = f"{transport}{number}"
            return await check(await gateway.apart(name), name, transport, fault)

    problems = await asyncio.gather(*(one(number, fault) for number, fault in enumerate(faults.values())))
    return {row: problem for row, problem in zip(faults, problems, strict=True) if problem}


def served_cleanly(told: Told, words: str) -> bool:
    """The client saw one whole answer and nothing else."""
    once = told.types.count("response.created") == told.types.count("response.completed") == 1
    return once and told.end == "response.completed" and told.text == words and len(told.response_ids) == 1


async def unseen(gateway: Gateway, name: str, transport: str, fault: Fault) -> str | None:
    """The first account keeps failing, and its clients do not notice."""
    await gateway.control("POST", "/faults", {"account": f"{name}-1", "fault": fault})
    for words in ("still here", "here again"):
        told = await TRANSPORTS[transport](gateway, f"Reply with exactly: {words}")
        if not served_cleanly(told, words):
            return f"the client saw {told.events[-1:]}, cut {told.cut}"
        finished = [one.response_id for one in upstream(gateway, name) if one.finished]
        if told.response_ids != {finished[-1]}:
            return f"the client holds {told.response_ids}, the backend finished {finished}"
    return None if len(finished) == 2 else f"two turns were answered {len(finished)} times"


async def not_repeated(gateway: Gateway, name: str, transport: str, fault: Fault) -> str | None:
    """The turn fails so that clients try again, was asked once only, and the next try succeeds."""
    await gateway.control("POST", "/faults", {"account": f"{name}-1", "fault": fault, "times": 1})
    told = await TRANSPORTS[transport](gateway, "Say 30 words")
    if not told.text:
        return f"nothing was shown before {told.events}"
    if not (told.end == "cut" or (told.end == "response.failed" and told.error_code == "stream_incomplete")):
        return f"it ended with {told.events[-1]}"
    asked = [one.response_id for one in upstream(gateway, name)]
    if len(asked) != 1 or told.response_ids - set(asked):
        return f"one turn became {asked}, of which the client saw {told.response_ids}"
    again = await TRANSPORTS[transport](gateway, "Reply with exactly: again")
    return None if served_cleanly(again, "again") else f"the next try ended with {again.events[-1:]}"


async def told_as_it_is(gateway: Gateway, name: str, transport: str, fault: Fault) -> str | None:
    """The backend's own words reach the client at once, and the account stays first."""
    await gateway.control("POST", "/faults", {"account": f"{name}-1", "fault": fault, "times": 1})
    told = await TRANSPORTS[transport](gateway, "hello")
    if told.end != "error" or not 400 <= told.events[-1]["status"] < 500:
        return f"it ended with {told.events[-1:]}"
    again = await TRANSPORTS[transport](gateway, "Reply with exactly: again")
    accounts = {one.account for one in upstream(gateway, name)}
    return None if served_cleanly(again, "again") and accounts == {f"{name}-1"} else f"{accounts} served"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_before_output_a_failing_account_is_never_seen(gateway: Gateway, transport: str) -> None:
    assert await each(gateway, transport, faults_of(BEFORE_OUTPUT, transport), unseen) == {}
    assert gateway.process.house.known.leases.total() == 0


async def test_whatever_an_upgrade_is_answered_with_the_client_does_not_notice(gateway: Gateway) -> None:
    assert await each(gateway, "websocket", faults_of(UPGRADES, UPGRADE), unseen) == {}
    assert gateway.process.house.known.leases.total() == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_after_output_a_failure_reads_as_try_again_and_nothing_is_asked_twice(
    gateway: Gateway, transport: str
) -> None:
    assert await each(gateway, transport, faults_of(AFTER_OUTPUT, transport), not_repeated) == {}
    assert gateway.process.house.known.leases.total() == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_requests_own_faults_come_back_in_the_backends_words(gateway: Gateway, transport: str) -> None:
    assert await each(gateway, transport, faults_of(OF_THE_REQUEST, transport), told_as_it_is) == {}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_slowness_below_the_budgets_is_no_failure(gateway: Gateway, transport: str) -> None:
    for fault in ("slow_headers", "slow_first_event"):
        await gateway.fault("acct-1", fault)
        told = await TRANSPORTS[transport](gateway, "Reply with exactly: slow")
        assert served_cleanly(told, "slow")
    assert {one["account"] for one in await gateway.arrived()} == {"acct-1"}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_f5_silence_is_given_up_by_its_budget_and_told_apart(gateway: Gateway, transport: str) -> None:
    house = gateway.process.house
    house.budgets = replace(house.budgets, first_byte=0.4, first_event=0.4, gap=0.4)
    await gateway.fault("acct-1", {"kind": "delay", "delay_ms": 3_600_000})  # type: ignore[arg-type]
    assert served_cleanly(await TRANSPORTS[transport](gateway, "Reply with exactly: one"), "one")
    await gateway.fault("*", "stall_before_output")  # the first is asked last by now
    assert served_cleanly(await TRANSPORTS[transport](gateway, "Reply with exactly: two"), "two")
    await gateway.fault("*", "stall_after_output")
    told = await TRANSPORTS[transport](gateway, "Say 30 words")
    assert told.end == "cut" or told.error_code == "stream_incomplete"
    codes = [row["attempt_log"][0]["error_code"] for row in await gateway.log()]
    assert codes == ["upstream_idle_timeout", "upstream_first_event_timeout", "upstream_first_byte_timeout"]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_incomplete_answer_is_an_answer(gateway: Gateway, transport: str) -> None:
    await gateway.fault("acct-1", "incomplete")
    told = await TRANSPORTS[transport](gateway, "Say 30 words")
    assert (told.end, told.events[-1]["response"]["incomplete_details"]["reason"]) == (
        "response.incomplete",
        "max_output_tokens",
    )
    assert {one["account"] for one in await gateway.arrived()} == {"acct-1"}


@pytest.mark.parametrize("fault", ["websocket_connection_limit_reached", "previous_response_not_found"])
async def test_a_socket_the_backend_has_done_with_is_replaced_unseen(gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    told = await over_websocket(gateway, "Reply with exactly: ok")
    assert served_cleanly(told, "ok") or (told.events[-1]["status"], told.error_code) == (400, fault), (
        "or the client is told so, and sends everything again at once"
    )


def test_every_fault_the_simulator_knows_has_its_place() -> None:
    tables = (BEFORE_OUTPUT, UPGRADES, AFTER_OUTPUT, OF_THE_REQUEST)
    placed = [fault for rows in tables for faults in rows.values() for fault in faults if isinstance(fault, str)]
    assert sorted([*placed, *ELSEWHERE]) == sorted(PRESETS)
