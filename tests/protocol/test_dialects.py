"""Every way a turn can fail has the right status, type and code in each of the three dialects."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from codex_pooler.gateway import answers
from codex_pooler.gateway.classify import classify
from codex_pooler.gateway.turn import Ending
from codex_pooler.keys.limits import KeyLimitReached
from codex_pooler.keys.lookup import KeyRefused
from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.protocol.dialects import ANTHROPIC, NATIVE, OPENAI, WRONG_KEY
from codex_pooler.protocol.events import ErrorBody, Terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.routing.candidates import NoCandidate
from codex_pooler.snapshot.model import Key, Limit, Pool
from codex_pooler.web.errors import failure_of, refused

NOW = time.time()


def http(status: int, body: Any, retry_after: str | None = None) -> Failure:
    """What is told when an account's last word was an HTTP error."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = (("retry-after", retry_after),) if retry_after else ()
    ending = Ending("http_error", head=ResponseHead(status, headers, True), body=raw)
    return answers.last_of(ending, classify(ending), 2)


def error(status: int, code: str, message: str = "words", **more: Any) -> Failure:
    return http(status, {"error": {"message": message, "type": "invalid_request_error", "code": code, **more}})


def inside(code: str, message: str = "words") -> Failure:
    """The same for a stream that failed before any output."""
    ending = Ending("failed", terminal=Terminal("failed", error=ErrorBody(code=code, message=message)))
    return answers.last_of(ending, classify(ending), 1)


def silent(kind: str, reason: str = "") -> Failure:
    ending = Ending(kind, reason=reason)
    return answers.last_of(ending, classify(ending), 3)


def pool(excluded: dict[str, int], **more: Any) -> Failure:
    return answers.nobody(NoCandidate(excluded, **more))


def budget(window: str, seconds: float) -> Failure:
    key = Key(uuid4(), "ann", Pool(uuid4(), "Team", "active", "capacity_weighted", 3, ()), "active")
    return answers.key_limit(KeyLimitReached(key, Limit("requests", window, 5), 5, 1, seconds, NOW + seconds))


