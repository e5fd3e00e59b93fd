"""One HTTP/1.1 connection to the backend: bytes go from the socket to the turn without a task in between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from codex_pooler.protocol.http1 import Body, CloseBody, HeadParser, ProtocolError, ResponseHead, body_of
from codex_pooler.upstream.routes import Route

ALWAYS_COPY_BELOW = 64 * 1024  # small bodies go out in one write with their head


class Receiver(Protocol):
    """Who is told what the backend answers.  Called from the event loop; must not block."""

    def head_received(self, head: ResponseHead, body: Body) -> None: ...

    def body_received(self, raw: bytes, pieces: Sequence[bytes]) -> None:
        """``raw`` as it came, framing included; ``pieces`` the payload in it."""
        ...

    def ended(self) -> None:
        """The response is complete."""
        ...

    def lost(self, reason: str) -> None:
        """The connection failed first.  ``reason``: ``reset``, ``closed`` or ``protocol_error``."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """Sends one request at a time.  ``on_idle`` gets the connection back after a clean end; ``route`` led here."""

    __slots__ = ("_body", "_parser", "_receiver", "_transport", "idle_since", "on_idle", "route", "turns_served")

    def __init__(self, on_idle: Callable[[UpstreamConnection], None], route: Route) -> None:
        self.on_idle, self.route = on_idle, route
        self.idle_since = 0.0
        self.turns_served = 0
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._parser: HeadParser | None = None
        self._body: Body | None = None

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, head: bytes, body: bytes, receiver: Receiver) -> None:
        """Write a request; everything about its answer goes to ``receiver``."""
        assert self._transport is not None
        self._receiver, self._parser, self._body = receiver, HeadParser(), None
        self.turns_served += 1
        if len(body) < ALWAYS_COPY_BELOW:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def pause(self) -> None:
        """Stop reading: the client is slower than the backend."""
        if self.usable and self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.usable and self._transport:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection and whatever was running on it; the receiver hears nothing more."""
        self._receiver = None
        if self._transport:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        if (sock := transport.get_extra_info("socket")) is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        receiver, body = self._receiver, self._body
        if receiver is None:  # bytes that nobody asked for
            self.abort()
            return
        try:
            if body is None:
                self._head_bytes(data, receiver)
            else:
                self._body_bytes(data, body, receiver)
        except ProtocolError:
            self.abort()
            receiver.lost("protocol_error")

    def connection_lost(self, exc: Exception | None) -> None:
        receiver, self._receiver, self._transport = self._receiver, None, None
        if receiver is None:
            return
        if isinstance(self._body, CloseBody) and exc is None:
            receiver.ended()
        else:
            receiver.lost("reset" if exc else "closed")

    def _head_bytes(self, data: bytes, receiver: Receiver) -> None:
        assert self._parser is not None
        head = self._parser.feed(data)
        if head is None:
            return
        self._body = body = body_of(head)
        if not head.keep_alive or isinstance(body, CloseBody):
            self.turns_served = -1
        rest = self._parser.rest
        receiver.head_received(head, body)
        if self._receiver is receiver and (rest or body.complete):
            self._body_bytes(rest, body, receiver)

    def _body_bytes(self, data: bytes, body: Body, receiver: Receiver) -> None:
        pieces = body.feed(data) if data else ()
        if body.complete and body.excess:
            data = data[: -body.excess]
        if data:
            receiver.body_received(data, pieces)
        if body.complete and self._receiver is receiver:
            self._finish(body.excess, receiver)

    def _finish(self, excess: int, receiver: Receiver) -> None:
        self._receiver = None
        if excess or self.turns_served < 0:
            self.abort()
        else:
            self.on_idle(self)
        receiver.ended()
