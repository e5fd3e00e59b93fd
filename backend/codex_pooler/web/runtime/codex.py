"""The native Codex surface: ``POST /backend-api/codex/responses``."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from codex_pooler.gateway.conductor import run_turn
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.lookup import authenticate
from codex_pooler.keys.policy import check_model
from codex_pooler.protocol.compaction import is_compaction
from codex_pooler.protocol.requests import BadRequest, RoutedFields, read_fields, rewritten
from codex_pooler.routing.candidates import Moment
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.bodies import read_body
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.sinks import JsonSink, SseSink

HOUSE = web.AppKey("house", House)
KEYRING = web.AppKey("keyring", Keyring)

ROUTE = "/backend-api/codex/responses"
PATHS = (ROUTE, "/backend-api/codex/v1/responses")

# A session's turns prefer one account.  The first of these that is present names the session.
CONTINUITY_HEADERS = (
    "x-codex-window-id",
    "x-codex-session-id",
    "session-id",
    "x-session-id",
    "x-session-affinity",
    "session_id",
    "x-codex-conversation-id",
    "thread-id",
)
WINDOW_HEADER = CONTINUITY_HEADERS[0]  # <thread>:<number of compactions>


async def create_response(request: web.Request) -> web.StreamResponse:
    """One model turn, streamed or as one JSON object."""
    return await answered(request, _create_response)


async def _create_response(request: web.Request) -> web.StreamResponse:
    house = request.app[HOUSE]
    key = authenticate(request.headers.get("Authorization"), house.snapshot.current, request.app[KEYRING])
    admitted = moment()
    body = await read_body(request)
    turn = turn_of(request, key, body, admitted, compaction=is_compaction(body))
    sink = SseSink(request, turn.id) if turn.fields.stream else JsonSink(request, turn.id)
    outcome = await run_turn(turn, sink, house)
    return sink.answer(outcome.failure)


def turn_of(
    request: web.Request,
    key: Key,
    body: bytes,
    admitted: Moment,
    *,
    route: str = ROUTE,
    compaction: bool = False,
    conversation: str = "",
) -> TurnRequest:
    """The turn that this body asks for.  Raises BadRequest, PolicyRefused.

    ``conversation`` names it to routing when neither headers nor a cache key do.
    """
    fields = read_fields(body)
    check_model(key, fields.model)
    turn_id = uuid7_text()
    headers = {name.lower(): value for name, value in request.headers.items()}
    return TurnRequest(
        id=turn_id,
        key=key,
        body=body if fields.stream else _as_stream(body),
        fields=fields,
        client_headers=headers,
        seed=session_seed(key, headers, fields, conversation or turn_id),
        route=route,
        transport="http_sse" if fields.stream else "http_json",
        client=client_name(headers.get("user-agent")),
        admitted=admitted,
        route_class="proxy_compact" if compaction else "proxy_stream" if fields.stream else "proxy_http",
    )


def session_seed(key: Key, headers: Mapping[str, str], fields: RoutedFields, turn_id: str) -> str:
    """What names the turn's session, mixed with its key; a turn without a session stands for itself."""
    return f"{key.id}:{session_name(headers) or fields.prompt_cache_key or turn_id}"


def session_name(headers: Mapping[str, str]) -> str:
    """What the client's headers call its session; empty when they do not."""
    for name in CONTINUITY_HEADERS:
        if value := headers.get(name):
            return value.rpartition(":")[0] or value if name == WINDOW_HEADER else value
    return ""


def client_name(user_agent: str | None) -> str | None:
    """``codex_exec/0.169.0`` out of a user agent; what stands in brackets says too much about the machine."""
    return user_agent.split(" ", 1)[0][:64] if user_agent else None


def _as_stream(body: bytes) -> bytes:
    """The backend only streams: ask it to, and collect the answer here."""
    try:
        return rewritten(body, stream=True)
    except (ValueError, TypeError):
        raise BadRequest("the body must be a JSON object") from None
