"""Responses over a websocket: every ``response.create`` message is a turn of its own, several may run at once."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from codex_pooler.gateway import answers
from codex_pooler.gateway.admission import Overloaded
from codex_pooler.gateway.house import moment
from codex_pooler.gateway.legs import LONGEST_FRAME, Legs, SocketWay
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.lookup import KeyRefused
from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.protocol import websocket as ws
from codex_pooler.protocol.compaction import is_compaction
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.requests import BadRequest, FrameFields, read_fields, read_frame, without
from codex_pooler.protocol.websocket import Message
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.telemetry.metrics import INGRESS_REFUSED
from codex_pooler.upstream.masking import client_frame
from codex_pooler.upstream.websocket import UpstreamSocket
from codex_pooler.web.errors import answered, failure_of, refusal
from codex_pooler.web.ingress import REVOKED, still_allowed
from codex_pooler.web.runtime.caller import Caller, caller_of, same_caller, serve, session_name
from codex_pooler.web.runtime.client_socket import ClientSocket, is_upgrade, upgrade_head
from codex_pooler.web.runtime.codex import ROUTE
from codex_pooler.web.runtime.frame_sink import FrameSink, as_frame
from codex_pooler.web.runtime.stream import Written
from codex_pooler.web.server import QuietHandler

log = logging.getLogger(__name__)

MOST_TURNS = 16  # running at once on one socket
REMEMBERED_IDS = 1024
TURN_STATE = "x-codex-turn-state"
STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z")
NOT_ALLOWED = "client IP is no longer allowed"
NOT_ACTIVE = "api key is no longer active"
DRAINING = "this gateway is restarting; connect again"


@dataclass(frozen=True, slots=True)
class Surface:
    """What differs between the routes that take websockets.

    ``turn`` makes a turn out of a caller and a message, with members of TurnRequest that the socket decides; it raises
    BadRequest.  ``sink`` is where its events go.  ``serves``: whether the key's pool has this surface.
    """

    turn: Callable[..., TurnRequest]
    sink: Callable[[ClientSocket, str | None], FrameSink]
    serves: Callable[[Key], bool]
    shows_codex: bool = True  # and what the backend tells Codex alone


def _native_turn(caller: Caller, body: bytes, **more: Any) -> TurnRequest:
    return caller.turn(body, read_fields(body), route=ROUTE, **more)


NATIVE_SURFACE = Surface(_native_turn, FrameSink, lambda key: True)


async def respond_over_websocket(request: web.Request) -> web.StreamResponse:
    """``GET`` with an upgrade on a responses path."""
    return await answered(request, _respond_over_websocket)


async def _respond_over_websocket(request: web.Request) -> web.StreamResponse:
    return upgraded(request, caller_of(request), NATIVE_SURFACE)


def upgraded(request: web.Request, caller: Caller, surface: Surface) -> web.StreamResponse:
    """The end of the request's life with HTTP, or why it goes on."""
    if not caller.key.pool.switches.websockets:
        message = "websockets are switched off for this pool; Codex goes on over HTTP by itself"
        return refusal(426, "websocket_not_available", message)
    if not is_upgrade(request):
        return refusal(400, "websocket_upgrade_required", "this route takes POST, or GET with a websocket upgrade")
    if not _same_origin(request):
        return refusal(403, "origin_not_allowed", "pages of other sites may not open sockets here; use our own")
    begin_session(caller, request, surface)
    return Written(keep_alive=False)


def begin_session(caller: Caller, request: web.Request, surface: Surface = NATIVE_SURFACE) -> None:
    """Take the connection away from HTTP.  Nothing of the request is kept: thousands of sockets may sit idle."""
    handler = request.protocol
    assert isinstance(handler, QuietHandler)
    transport, early = handler.hand_over()
    Session(caller, transport, surface).begin(request, early)


