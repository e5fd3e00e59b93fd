"""The native Codex surface: ``POST /backend-api/codex/responses``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.protocol.compaction import is_compaction
from codex_pooler.protocol.requests import BadRequest, read_fields, rewritten
from codex_pooler.web.bodies import read_body
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import Caller, caller_of, serve
from codex_pooler.web.runtime.sealed import owner_of, remember, sealed_name
from codex_pooler.web.runtime.sinks import JsonSink, SseSink

ROUTE = "/backend-api/codex/responses"
PATHS = (ROUTE, "/backend-api/codex/v1/responses")


async def create_response(request: web.Request) -> web.StreamResponse:
    """One model turn, streamed or as one JSON object."""
    return await answered(request, _create_response)


async def _create_response(request: web.Request) -> web.StreamResponse:
    caller = caller_of(request)
    body = await read_body(request)
    name = sealed_name(caller, body)
    turn = turn_of(caller, body, compaction=is_compaction(body), owner=owner_of(caller, name))
    sink = SseSink(request, turn.id) if turn.fields.stream else JsonSink(request, turn.id)
    outcome = await serve(turn, sink, caller.house)
    if name and outcome.status == "succeeded":
        remember(caller, turn, [name])
    return sink.answer(outcome.failure)


def turn_of(caller: Caller, body: bytes, *, compaction: bool = False, route: str = ROUTE, **more: Any) -> TurnRequest:
    """The turn that a body over HTTP asks for.  Raises BadRequest."""
    fields = read_fields(body)
    given: dict[str, Any] = {
        "route": route,
        "transport": "http_sse" if fields.stream else "http_json",
        "route_class": "proxy_compact" if compaction else "proxy_stream" if fields.stream else "proxy_http",
        "continues": fields.previous_response_id,
    }
    return caller.turn(body if fields.stream else _as_stream(body), fields, **{**given, **more})


def _as_stream(body: bytes) -> bytes:
    """The backend only streams: ask it to, and collect the answer here."""
    try:
        return rewritten(body, stream=True)
    except (ValueError, TypeError):
        raise BadRequest("the body must be a JSON object") from None
