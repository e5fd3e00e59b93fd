"""The native Codex surface: ``POST /backend-api/codex/responses``."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.gateway.conductor import run_turn
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.lookup import authenticate
from codex_pooler.keys.policy import check_model
from codex_pooler.protocol.requests import BadRequest, RoutedFields, read_fields, rewritten
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.bodies import read_body
from codex_pooler.web.errors import answered, refusal
from codex_pooler.web.runtime.sinks import JsonSink, SseSink

HOUSE = web.AppKey("house", House)
KEYRING = web.AppKey("keyring", Keyring)

ROUTE = "/backend-api/codex/responses"
PATHS = (ROUTE, "/backend-api/codex/v1/responses")

# A session's turns prefer one account.  The first of these that is present names the session.
CONTINUITY_HEADERS = ("session-id", "session_id", "x-session-id", "x-session-affinity", "thread-id")
WINDOW_HEADER = "x-codex-window-id"  # <thread>:<number of compactions>


async def create_response(request: web.Request) -> web.StreamResponse:
    """One model turn, streamed or as one JSON object."""
    return await answered(request, _create_response)


async def refuse_websocket(request: web.Request) -> web.StreamResponse:
    """``GET`` on the same path: 426 makes Codex go on over HTTP at once and silently."""
    return await answered(request, _refuse_websocket)


async def _refuse_websocket(request: web.Request) -> web.StreamResponse:
    authenticate(request.headers.get("Authorization"), request.app[HOUSE].snapshot.current, request.app[KEYRING])
    message = "this gateway serves responses over HTTP; set supports_websockets = false, or go on without"
    return refusal(426, "websocket_not_available", message)


async def _create_response(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    key = authenticate(request.headers.get("Authorization"), house.snapshot.current, request.app[KEYRING])
    admitted = moment()
    body = await read_body(request)
    fields = read_fields(body)
    check_model(key, fields.model)
    if fields.stream is False or fields.stream is None:
        body = _as_stream(body)
    turn_id = uuid7_text()
    sink = SseSink(request, turn_id) if fields.stream else JsonSink(request, turn_id)
    headers = {name.lower(): value for name, value in request.headers.items()}
    turn = TurnRequest(
        id=turn_id,
        key=key,
        body=body,
        fields=fields,
        client_headers=headers,
        seed=session_seed(key, headers, fields, turn_id),
        route=ROUTE,
        transport="http_sse" if fields.stream else "http_json",
        client=client_name(headers.get("user-agent")),
        admitted=admitted,
    )
    outcome = await run_turn(turn, sink, house)
    return sink.answer(outcome.failure)


def session_seed(key: Key, headers: dict[str, str], fields: RoutedFields, turn_id: str) -> str:
    """What names the turn's session, mixed with its key; a turn without a session stands for itself."""
    named = next((headers[name] for name in CONTINUITY_HEADERS if headers.get(name)), None)
    window = headers.get(WINDOW_HEADER, "").rpartition(":")[0]
    return f"{key.id}:{named or window or fields.prompt_cache_key or turn_id}"


def client_name(user_agent: str | None) -> str | None:
    """``codex_exec/0.169.0`` out of a user agent; what stands in brackets says too much about the machine."""
    return user_agent.split(" ", 1)[0][:64] if user_agent else None


def _as_stream(body: bytes) -> bytes:
    """The backend only streams: ask it to, and collect the answer here."""
    try:
        return rewritten(body, stream=True)
    except (ValueError, TypeError):
        raise BadRequest("the body must be a JSON object") from None