BAD, SERVER, RATE, USED = "invalid_request_error", "server_error", "rate_limit_error", "usage_limit_reached"
# what happened -> the failure; status, type and code for Codex and OpenAI's clients; status and type for Anthropic's
TABLE: dict[str, tuple[Failure, tuple[int, str, str], tuple[int, str]]] = {
    # the request is at fault: the backend's own words
    "context too long": (
        error(400, "context_length_exceeded"),
        (400, BAD, "context_length_exceeded"),
        (400, "invalid_request_error"),
    ),
    "context too long, in the stream": (
        inside("context_length_exceeded"),
        (400, BAD, "context_length_exceeded"),
        (400, "invalid_request_error"),
    ),
    "policy violation": (error(400, "cyber_policy"), (400, BAD, "cyber_policy"), (400, "invalid_request_error")),
    "invalid prompt, in the stream": (
        inside("invalid_prompt"),
        (400, BAD, "invalid_prompt"),
        (400, "invalid_request_error"),
    ),
    "bad value": (error(400, "invalid_value"), (400, BAD, "invalid_value"), (400, "invalid_request_error")),
    "refused without a code": (
        http(400, {"detail": "Unsupported parameter: foo"}),
        (400, BAD, "upstream_400"),
        (400, "invalid_request_error"),
    ),
    "not found": (http(404, {"detail": "Not Found"}), (404, BAD, "upstream_404"), (404, "not_found_error")),
    "conflict": (http(409, {"detail": "Conflict"}), (409, BAD, "upstream_409"), (409, "invalid_request_error")),
    "too large": (http(413, {"detail": "Too large"}), (413, BAD, "upstream_413"), (413, "request_too_large")),
    # an account is at fault, and there was no other
    "rate limited": (error(429, "rate_limit_exceeded"), (429, RATE, "rate_limit_exceeded"), (429, "rate_limit_error")),
    "rate limited, in the stream": (
        inside("rate_limit_exceeded"),
        (429, RATE, "rate_limit_exceeded"),
        (429, "rate_limit_error"),
    ),
    "overloaded": (
        error(503, "server_is_overloaded"),
        (503, SERVER, "server_is_overloaded"),
        (529, "overloaded_error"),
    ),
    "overloaded, in the stream": (
        inside("server_is_overloaded"),
        (503, SERVER, "server_is_overloaded"),
        (529, "overloaded_error"),
    ),
    "slow down": (error(503, "slow_down"), (503, SERVER, "server_is_overloaded"), (529, "overloaded_error")),
    "at capacity": (
        inside("", "Selected model is at capacity"),
        (503, SERVER, "server_is_overloaded"),
        (529, "overloaded_error"),
    ),
    "model refused": (
        http(400, {"detail": "The 'x' model is not supported when using Codex with a ChatGPT account."}),
        (400, BAD, "model_not_available"),
        (400, "invalid_request_error"),
    ),
    "model unknown": (
        error(404, "model_not_found"),
        (400, BAD, "model_not_available"),
        (400, "invalid_request_error"),
    ),
    "login refused": (http(401, {"detail": "no"}), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "payment required": (http(402, {"detail": "no"}), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "account suspended": (
        error(403, "account_suspended"),
        (502, SERVER, "upstream_request_failed"),
        (502, "api_error"),
    ),
    "challenge page": (http(403, b"<html>moment</html>"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "server error": (http(500, b"oops"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "gateway timeout": (http(504, b"<html>"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "server error, in the stream": (
        inside("server_error"),
        (502, SERVER, "upstream_request_failed"),
        (502, "api_error"),
    ),
    "lost": (silent("lost", "upstream_reset"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "timed out": (silent("timeout"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "cut short": (silent("truncated"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "no stream": (silent("not_a_stream"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    "no connection": (silent("unsent"), (502, SERVER, "upstream_request_failed"), (502, "api_error")),
    # the pool
    "used up": (
        pool({"usage_limited": 2}, resets_at=NOW + 4000),
        (429, USED, "usage_limit_reached"),
        (429, "rate_limit_error"),
    ),
    "busy": (pool({"busy": 1}), (429, RATE, "accounts_busy"), (429, "rate_limit_error")),
    "nothing configured": (pool({}), (503, SERVER, "no_eligible_backend"), (503, "api_error")),
    "all need a login": (pool({"reauth_required": 1}), (503, SERVER, "no_eligible_backend"), (503, "api_error")),
    "offered by nobody": (pool({"model_not_offered": 2}), (400, BAD, "invalid_model"), (400, "invalid_request_error")),
    # the key
    "no key": (
        failure_of(KeyRefused("api_key_missing", "send a key")),
        (401, BAD, "api_key_missing"),
        (401, "authentication_error"),
    ),
    "not allowed": (
        failure_of(PolicyRefused(403, "model_not_allowed", "choose another", "model")),
        (403, BAD, "model_not_allowed"),
        (403, "permission_error"),
    ),
    "minute full": (budget("minute", 7), (429, RATE, "rate_limit_exceeded"), (429, "rate_limit_error")),
    "budget used up": (budget("day", 7000), (429, USED, "key_limit_reached"), (429, "rate_limit_error")),
    # this gateway
    "bad request": (
        failure_of(BadRequest("leave out n", "n", "unsupported_parameter")),
        (400, BAD, "unsupported_parameter"),
        (400, "invalid_request_error"),
    ),
    "restarting": (
        Failure(503, "gateway_restarting", "connect again"),
        (503, SERVER, "gateway_restarting"),
        (529, "overloaded_error"),
    ),
}
GIVE_UP = {"used up", "budget used up"}


@pytest.mark.parametrize("name", TABLE)
def test_openais_clients_are_told(name: str) -> None:
    failure, (status, kind, code), _ = TABLE[name]
    told = json.loads(OPENAI.body(failure))["error"]
    if status == 401:
        code, reason = WRONG_KEY, code
        assert told["reason"] == reason
    assert (OPENAI.status(failure), told["type"], told["code"]) == (status, kind, code)
    assert told["message"]
    assert "param" in told
    event = OPENAI.event(failure, None)
    assert json.loads(event.removeprefix(b"data: "))["error"] == told


@pytest.mark.parametrize("name", TABLE)
def test_codex_is_told(name: str) -> None:
    failure, (status, kind, code), _ = TABLE[name]
    assert NATIVE.status(failure) == status
    if failure.verbatim is None:
        told = json.loads(NATIVE.body(failure))["error"]
        assert (told["type"], told["code"]) == (kind, code)
    else:
        assert NATIVE.body(failure) == failure.verbatim
    assert json.loads(NATIVE.event(failure, "r").split(b"data: ")[1])["response"]["error"]["code"] == code


@pytest.mark.parametrize("name", TABLE)
def test_anthropics_clients_are_told(name: str) -> None:
    failure, (_, _, code), (status, kind) = TABLE[name]
    told = json.loads(ANTHROPIC.body(failure))
    assert (ANTHROPIC.status(failure), told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["error"]["code"] == code
    event = ANTHROPIC.event(failure, None)
    assert event.startswith(b"event: error\ndata: ")
    assert json.loads(event.split(b"data: ")[1]) == told


def test_claude_code_reads_that_its_conversation_is_too_long() -> None:
    failure = TABLE["context too long"][0]
    assert json.loads(ANTHROPIC.body(failure))["error"]["message"].startswith("prompt is too long")


@pytest.mark.parametrize("name", TABLE)
def test_sdks_do_not_try_again_what_lasts(name: str) -> None:
    for dialect in (NATIVE, OPENAI, ANTHROPIC):
        headers = refused(TABLE[name][0], dialect).headers
        assert headers.get("x-should-retry") == ("false" if name in GIVE_UP else None)


def test_what_ends_within_a_minute_is_worth_another_try() -> None:
    assert "x-should-retry" not in refused(budget("day", 20), OPENAI).headers
    assert "x-should-retry" in refused(answers.pinned_continuation(NoCandidate({"paused": 1})), OPENAI).headers


def test_what_the_backend_says_of_the_request_reaches_everybody() -> None:
    failure = error(400, "invalid_value", "Invalid value: 'x'.", param="tools[0].type")
    for dialect in (OPENAI, ANTHROPIC):
        told = json.loads(dialect.body(failure))["error"]
        assert (told["message"], told["param"]) == ("Invalid value: 'x'.", "tools[0].type")
