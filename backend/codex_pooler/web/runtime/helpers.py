"""The small routes that Codex calls beside its turns: one table, one handler, a switch of the pool for most of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from codex_pooler.protocol.json_shape import check_object, check_object_or_array
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.telemetry.metrics import CALLS
from codex_pooler.web.bodies import read_body
from codex_pooler.web.errors import Handler, answered, not_found
from codex_pooler.web.runtime.caller import caller_of
from codex_pooler.web.runtime.calls import JSON, answer_call, call_of

ROUTE_CLASS = "proxy_control"
SDP = "application/sdp"
MAX_SDP_BYTES = 1024 * 1024
MAX_JSON_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BodyMode:
    """What a route takes.  Without a ``content_type`` it takes nothing, and sends nothing on."""

    content_type: str | None
    limit: int = 0
    check: Callable[[bytes], None] | None = None


NO_BODY = BodyMode(None)
SDP_TEXT = BodyMode(SDP, MAX_SDP_BYTES)
OBJECT = BodyMode(JSON, MAX_JSON_BYTES, check_object)
OBJECT_OR_ARRAY = BodyMode(JSON, MAX_JSON_BYTES, check_object_or_array)


@dataclass(frozen=True, slots=True)
class HelperRoute:
    """``path`` is the same here and at the backend, below ``/backend-api``; ``switch`` names a member of Switches.

    ``replayable``: it only asks, so that it may be asked again when an answer was lost.
    """

    method: str
    path: str
    body: BodyMode
    switch: str | None = None
    replayable: bool = False

    @property
    def route(self) -> str:
        return f"/backend-api{self.path}"


ANALYTICS = HelperRoute("POST", "/codex/analytics-events/events", OBJECT_OR_ARRAY, "forward_analytics")
ROUTES = (
    HelperRoute("POST", "/codex/realtime/calls", SDP_TEXT, "allow_realtime"),
    HelperRoute("POST", "/codex/alpha/search", OBJECT, "allow_search", replayable=True),
    HelperRoute("POST", "/codex/memories/trace_summarize", OBJECT, "allow_memories", replayable=True),
    HelperRoute("GET", "/codex/thread/goal/get", NO_BODY, "allow_thread_goals", replayable=True),
    HelperRoute("POST", "/codex/thread/goal/get", OBJECT, "allow_thread_goals", replayable=True),
    HelperRoute("POST", "/codex/thread/goal/set", OBJECT, "allow_thread_goals"),
    HelperRoute("POST", "/codex/thread/goal/clear", OBJECT, "allow_thread_goals"),
    HelperRoute("POST", "/codex/safety/arc", OBJECT, "allow_safety_check", replayable=True),
    HelperRoute("GET", "/codex/agent-identities/jwks", NO_BODY, replayable=True),
    HelperRoute("GET", "/wham/agent-identities/jwks", NO_BODY, replayable=True),
    ANALYTICS,
)


def add_helper_routes(app: web.Application) -> None:
    """Register every row of the table."""
    for row in ROUTES:
        app.router.add_route(row.method, row.route, handler_of(row))


def handler_of(row: HelperRoute) -> Handler:
    """The request handler of one row."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(request, row)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answered(request, serve)

    return handle


async def _serve(request: web.Request, row: HelperRoute) -> web.StreamResponse:
    caller = caller_of(request)
    allowed = row.switch is None or getattr(caller.key.pool.switches, row.switch)
    if not allowed and row is not ANALYTICS:
        return not_found(request)
    body = await _body(request, row.body)
    if not allowed:  # a client that cannot deliver its events would go on trying
        caller.house.metrics.count(CALLS, "accepted")
        return web.json_response({"status": "accepted"}, status=202)
    query = request.rel_url.raw_query_string
    call = call_of(
        caller,
        content_type=row.body.content_type,
        path=f"{row.path}?{query}" if query else row.path,
        route=row.route,
        route_class=ROUTE_CLASS,
        body=body,
        replayable=row.replayable,
    )
    return await answer_call(caller, call)


async def _body(request: web.Request, mode: BodyMode) -> bytes:
    if mode.content_type is None:
        return b""
    if mode.content_type == SDP and request.content_type != SDP:
        raise BadRequest(f"request body must be {SDP}")
    body = await read_body(request, mode.limit)
    if mode.check:
        mode.check(body)
    return body
