"""The answers to calls under ``/v1`` that are no turns: their failures in the words of the OpenAI API, and what is
ignored."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from codex_pooler.gateway.admission import Overloaded
from codex_pooler.gateway.call import CallAnswer, CallRequest
from codex_pooler.protocol.dialects import OPENAI, UNEXPLAINED
from codex_pooler.protocol.failure import Failure
from codex_pooler.web.errors import refused
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.calls import carry
from codex_pooler.web.runtime.sinks import ignored_header

Headers = list[tuple[str, str]]


def headers_of(call_id: str, ignored: Sequence[str] = ()) -> Headers:
    """What every answer has in its head."""
    return [("x-request-id", call_id), ("cache-control", "no-store"), *ignored_header(ignored)]


async def carried(caller: Caller, call: CallRequest) -> CallAnswer:
    """The call's answer, also when this gateway has no place for it."""
    try:
        return await carry(caller, call)
    except Overloaded as exc:
        failure = exc.failure()
        return CallAnswer(failure.status, failure=failure)


def failure_in(answer: CallAnswer) -> Failure | None:
    """Why there is no good answer, the backend's own refusals included."""
    if answer.failure or answer.status < 400:
        return answer.failure
    kind = "invalid_request_error" if answer.status < 500 else "server_error"
    return Failure(answer.status, answer.code or "invalid_request", UNEXPLAINED, kind, verbatim=answer.body)


def told(failure: Failure, call_id: str, ignored: Sequence[str] = ()) -> web.Response:
    """A refusal in the dialect of this surface."""
    return refused(failure, OPENAI, headers_of(call_id, ignored))
