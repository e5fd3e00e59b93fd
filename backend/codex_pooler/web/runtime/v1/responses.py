"""``/v1/responses``: the public Responses API, streamed, as one object, or over a websocket."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.protocol.compaction import is_compaction
from codex_pooler.protocol.dialects import OPENAI
from codex_pooler.protocol.openai.responses_events import ResponsesStream
from codex_pooler.protocol.openai.responses_request import read_request
from codex_pooler.web.bodies import read_body
from codex_pooler.web.runtime.caller import Caller, serve
from codex_pooler.web.runtime.frame_sink import PublicFrameSink
from codex_pooler.web.runtime.probes import probe_responses
from codex_pooler.web.runtime.sinks import JsonSink
from codex_pooler.web.runtime.v1.entry import entered, streamed, turn_of
from codex_pooler.web.runtime.websocket import Surface, upgraded

ROUTE = "/v1/responses"


def add_responses_routes(app: web.Application) -> None:
    """Register every path of this module."""
    app.router.add_post(ROUTE, create_response)
    app.router.add_get(ROUTE, respond_over_websocket, allow_head=False)
    app.router.add_head(ROUTE, probe_responses)


async def create_response(request: web.Request) -> web.StreamResponse:
    """One model turn."""
    return await entered(request, _create_response)


async def _create_response(request: web.Request, caller: Caller) -> web.StreamResponse:
    body = await read_body(request)
    asked = read_request(body)
    more: dict[str, Any] = {"route_class": "proxy_compact"} if is_compaction(body) else {}
    turn = turn_of(caller, asked.turn, ROUTE, stream=asked.stream, **more)
    if asked.stream:
        said = ResponsesStream(f"resp_{turn.id.replace('-', '')}", turn.fields.model, int(time.time()))
        return await streamed(request, caller, turn, asked.turn, OPENAI, said)
    sink = JsonSink(request, turn.id, OPENAI, ignored=asked.turn.ignored)
    outcome = await serve(turn, sink, caller.house)
    return sink.answer(outcome.failure)


def _turn_of_message(caller: Caller, body: bytes, **more: Any) -> TurnRequest:
    """A message may continue an earlier response of its socket."""
    return turn_of(caller, read_request(body, on_socket=True).turn, ROUTE, stream=True, **more)


SURFACE = Surface(_turn_of_message, PublicFrameSink, lambda key: key.pool.switches.v1_compatibility, shows_codex=False)


async def respond_over_websocket(request: web.Request) -> web.StreamResponse:
    """``GET`` with an upgrade: every message of type ``response.create`` is a turn."""
    return await entered(request, _respond_over_websocket)


async def _respond_over_websocket(request: web.Request, caller: Caller) -> web.StreamResponse:
    return upgraded(request, caller, SURFACE)
