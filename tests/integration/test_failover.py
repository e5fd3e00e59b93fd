"""Every way an account can fail, tried on the first account with a healthy second behind it."""

from __future__ import annotations

import aiohttp
import pytest

from tests.integration.whole import Gateway

BEFORE_OUTPUT = [
    "usage_limit_reached",
    "usage_limit_without_reset",
    "usage_not_included",
    "rate_limit_exceeded",
    "rate_limit_with_retry_after",
    "bare_429",
    "insufficient_quota",
    "account_deactivated",
    "deactivated_workspace",
    "forbidden",
    "challenge",
    "model_not_supported",
    "model_not_found",
    "server_error",
    "bad_gateway",
    "server_is_overloaded",
    "slow_down",
    "unavailable",
    "gateway_timeout",
    "malformed_error",
    "reset_before_headers",
    "reset_before_output",
    "truncated_before_output",
    "empty_stream",
    "not_sse",
    "failed_overloaded",
    "failed_server_error",
    "failed_usage_limit",
    "failed_rate_limit",
    "failed_quota",
    "error_event",
]
OF_THE_REQUEST = ["bad_request", "context_length_exceeded", "policy_violation", "not_found", "too_large"]
AFTER_OUTPUT = ["reset_after_output", "truncated_after_output", "failed_after_output", "error_event_after_output"]


@pytest.mark.parametrize("fault", BEFORE_OUTPUT)
async def test_the_client_sees_one_clean_stream_from_the_second_account(gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    async with gateway.turn("Reply with exactly: still-here") as answer:
        text = await answer.text()
        assert answer.status == 200, text
    assert text.count("event: response.created") == 1
    assert text.count("event: response.completed") == 1
    assert "still-here" in text
    (row,) = await gateway.log()
    first, second = row["attempt_log"]
    assert (first["account"]["name"], first["outcome"]) == ("acct-1", "failed_over")
    assert first["error_code"], "the log says why"
    assert (second["account"]["name"], second["outcome"]) == ("acct-2", "served")
    assert (row["status"], row["usage"]["state"]) == ("succeeded", "final")


@pytest.mark.parametrize("fault", ["token_expired", "token_revoked"])
async def test_a_refused_token_is_renewed_and_the_same_account_serves(gateway: Gateway, fault: str) -> None:
    """Acceptance scenario 11: the client sees nothing but success."""
    await gateway.fault("acct-1", fault)
    async with gateway.turn("Reply with exactly: still-here") as answer:
        text = await answer.text()
        assert answer.status == 200, text
    assert text.count("event: response.completed") == 1
    (row,) = await gateway.log()
    assert [(a["account"]["name"], a["outcome"]) for a in row["attempt_log"]] == [
        ("acct-1", "failed_over"),
        ("acct-1", "served"),
    ]


@pytest.mark.parametrize("fault", OF_THE_REQUEST)
async def test_the_requests_own_fault_goes_back_and_blames_nobody(gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    async with gateway.turn() as answer:
        assert 400 <= answer.status < 500
    async with gateway.turn() as answer:
        assert answer.status == 200
    newest, oldest = await gateway.log()
    assert (oldest["status"], len(oldest["attempt_log"])) == ("rejected", 1)
    assert newest["account"]["name"] == "acct-1", "the account is not blamed"


@pytest.mark.parametrize("fault", AFTER_OUTPUT)
async def test_after_output_nothing_is_replayed(gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    try:
        async with gateway.turn("Say 30 words") as answer:
            assert answer.status == 200
            await answer.read()
    except aiohttp.ClientPayloadError:
        pass
    (row,) = await gateway.log()
    assert (row["status"], len(row["attempt_log"])) == ("failed", 1)
    assert [arrival["account"] for arrival in await gateway.arrived()] == ["acct-1"]


async def test_a_pool_that_is_used_up_says_until_when(gateway: Gateway) -> None:
    for account in ("acct-1", "acct-2"):
        await gateway.fault(account, "usage_limit_reached")
    async with gateway.turn() as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["type"]) == (429, "usage_limit_reached")
    assert 7000 < error["resets_in_seconds"] <= 7200
    assert "2 reached their usage limit" in error["message"]


async def test_usage_in_the_log_is_what_the_backend_counted(gateway: Gateway) -> None:
    for words in (5, 50, 7):
        async with gateway.turn(f"Say {words} words") as answer:
            await answer.read()
    rows = await gateway.log()
    counted = (await gateway.control("GET", "/record"))["totals"]["acct-1"]
    for ours, theirs in (("input", "input_tokens"), ("cached_input", "cached_tokens"), ("output", "output_tokens")):
        assert sum(row["usage"][ours] for row in rows) == counted[theirs]
