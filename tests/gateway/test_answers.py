"""What the gateway says when it refuses: the same over HTTP and as a message, in envelopes that tools can read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from codex_pooler.gateway import answers
from codex_pooler.gateway.classify import classify
from codex_pooler.gateway.turn import Ending
from codex_pooler.keys.limits import KeyLimitReached
from codex_pooler.protocol.errors import error_frame
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.routing.candidates import NoCandidate
from codex_pooler.snapshot.model import Key, Limit, Pool
from codex_pooler.web.errors import refusal
from codex_pooler.web.runtime.frame_sink import as_frame
from codex_pooler.web.runtime.sinks import failure_response

NOW = time.time()


def ended(status: int, body: Any = None, kind: str = "http_error", reason: str = "") -> Failure:
    """What is told when this was the end of the last attempt."""
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    ending = Ending(kind, head=ResponseHead(status, (), True), body=raw, reason=reason)
    return answers.last_of(ending, classify(ending), 2)


def limited(window: str) -> Failure:
    pool = Pool(uuid4(), "Team", "active", "capacity_weighted", 3, ())
    limit = Limit("requests", window, 5)
    return answers.key_limit(KeyLimitReached(Key(uuid4(), "ann", pool, "active"), limit, 5, 1, 7.0, NOW + 7))


def nobody(excluded: Mapping[str, int], **more: Any) -> Failure:
    return answers.nobody(NoCandidate(dict(excluded), **more))


# (failure, status, type, code, words that must be in the message)
TOLD = [
    (nobody({}), 503, "server_error", "no_eligible_backend", "no accounts"),
    (nobody({"paused": 2, "failing": 1}), 503, "server_error", "no_eligible_backend", "1 keep failing, 2 are paused"),
    (nobody({"busy": 1, "paused": 1}), 429, "rate_limit_error", "accounts_busy", "try again"),
    (nobody({"rate_limited": 2}, retry_at=NOW + 5), 429, "rate_limit_error", "rate_limit_exceeded", "5 seconds"),
    (nobody({"model_not_offered": 2}), 400, "invalid_request_error", "invalid_model", "GET /backend-api/codex/models"),
    (
        nobody({"usage_limited": 2, "reauth_required": 1}, resets_at=NOW + 3700),
        429,
        "usage_limit_reached",
        "usage_limit_reached",
        "1 must sign in again, 2 reached their usage limit); try again in 1h1m40s",
    ),
    (nobody({"not_included": 1}), 429, "usage_limit_reached", "usage_limit_reached", "ask an operator"),
    (limited("minute"), 429, "rate_limit_error", "rate_limit_exceeded", "try again in 7s"),
    (limited("day"), 429, "usage_limit_reached", "key_limit_reached", "ask an operator"),
    (answers.lost_anchor({}), 400, "invalid_request_error", "previous_response_not_found", "Retrying"),
    (
        answers.pinned_continuation(NoCandidate({"paused": 1})),
        503,
        "server_error",
        "pinned_continuation_unavailable",
        "1 are paused",
    ),
    (
        answers.pinned_continuation(NoCandidate({"reauth_required": 1})),
        503,
        "server_error",
        "pinned_continuation_reauth_required",
        "send all of it",
    ),
    (ended(500), 502, "server_error", "upstream_request_failed", "upstream_500 (2 accounts were tried); try again"),
    (ended(0, kind="lost", reason="upstream_reset"), 502, "server_error", "upstream_request_failed", "upstream_reset"),
    (ended(503, {"error": {"code": "slow_down"}}), 503, "server_error", "server_is_overloaded", "try again"),
    (ended(429, {"detail": "slower"}), 429, "rate_limit_error", "rate_limit_exceeded", "try again in"),
    (
        ended(404, {"error": {"code": "model_not_found"}}),
        400,
        "invalid_request_error",
        "model_not_available",
        "choose another",
    ),
]


@pytest.mark.parametrize(("failure", "status", "kind", "code", "words"), TOLD, ids=[f"{t[3]} {t[1]}" for t in TOLD])
def test_the_same_is_told_over_http_and_as_a_message(
    failure: Failure, status: int, kind: str, code: str, words: str
) -> None:
    response = failure_response(failure, "turn-1")
    assert isinstance(response.body, bytes)
    error = json.loads(response.body)["error"]
    assert (response.status, error["type"], error["code"]) == (status, kind, code)
    assert words in error["message"]
    assert {"message", "type", "code", "param"} <= set(error)
    frame = as_frame(failure, None)
    told = json.loads(frame)
    assert_one_status(frame)
    if code == "server_is_overloaded":
        assert (told["status"], told["error"]["code"]) == (429, "backend_overloaded"), "a 503 would be final there"
        assert (told["error"]["message"], told["headers"]) == (error["message"], {"retry-after": "2"})
        return
    assert (told["type"], told["status"], told["error"]) == ("error", status, error)
    retry = response.headers.get("retry-after")
    assert told.get("headers", {}).get("retry-after") == retry
    assert (status != 429) or retry or code == "usage_limit_reached", "without a time to wait tools give up"


def assert_one_status(frame: bytes) -> None:
    """Codex hangs on an error that has none, and other tools on one that has both."""
    names = [name for name, _ in json.loads(frame, object_pairs_hook=lambda pairs: pairs)]
    assert names.count("status") == 1
    assert "status_code" not in names


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"no","code":"x","status":400},"status":400,"status_code":400,"type":"y"}',
        b'{"status_code":400,"detail":"Unsupported parameter"}',
        b"<html>no</html>",
        b"",
        b"[]",
        b'{"error":"no"}',
    ],
)
def test_whatever_the_backend_says_becomes_a_message_with_one_status(body: bytes) -> None:
    frame = error_frame(422, body)
    told = json.loads(frame)
    assert (told["type"], told["status"]) == ("error", 422)
    assert {"message", "code"} <= set(told["error"])
    assert_one_status(frame)


def test_the_backends_advice_is_not_lost_over_a_websocket() -> None:
    told = json.loads(error_frame(400, b'{"detail":"This model requires a newer version of Codex. Please upgrade."}'))
    assert told["error"]["message"] == "This model requires a newer version of Codex. Please upgrade."


def test_a_stream_keeps_its_name_on_errors() -> None:
    told = json.loads(as_frame(answers.lost_anchor({}), "left"))
    assert (told["stream_id"], told["status"]) == ("left", 400)


@pytest.mark.parametrize(
    ("status", "header", "value"), [(401, "www-authenticate", "Bearer"), (426, "upgrade", "HTTP/1.1")]
)
def test_refusals_have_the_headers_that_go_with_their_status(status: int, header: str, value: str) -> None:
    response = refusal(status, "some_code", "some words; try again")
    assert response.headers[header] == value
    assert response.headers["cache-control"] == "no-store"


def test_how_many_accounts_were_left_out_and_why_is_told_without_names() -> None:
    response = failure_response(nobody({"paused": 2, "usage_limited": 1}, resets_at=NOW + 50), "turn-1")
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["error"]["excluded"] == {"paused": 2, "usage_limited": 1}


@pytest.mark.parametrize(
    ("client", "code"),
    [
        ({"user-agent": "openai/3.52.0"}, "previous_response_not_found"),
        ({"originator": "codex_exec", "user-agent": "codex_exec/0.169.0 (Debian)"}, "previous_response_not_found"),
        ({"originator": "codex-tui", "user-agent": "codex-tui/1.2.0 (macOS)"}, "previous_response_not_found"),
        (
            {"originator": "codex_exec", "user-agent": "codex_exec/0.147.0"},
            "websocket_connection_limit_reached",
        ),
        ({"originator": "codex_exec"}, "websocket_connection_limit_reached"),  # 0.125 has no user agent here
    ],
)
def test_every_version_of_codex_is_told_to_start_anew_in_words_it_knows(client: Mapping[str, str], code: str) -> None:
    failure = answers.lost_anchor(client)
    assert (failure.status, failure.code) == (400, code)
