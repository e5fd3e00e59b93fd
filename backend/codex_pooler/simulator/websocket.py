"""Model turns over a websocket: sequential `response.create` frames, and ids that hold on their own socket only."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import WSMessage, WSMsgType, web

from codex_pooler.simulator.answers import Refusal, bad_request
from codex_pooler.simulator.door import note_body, reset, strike_early
from codex_pooler.simulator.events import Event, compose, rate_limits, spoil
from codex_pooler.simulator.faults import TURN, UPGRADE, WEBSOCKET, Fault
from codex_pooler.simulator.models import bundled
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.responses import open_turn, pacing_seconds, settle, weigh
from codex_pooler.simulator.usage import limit_headers
from codex_pooler.simulator.world import Account, World

_REMEMBERED_TURNS = 64
_GONE = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
_OLD_SOCKET = (
    "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue."
)


class Hangup(Exception):
    """The socket is over: the client left, or a fault ended it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A conversation this socket can continue: its items, and the tokens they come to."""

    items: list[Mapping[str, Any]]
    tokens: int


@dataclass(slots=True)
class Session:
    """One open socket. A reader task feeds `inbox`, so that pings are answered and leaving is seen during a turn."""

    world: World
    account: Account
    request: web.Request
    socket: web.WebSocketResponse
    number: int
    inbox: asyncio.Queue[WSMessage] = field(default_factory=asyncio.Queue)
    turns: dict[str, Memory] = field(default_factory=dict)

    async def read(self) -> None:
        """Move frames into the inbox until the client has left."""
        while True:
            message = await self.socket.receive()
            self.inbox.put_nowait(message)
            if message.type in _GONE:
                return

    async def send(self, event: Event) -> None:
        """Send one event as a text frame."""
        if self.socket.closed:
            raise Hangup
        await self.socket.send_str(event.json.decode())

    async def refuse(self, refusal: Refusal, arrival: Arrival | None = None) -> None:
        """Send an error frame."""
        if arrival is not None:
            arrival.status = refusal.status
        await self.send(Event("error", orjson.dumps(refusal.as_frame())))

    async def serve(self) -> None:
        """Serve frames one after another until the client leaves or the socket is too old."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.world.settings.websocket_lifetime_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await self.inbox.get()
            except TimeoutError:
                await self.refuse(bad_request(_OLD_SOCKET, "websocket_connection_limit_reached"))
                await self.socket.close()
                return
            if message.type in _GONE:
                return
            await self.frame(message)

    async def frame(self, message: WSMessage) -> None:
        """Serve one frame: a turn, a note that needs no answer, or something the backend does not know."""
        raw = message.data if isinstance(message.data, bytes) else str(message.data).encode()
        arrival = self.world.record.arrive("WS", self.request.path, WEBSOCKET, self.request.headers)
        arrival.account, arrival.socket = self.account.name, self.number
        note_body(self.world, arrival, raw)
        try:
            body = orjson.loads(raw)
        except ValueError:
            body = None
        if message.type is not WSMsgType.TEXT or not isinstance(body, dict):
            await self.refuse(bad_request("Frames must be JSON objects in text."), arrival)
            return
        if self.world.settings.keep_bodies:
            arrival.body = body
        if body.get("type") == "response.create":
            await self.turn(body, len(raw), arrival)
        elif body.get("type") != "response.processed":
            await self.refuse(
                bad_request(f"Unknown event type '{body.get('type')}'.", "invalid_value", "type"), arrival
            )

    async def turn(self, body: dict[str, Any], length: int, arrival: Arrival) -> None:
        """Play one turn, or say why not."""
        model = body.get("model")
        arrival.model = model if isinstance(model, str) else None
        arrival.prewarm = body.get("generate") is False
        fault = self.world.faults.strike(self.account.name, TURN, WEBSOCKET, arrival.prewarm, arrival.model)
        if fault is not None:
            arrival.fault = fault.name
            if await self.struck(fault, arrival):
                return
        previous = body.get("previous_response_id")
        memory = Memory([], 0) if previous is None else self.turns.get(previous)
        if memory is None:
            text = f"Previous response with id '{previous}' not found."
            await self.refuse(bad_request(text, "previous_response_not_found", "previous_response_id"), arrival)
            return
        await self.play(body, memory, length, arrival, fault)

    async def struck(self, fault: Fault, arrival: Arrival) -> bool:
        """Play the faults that need no turn; whether that was all."""
        if fault.kind == "refuse":
            await self.refuse(fault.refusal(self.account.plan, self.world.clock()), arrival)
            return True
        if fault.kind == "reset":
            await reset(self.request)
            raise Hangup
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_ms / 1000)
        return False

    async def play(
        self, body: dict[str, Any], memory: Memory, length: int, arrival: Arrival, fault: Fault | None
    ) -> None:
        """Compose the turn and send its events, with the ending a fault gives it."""
        self.account.roll(self.world.clock())
        given = body.get("input")
        tokens = memory.tokens + weigh(given, len(orjson.dumps(given)) if memory.items else length)
        turn = open_turn(self.world, self.account, body, memory.items, tokens, WEBSOCKET)
        if isinstance(turn, Refusal):
            await self.refuse(turn, arrival)
            return
        arrival.response_id = turn.response_id
        score = compose(turn, self.world)
        cut = fault is not None and fault.kind != "delay"
        if fault is not None and cut:
            score = spoil(score, fault, turn)
        await self.send(rate_limits(self.account, self.world.clock()))
        await self.send_all(score.events)
        if not cut:
            heard = tokens + score.usage.output_tokens - score.usage.reasoning_tokens
            self.remember(turn.response_id, Memory([*memory.items, *body["input"], *score.output], heard))
        if not cut or (fault is not None and fault.kind == "incomplete"):
            settle(self.world, self.account, arrival, score)
        if fault is not None and cut:
            await self.end_badly(fault)

    async def send_all(self, events: list[Event]) -> None:
        """Send events, with this account's pause between them."""
        pause = pacing_seconds(self.world, self.account)
        for number, event in enumerate(events):
            if pause and number:
                await asyncio.sleep(pause)
            await self.send(event)

    def remember(self, response_id: str, memory: Memory) -> None:
        """Keep a finished turn, so that the next one may continue it."""
        self.turns[response_id] = memory
        if len(self.turns) > _REMEMBERED_TURNS:
            del self.turns[next(iter(self.turns))]

    async def end_badly(self, fault: Fault) -> None:
        """Leave the socket as the fault says; after a terminal event it stays open."""
        if fault.kind == "cut_reset":
            await reset(self.request)
            raise Hangup
        if fault.kind == "truncate":
            await self.socket.close(code=fault.close_code)
            raise Hangup
        if fault.kind == "stall":
            await self.until_gone(fault.delay_ms / 1000)
            raise Hangup

    async def until_gone(self, seconds: float) -> None:
        """Stay silent so long, or until the client has left; frames that arrive meanwhile are lost."""
        try:
            async with asyncio.timeout(seconds):
                while (await self.inbox.get()).type not in _GONE:
                    continue
        except TimeoutError:
            return


async def upgrade(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`GET /backend-api/codex/responses`: the upgrade, and then turns until someone hangs up."""
    arrival.transport = UPGRADE
    fault = world.faults.strike(account.name, TURN, UPGRADE)
    if fault is not None:
        arrival.fault = fault.name
        struck = await strike_early(world, account, request, fault)
        if struck is not None:
            return struck
    headers = limit_headers(account, world.clock()) | {
        "x-request-id": world.digest(f"upgrade:{arrival.number}")[:32],
        "x-reasoning-included": "true",
        "x-models-etag": bundled().etag(account),
        "x-codex-turn-state": f"ts-{world.digest(f'upgrade:{arrival.number}')[:24]}",
    }
    socket = web.WebSocketResponse(max_msg_size=world.settings.websocket_max_bytes)
    socket.headers.update(headers)
    if not socket.can_prepare(request):
        return web.json_response({"detail": "Websocket upgrade required"}, status=426)
    await socket.prepare(request)
    arrival.status = 101
    session = Session(world, account, request, socket, arrival.number)
    reader = asyncio.create_task(session.read(), name=f"simulated socket {arrival.number}")
    try:
        await session.serve()
    except (Hangup, ConnectionError):
        return socket
    finally:
        reader.cancel()
    return socket
