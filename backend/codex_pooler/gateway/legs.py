"""The sockets to the backend behind one client's socket, the way turns take over them, and how long they outlive it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.frames import FrameRelay
from codex_pooler.gateway.http_way import HttpWay
from codex_pooler.gateway.turn import Sink
from codex_pooler.protocol.requests import as_http_body
from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.masking import client_frame
from codex_pooler.upstream.pool import ConnectFailed, ConnectionPool
from codex_pooler.upstream.websocket import ROTATE_SECONDS, UpgradeRefused, UpstreamSocket, open_socket

LONGEST_FRAME = 15 * 1024 * 1024  # the backend closes a socket on messages over 16 MiB
# refusals of an upgrade that may mean "not like this" rather than "not you": over HTTP the turn itself is answered
NO_WEBSOCKETS = frozenset({400, 403, 404, 405, 426, 501})
LINGER_SECONDS = 60.0
MOST_LINGERING = 512


class Legs:
    """One client socket's own sockets to the backend, opened on demand; never shared with another client."""

    __slots__ = ("_backend", "_headers", "sockets")

    def __init__(self, backend: ConnectionPool, client_headers: Mapping[str, str]) -> None:
        self._backend, self._headers = backend, client_headers
        self.sockets: list[UpstreamSocket] = []

    @property
    def backend(self) -> ConnectionPool:
        return self._backend

    @property
    def client_headers(self) -> Mapping[str, str]:
        return self._headers

    def holding(self, response_id: str) -> UpstreamSocket | None:
        """The socket on which this response can be continued: the one that produced it, and no other."""
        return next((s for s in self.sockets if response_id in s.responses and s.usable), None)

    def account(self) -> UUID | None:
        """The account that served last: the natural owner of what comes next."""
        return next((s.account_id for s in reversed(self.sockets) if s.usable), None)

    def idle(self, account: Account) -> UpstreamSocket | None:
        """A socket that could serve the account's next turn.  Raises ConnectFailed."""
        route = self._backend.route_of(account)
        for leg in [leg for leg in self.sockets if leg.account_id == account.id and leg.usable and not leg.busy]:
            if leg.route != route:  # the account leaves by another door by now
                leg.close()
                self._forget(leg)
            elif leg.age < ROTATE_SECONDS:
                return leg
        return None

    async def open(self, account: Account, model: str) -> UpstreamSocket:
        """Raises ConnectFailed, UpgradeRefused, ProtocolError."""
        leg = await open_socket(self._backend, account, self._headers, model)
        self.adopt([leg])
        return leg

    def adopt(self, legs: list[UpstreamSocket]) -> None:
        """Take over sockets, new ones or those of a client that came back."""
        for leg in legs:
            leg.on_lost = self._forget
            if leg.usable:
                self.sockets.append(leg)

    def tick(self, now: float) -> None:
        for leg in list(self.sockets):
            leg.tick(now)
            if not leg.busy and leg.age >= ROTATE_SECONDS:
                leg.close()
                self._forget(leg)

    def release(self) -> list[UpstreamSocket]:
        """The client is gone: the sockets that could serve it again; those in the middle of a turn end after it."""
        kept = [leg for leg in self.sockets if leg.usable and not leg.busy]
        for leg in self.sockets:
            if leg.busy:
                leg.retire()
        self.sockets = []
        return kept

    def _forget(self, leg: UpstreamSocket) -> None:
        if leg in self.sockets:
            self.sockets.remove(leg)


class SocketWay:
    """One websocket turn's way; see ``gateway.turn.Way``.  ``anchor`` is the socket whose response it continues."""

    def __init__(
        self,
        legs: Legs,
        body: bytes,
        wire: bytes | None,
        *,
        model: str,
        stream_id: str | None,
        anchor: UpstreamSocket | None,
        shows_codex: bool = True,
    ) -> None:
        self._legs, self._body, self._wire = legs, body, wire
        self._model, self._stream_id, self._anchor = model, stream_id, anchor
        self._shows_codex = shows_codex
        self._http: HttpWay | None = None

    async def send(self, account: Account, body: bytes, sink: Sink, *, warm: bool) -> Attempt:
        if self._anchor is None and (self._http or len(body) > LONGEST_FRAME):
            return await self._over_http(account, body, sink, warm)
        try:
            leg = await self._leg(account, warm)
        except UpgradeRefused as exc:
            if exc.head.status not in NO_WEBSOCKETS:
                raise
            return await self._over_http(account, body, sink, warm)
        relay = FrameRelay(sink, asyncio.get_running_loop(), self._stream_id, shows_codex=self._shows_codex)
        relay.socket = leg
        leg.send(self._wire if self._wire and body is self._body else client_frame(body), relay)
        return relay

    async def _leg(self, account: Account, warm: bool) -> UpstreamSocket:
        if (anchor := self._anchor) is not None:
            same = anchor.account_id == account.id and anchor.route == self._legs.backend.route_of(account)
            if not same or not anchor.usable or anchor.busy:
                raise ConnectFailed("anchor")
            return anchor
        return (self._legs.idle(account) if warm else None) or await self._legs.open(account, self._model)

    async def _over_http(self, account: Account, body: bytes, sink: Sink, warm: bool) -> Attempt:
        legs = self._legs
        self._http = self._http or HttpWay(legs.backend, legs.client_headers, self._model)
        return await self._http.send(account, as_http_body(body), sink, warm=warm)


@dataclass(slots=True)
class _Parked:
    legs: list[UpstreamSocket]
    until: float


@dataclass(slots=True)
class Lingering:
    """Sockets whose client's connection broke, kept for its return.  Only the same key and session gets them back."""

    _parked: dict[tuple[UUID, str], _Parked] = field(default_factory=dict)

    def park(self, key_id: UUID, session: str, legs: list[UpstreamSocket]) -> None:
        old = self._parked.pop((key_id, session), None)
        for leg in old.legs if old else ():
            leg.close()
        if not legs:
            return
        if len(self._parked) >= MOST_LINGERING:
            self._close(next(iter(self._parked)))
        self._parked[key_id, session] = _Parked(legs, time.monotonic() + LINGER_SECONDS)

    def take(self, key_id: UUID, session: str) -> list[UpstreamSocket]:
        parked = self._parked.pop((key_id, session), None)
        return [leg for leg in parked.legs if leg.usable] if parked else []

    def tick(self, now: float) -> None:
        for name, parked in list(self._parked.items()):
            for leg in parked.legs:
                leg.tick(now)
            if now > parked.until or not any(leg.usable for leg in parked.legs):
                self._close(name)

    def close(self) -> None:
        for name in list(self._parked):
            self._close(name)

    def __len__(self) -> int:
        return len(self._parked)

    def _close(self, name: tuple[UUID, str]) -> None:
        for leg in self._parked.pop(name).legs:
            leg.close()
