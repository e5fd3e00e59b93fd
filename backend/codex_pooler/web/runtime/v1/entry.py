"""The way in for every route under ``/v1``: who calls, whether their pool has this surface, and what their turn is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.protocol.dialects import OPENAI, Dialect
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest, read_fields
from codex_pooler.protocol.translation import Shape, Translated, Translation
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import Caller, caller_of, serve, session_name
from codex_pooler.web.runtime.sinks import ShapedSink, TranslatedSink

Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
DISABLED = "the routes under /v1 are switched off for this pool; an operator can allow them in the console under Pools"
STRICT = "{} cannot be carried out here, and this pool refuses what it would have to ignore; leave it out"
CACHE_KEY_LENGTH = 32  # characters of a digest


async def entered(request: web.Request, handler: Handler, dialect: Dialect = OPENAI) -> web.StreamResponse:
    """Run a handler for a caller who may be here; what it refuses is said in the dialect."""

    async def enter(request: web.Request) -> web.StreamResponse:
        caller = caller_of(request)
        if not caller.key.pool.switches.v1_compatibility:
            raise PolicyRefused(403, "v1_compatibility_disabled", DISABLED)
        return await handler(request, caller)

    return await answered(request, enter, dialect)


def check_ignored(caller: Caller, ignored: Sequence[str]) -> None:
    """Raises BadRequest where the pool is strict about what would be ignored."""
    if ignored and caller.key.pool.switches.v1_strict:
        raise BadRequest(STRICT.format(ignored[0]), ignored[0], UNSUPPORTED)


def turn_of(caller: Caller, asked: Translated, route: str, *, stream: bool, **more: Any) -> TurnRequest:
    """The turn for a translated request; the backend always streams and never stores.  Raises BadRequest as
    ``check_ignored`` does."""
    check_ignored(caller, asked.ignored)
    members = {**asked.members, "stream": True, "store": False}
    name = members.get("model")
    model = caller.key.pool.model_named(name) if isinstance(name, str) else None
    if model is not None:
        members["model"] = model
    if not members.get("prompt_cache_key"):
        members["prompt_cache_key"] = _cache_key(caller, asked.opening)
    body = msgspec.json.encode({name: value for name, value in members.items() if value is not None})
    given: dict[str, Any] = {
        "route": route,
        "transport": "http_sse" if stream else "http_json",
        "route_class": "proxy_stream" if stream else "proxy_http",
        "asked_model": name if model is not None else None,
    }
    return caller.turn(body, read_fields(body), **{**given, **more})


def _cache_key(caller: Caller, opening: bytes) -> str | None:
    """What keeps the turns of one conversation together, here and in the backend's cache, when the client does not."""
    name = session_name(caller.headers).encode("utf-8", "replace") or opening
    if not name:
        return None
    digest: bytes = caller.keyring.digest("prompt_cache", f"{caller.key.id}:{name.hex()}")
    return digest.hex()[:CACHE_KEY_LENGTH]


async def streamed(
    request: web.Request, caller: Caller, turn: TurnRequest, asked: Translated, dialect: Dialect, said: Translation
) -> web.StreamResponse:
    """Serve the turn as a stream in the client's protocol.  Raises Overloaded."""
    sink = TranslatedSink(request, turn.id, dialect, said, ignored=asked.ignored)
    outcome = await serve(turn, sink, caller.house)
    return sink.answer(outcome.failure)


async def collected(
    request: web.Request, caller: Caller, turn: TurnRequest, asked: Translated, dialect: Dialect, shape: Shape
) -> web.StreamResponse:
    """Serve the turn as one object of the client's protocol.  Raises Overloaded."""
    sink = ShapedSink(request, turn.id, dialect, shape, ignored=asked.ignored)
    outcome = await serve(turn, sink, caller.house)
    return sink.answer(outcome.failure)