def _same_origin(request: web.Request) -> bool:
    """Only browsers send an origin; theirs must be ours."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


class Session:
    """One client socket with its turns and its sockets to the backend."""

    __slots__ = (
        "__weakref__",
        "_active_at",
        "_caller",
        "_epoch",
        "_free",
        "_house",
        "_legs",
        "_name",
        "_seen",
        "_snapshot",
        "_socket",
        "_stopping",
        "_surface",
        "_turns",
    )

    def __init__(self, caller: Caller, transport: asyncio.Transport, surface: Surface) -> None:
        self._caller, self._house, self._surface = caller, caller.house, surface
        self._epoch = caller.key.epoch
        self._snapshot = caller.house.snapshot.current
        self._legs = Legs(caller.house.backend, caller.headers)
        self._socket = ClientSocket(transport, self._received, self._gone)
        self._turns: set[asyncio.Task[None]] = set()
        self._free: asyncio.Event | None = None  # set when the next turn has ended, for those who wait for that
        self._seen: dict[str, None] = {}
        self._stopping = False
        self._name = session_name(caller.headers)
        self._active_at = time.monotonic()

    def begin(self, request: web.Request, early: bytes) -> None:
        """Answer the upgrade; ``early`` is what the client sent before that."""
        self._legs.adopt(self._house.lingering.take(self._caller.key.id, self._name) if self._name else [])
        state = self._caller.headers.get(TURN_STATE, "")
        state = state if state.isascii() and state.isprintable() and 0 < len(state) <= 1024 else uuid7_text()
        self._house.clients.add(self)
        self._socket.take_over(upgrade_head(request, self._shown(state)), early)

    def _shown(self, state: str) -> list[tuple[str, str]]:
        """What the upgrade tells the client."""
        house, key = self._house, self._caller.key
        quota = house.pool_limits.headers(key.pool, house.known.quotas, self._caller.admitted.wall)
        return [(TURN_STATE, state), ("x-models-etag", house.snapshot.current.listing(key).etag), *quota]

    # -- gateway.house.Client

    def tick(self, now: float) -> None:
        """Called about once a second: a key that was taken away closes its sockets, and so does long idleness."""
        self._socket.tick(now)
        self._legs.tick(now)
        self._follow_configuration()
        idle_seconds = self._house.snapshot.current.settings.gateway.websocket_idle_timeout_ms / 1000
        if not self._turns and now - self._active_at > idle_seconds:
            self._socket.close(1000, "idle for too long")

    def stop(self) -> None:
        """The process is going down: no new turns; the running ones may finish."""
        self._stopping = True
        if not self._turns:
            self._socket.close(ws.GOING_AWAY, DRAINING)

    def end(self) -> None:
        """The time to finish is over."""
        self._socket.close(ws.GOING_AWAY, DRAINING)

    def _follow_configuration(self) -> None:
        """What the key may do, and whether its holder may be here, is decided anew whenever anything changed."""
        if self._snapshot is not self._house.snapshot.current:
            self._snapshot = self._house.snapshot.current
            self._check_key()

    def _check_key(self) -> None:
        if not still_allowed(self._caller.address, self._snapshot.settings.ingress):
            self._house.metrics.count(INGRESS_REFUSED, REVOKED)
            self._socket.close(ws.POLICY, NOT_ALLOWED)
            return
        try:
            self._caller = same_caller(self._caller)
        except (KeyRefused, PolicyRefused):
            self._socket.close(ws.POLICY, NOT_ACTIVE)
            return
        if self._caller.key.epoch != self._epoch or not self._surface.serves(self._caller.key):
            self._socket.close(ws.POLICY, NOT_ACTIVE)

    # -- messages

    def _received(self, message: Message) -> None:
        self._active_at = time.monotonic()
        try:
            frame = read_frame(message.payload)
            if frame.type == "response.create" or (frame.type is None and frame.model is not None):
                self._begin(message, frame)
            elif frame.type == "response.processed":
                self._pass_on(message, frame)
            else:
                raise BadRequest("send messages of type response.create or response.processed", "type")
        except BadRequest as exc:
            self._refuse(failure_of(exc))

    def _begin(self, message: Message, frame: FrameFields) -> None:
        """Start a turn, as far as that can be said at once."""
        self._follow_configuration()
        if self._socket.gone:
            return
        if self._stopping:
            self._refuse(Failure(503, "gateway_restarting", DRAINING), frame.stream_id)
            return
        if frame.stream_id is not None and not STREAM_ID.match(frame.stream_id):
            raise BadRequest("stream_id takes 1 to 256 letters, digits, '_', '.' or '-'", "stream_id")
        if frame.request_id is not None and frame.request_id in self._seen:
            told = "a turn with this request_id was already sent on this socket"
            self._refuse(Failure(409, "duplicate_turn", told, "invalid_request_error"), frame.stream_id)
            return
        if len(self._turns) >= MOST_TURNS:
            told = f"{MOST_TURNS} turns are running on this socket; wait for one to end"
            self._refuse(Failure(429, "too_many_turns", told, "rate_limit_error", retry_after=1), frame.stream_id)
            return
        anchor = None
        if frame.previous_response_id is not None:
            anchor = self._legs.holding(frame.previous_response_id)
            if anchor is None or len(message.payload) > LONGEST_FRAME:  # a full history could go over HTTP
                self._refuse(answers.lost_anchor(self._caller.headers), frame.stream_id)
                return
        if frame.request_id is not None:
            self._remember(frame.request_id)
        self._run(self._turn(message, frame, anchor))

    def _remember(self, request_id: str) -> None:
        self._seen[request_id] = None
        if len(self._seen) > REMEMBERED_IDS:
            del self._seen[next(iter(self._seen))]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="websocket turn")
        self._turns.add(task)
        task.add_done_callback(self._turn_ended)

    async def _turn(self, message: Message, frame: FrameFields, anchor: UpstreamSocket | None) -> None:
        body = message.payload
        if frame.stream_id is not None or frame.request_id is not None:
            body = without(body, "stream_id", "request_id")
        while anchor and anchor.busy and anchor.usable:
            self._free = self._free or asyncio.Event()
            await self._free.wait()
        turn = self._surface.turn(
            self._caller,
            body,
            transport="websocket",
            admitted=moment(),
            route_class="proxy_compact" if is_compaction(body) else "proxy_websocket",
            anchored=anchor.account_id if anchor else None,
        )
        turn = msgspec.structs.replace(turn, way=self._way(message, frame, turn, anchor))
        if turn.binding is None:  # a named session may have moved over HTTP, as older versions of Codex compact
            turn = msgspec.structs.replace(turn, owner=self._legs.account())
        sink = self._surface.sink(self._socket, frame.stream_id)
        try:
            outcome = await serve(turn, sink, self._house)
        except Overloaded as exc:
            sink.fail(exc.failure_on_socket(), None)
            return
        if outcome.failure:
            sink.fail(outcome.failure, None)

    def _way(self, message: Message, frame: FrameFields, turn: TurnRequest, anchor: UpstreamSocket | None) -> SocketWay:
        """The very frame that came goes on, where nothing in it had to change."""
        return SocketWay(
            self._legs,
            turn.body,
            message.wire if turn.body is message.payload else None,
            model=turn.fields.model,
            stream_id=frame.stream_id,
            anchor=anchor,
            shows_codex=self._surface.shows_codex,
        )

    def _turn_ended(self, task: asyncio.Task[None]) -> None:
        self._turns.discard(task)
        if self._free is not None:
            self._free.set()
            self._free = None
        self._active_at = time.monotonic()
        if not task.cancelled() and (exc := task.exception()):
            if isinstance(exc, BadRequest):
                self._refuse(failure_of(exc))
            else:
                log.error("a websocket turn failed: %s", type(exc).__name__, exc_info=exc)
                self._socket.close(ws.INTERNAL, "websocket response task failed")
        if self._stopping and not self._turns:
            self._socket.close(ws.GOING_AWAY, DRAINING)

    def _pass_on(self, message: Message, frame: FrameFields) -> None:
        """A note to the backend that nothing answers; without its socket it has nowhere to go."""
        leg = self._legs.holding(frame.response_id or "")
        if leg is not None:
            leg.note(message.wire or client_frame(message.payload))

    def _refuse(self, failure: Failure, stream_id: str | None = None) -> None:
        self._socket.say(as_frame(failure, stream_id))

    def _gone(self) -> None:
        """The client hung up: running turns are read to their end for the usage; idle sockets wait for its return."""
        self._house.clients.discard(self)
        for task in self._turns:
            task.cancel()
        kept = self._legs.release()
        if self._name and not self._stopping:
            self._house.lingering.park(self._caller.key.id, self._name, kept)
        else:
            for leg in kept:
                leg.close()
