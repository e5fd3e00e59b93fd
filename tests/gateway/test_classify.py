"""Every way the backend fails has one verdict: whose fault, and whether another account may try."""

from __future__ import annotations

import json

import pytest

from codex_pooler.gateway.classify import Blame, classify
from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.events import ErrorBody, Terminal
from codex_pooler.protocol.http1 import ResponseHead


def http(status: int, error: object = None, *, raw: bytes | None = None, **headers: str) -> Ending:
    body = raw if raw is not None else json.dumps(error if error is not None else {}).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Ending("http_error", head=ResponseHead(status, named, True), body=body)


def failed(code: str, message: str = "") -> Ending:
    return Ending("failed", terminal=Terminal("failed", error=ErrorBody(code=code, message=message)))


def err(**members: object) -> dict[str, object]:
    return {"error": members}


@pytest.mark.parametrize(
    ("ending", "code", "blame"),
    [
        (http(429, err(type="usage_limit_reached", resets_at=9)), "usage_limit_reached", Blame.USAGE),
        (http(429, err(code="rate_limit_exceeded")), "rate_limit_exceeded", Blame.RATE),
        (http(429), "upstream_rate_limited", Blame.RATE),
        (http(429, err(code="insufficient_quota")), "insufficient_quota", Blame.USAGE),
        (http(429, err(code="usage_not_included")), "usage_not_included", Blame.USAGE),
        (http(401), "upstream_unauthorized", Blame.LOGIN),
        (http(401, {"detail": {"code": "token_revoked"}}), "token_revoked", Blame.LOGIN),
        (http(402), "upstream_payment_required", Blame.USAGE),
        (http(403, err(code="account_deactivated")), "account_deactivated", Blame.LOGIN),
        (http(403, raw=b"<html>Just a moment...</html>"), "upstream_challenge", Blame.HEALTH),
        (http(500), "upstream_500", Blame.HEALTH),
        (http(502, raw=b"bad gateway"), "upstream_502", Blame.HEALTH),
        (http(503, err(code="server_is_overloaded")), "server_is_overloaded", Blame.HEALTH),
        (http(503, err(code="slow_down")), "slow_down", Blame.HEALTH),
        (http(520, raw=b""), "upstream_520", Blame.HEALTH),
        (
            http(400, {"detail": "The 'x' model is not supported when using Codex with a ChatGPT account."}),
            "upstream_model_unavailable",
            Blame.MODEL,
        ),
        (http(404, err(code="model_not_found")), "model_not_found", Blame.MODEL),
        (failed("server_is_overloaded"), "server_is_overloaded", Blame.HEALTH),
        (failed("rate_limit_exceeded"), "rate_limit_exceeded", Blame.RATE),
        (failed("usage_limit_reached"), "usage_limit_reached", Blame.USAGE),
        (failed("", "Selected model is at capacity"), "model_at_capacity", Blame.HEALTH),
        (failed("something_new"), "something_new", Blame.NOBODY),
        (failed(""), "response_failed", Blame.NOBODY),
        (failed("invalid_upstream_response"), "invalid_upstream_response", Blame.HEALTH),
        (Ending("lost", reason="upstream_reset"), "upstream_reset", Blame.HEALTH),
        (Ending("timeout", reason="upstream_first_byte_timeout"), "upstream_first_byte_timeout", Blame.HEALTH),
        (Ending("truncated", reason="upstream_stream_truncated"), "upstream_stream_truncated", Blame.HEALTH),
        (Ending("unsent", reason="upstream_connect_failed"), "upstream_connect_failed", Blame.NOBODY),
        (Ending("unsent", reason="egress_proxy_failed"), "egress_proxy_failed", Blame.HEALTH),
        (Ending("unsent", reason="upstream_backend_origin_failed"), "upstream_backend_origin_failed", Blame.HEALTH),
        (Ending("not_a_stream", reason="invalid_upstream_response"), "invalid_upstream_response", Blame.HEALTH),
    ],
)
def test_failures_of_an_account_move_on(ending: Ending, code: str, blame: Blame) -> None:
    verdict = classify(ending)
    assert (verdict.code, verdict.move, verdict.blame) == (code, True, blame)


@pytest.mark.parametrize(
    "ending",
    [
        http(400, {"detail": "Unsupported parameter: temperature"}),
        http(400, err(code="context_length_exceeded")),
        http(403, err(code="misalignment_policy_violation")),
        http(404, {"detail": "Not Found"}),
        http(413),
        http(422, err(code="invalid_json_schema")),
        failed("context_length_exceeded"),
        failed("invalid_prompt"),
        failed("image_too_large"),
        failed("cyber_policy"),
        Ending("client_gone", reason="client_disconnected"),
    ],
)
def test_the_requests_own_faults_stay_and_blame_nobody(ending: Ending) -> None:
    verdict = classify(ending)
    assert (verdict.move, verdict.blame) == (False, Blame.NOBODY)


def test_encrypted_content_of_another_account_asks_for_a_shorter_body() -> None:
    verdict = classify(http(400, err(code="invalid_encrypted_content")))
    assert (verdict.strip_reasoning, verdict.move, verdict.blame) == (True, False, Blame.NOBODY)


def test_the_reset_the_backend_names_is_kept() -> None:
    assert classify(http(429, err(type="usage_limit_reached", resets_at=1795243997))).error.resets_at == 1795243997
    assert classify(http(429, retry_after="7")).retry_after == 7


def test_success_says_nothing_bad() -> None:
    assert classify(Ending("completed", committed=True)).code == ""
    assert classify(Ending("incomplete", committed=True)).code == ""
