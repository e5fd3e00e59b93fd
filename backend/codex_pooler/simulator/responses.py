"""Model turns over HTTP: a strict reading of the request, then server-sent events; and the old compact route."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from codex_pooler.simulator.answers import Refusal, detail
from codex_pooler.simulator.door import read_json, reset, strike_early
from codex_pooler.simulator.events import Event, Score, Turn, as_wire, compose, rate_limits, spoil, tokens_of
from codex_pooler.simulator.faults import HTTP, TURN, Fault
from codex_pooler.simulator.models import bundled
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.refusals import Asked, refusal, shape_refusal
from codex_pooler.simulator.script import speak
from codex_pooler.simulator.usage import limit_headers
from codex_pooler.simulator.world import Account, World

_IMAGE_TOKENS = 1_500


def weigh(given: Any, length: int) -> int:
    """Tokens of so many bytes that carry the input `given`: an image counts the same, however many of them are its."""
    parts = [
        part
        for item in (given if isinstance(given, list) else ())
        for name in ("content", "output")
        for part in (isinstance(item, dict) and isinstance(item.get(name), list) and item[name]) or ()
    ]
    images = [url for part in parts if isinstance(part, dict) and isinstance(url := part.get("image_url"), str)]
    return tokens_of(length - sum(map(len, images))) + _IMAGE_TOKENS * len(images)


def open_turn(
    world: World,
    account: Account,
    body: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
    input_tokens: int,
    transport: str,
) -> Turn | Refusal:
    """The turn a request asks for, or why the backend would not run it. `earlier` is what the socket remembers."""
    wrong = shape_refusal(body, transport)
    if wrong is not None:
        return wrong
    fresh = body["input"]
    items = [*earlier, *fresh]
    asked = Asked(world, account, bundled(), body, items, fresh, input_tokens, transport)
    wrong = refusal(asked)
    if wrong is not None:
        return wrong
    speech = None if body.get("generate") is False else speak(body, items)
    key = body.get("prompt_cache_key") or ""
    cached = world.cached_tokens(account, key, input_tokens) if key and speech is not None else 0
    return Turn(world.identifier("resp"), account, body, speech, input_tokens, cached)


async def create(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/codex/responses`: one turn as server-sent events, or the refusal or fault it meets."""
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    body, length = read
    fault = world.faults.strike(account.name, TURN, HTTP, model=arrival.model)
    if fault is not None:
        arrival.fault = fault.name
        struck = await strike_early(world, account, request, fault)
        if struck is not None:
            arrival.status = 0 if fault.kind == "reset" else struck.status
            return struck
    turn = open_turn(world, account, body, (), weigh(body.get("input"), length), HTTP)
    if isinstance(turn, Refusal):
        return turn.as_response()
    arrival.response_id = turn.response_id
    return await _stream(world, request, arrival, turn, fault)


async def compact(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/codex/responses/compact`: gone from the current backend unless switched on."""
    if not world.settings.compact_route:
        return detail(world.settings.compact_status, "Not Found").as_response()
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    body, length = read
    given = body.get("input")
    if not isinstance(given, list):
        return detail(400, "Input must be a list").as_response()
    whole = dict(body) | {"stream": True, "store": False, "input": [*given, {"type": "compaction_trigger"}]}
    turn = open_turn(world, account, whole, (), weigh(given, length), HTTP)
    if isinstance(turn, Refusal):
        return turn.as_response()
    score = compose(turn, world)
    kept = [item for item in given if item.get("role") == "user"]
    answer = {
        "id": turn.response_id,
        "object": "response.compaction",
        "created_at": int(world.clock()),
        "output": [*kept, *score.output],
        "usage": as_wire(score.usage),
    }
    settle(world, account, arrival, score)
    arrival.response_id = turn.response_id
    return web.json_response(answer, headers=_headers(world, turn, request))


def settle(world: World, account: Account, arrival: Arrival, score: Score) -> None:
    """Charge a turn whose last event went out."""
    world.spend(account, score.usage)
    world.record.finish(arrival, score.usage)


def pacing_seconds(world: World, account: Account) -> float:
    """Pause between two events for this account."""
    own = account.pacing_ms
    return (world.settings.pacing_ms if own is None else own) / 1000


def _headers(world: World, turn: Turn, request: web.Request) -> dict[str, str]:
    account = turn.account
    state = request.headers.get("x-codex-turn-state") or f"ts-{world.digest(turn.response_id)[:24]}"
    return {
        "x-request-id": world.digest(f"request:{turn.response_id}")[:32],
        "openai-model": str(turn.body.get("model")),
        "openai-processing-ms": "12",
        "x-reasoning-included": "true",
        "x-models-etag": bundled().etag(account),
        "x-codex-turn-state": state,
        "cf-ray": f"{world.digest(turn.response_id)[:16]}-SIM",
    } | limit_headers(account, world.clock())


async def _stream(
    world: World, request: web.Request, arrival: Arrival, turn: Turn, fault: Fault | None
) -> web.StreamResponse:
    whole = compose(turn, world)
    cut = fault is not None and fault.kind != "delay"
    score = spoil(whole, fault, turn) if fault is not None and cut else whole
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    response = web.StreamResponse(headers=headers | _headers(world, turn, request))
    try:
        await response.prepare(request)
        if fault is not None and fault.kind == "delay" and fault.after_headers:
            await asyncio.sleep(fault.delay_ms / 1000)
        first = (
            [rate_limits(turn.account, world.clock())] if world.settings.sse_rate_limit_event and score.events else []
        )
        await _write(world, turn.account, response, [*first, *score.events])
        if not cut or (fault is not None and fault.kind == "incomplete"):
            settle(world, turn.account, arrival, score)
        if cut and fault is not None:
            await _end_badly(fault, request)
        await response.write_eof()
    except ConnectionError:
        return response
    return response


async def _end_badly(fault: Fault, request: web.Request) -> None:
    """Leave the stream as the fault says; a clean end without a terminal event needs nothing more."""
    if fault.kind == "cut_reset":
        await reset(request)
    if fault.kind == "stall":
        await _until_gone(request, fault.delay_ms / 1000)


async def _until_gone(request: web.Request, seconds: float) -> None:
    """Wait so long, or until the client has left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.05)


async def _write(world: World, account: Account, response: web.StreamResponse, events: list[Event]) -> None:
    """Send the events: one by one when paced, in odd pieces when asked, else all at once."""
    pause = pacing_seconds(world, account)
    if not pause:
        for piece in _split(b"".join(event.sse for event in events), world.settings.chunk_bytes):
            await response.write(piece)
        return
    for number, event in enumerate(events):
        if number:
            await asyncio.sleep(pause)
        await response.write(event.sse)


def _split(raw: bytes, size: int) -> Iterator[bytes]:
    if not raw:
        return
    step = size or len(raw)
    yield from (raw[start : start + step] for start in range(0, len(raw), step))
