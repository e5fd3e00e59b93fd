"""One websocket to the backend: turns go out one at a time, frames come back to whoever waits for them."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from codex_pooler.protocol import websocket as ws
from codex_pooler.protocol.http1 import Body, HeadParser, ProtocolError, ResponseHead, body_of, request_head
from codex_pooler.protocol.websocket import FrameError, Message, MessageReader
from codex_pooler.upstream.http_turn import RESPONSES_PATH, Credential, forwarded_headers, identity_headers
from codex_pooler.upstream.masking import client_frame
from codex_pooler.upstream.pool import ConnectFailed, ConnectionPool
from codex_pooler.upstream.routes import Route

BETA = "responses_websockets=2026-02-06"
UPGRADE_SECONDS = 15.0
PING_SECONDS = 25.0  # silence after which the backend is asked whether it is there
PONG_SECONDS = 25.0
ROTATE_SECONDS = 55 * 60.0  # the backend ends a socket at 60 minutes
MAX_REFUSAL_BYTES = 256 * 1024


class UpgradeRefused(Exception):
    """The backend answered the upgrade with something else than 101."""

    def __init__(self, head: ResponseHead, body: bytes) -> None:
        super().__init__(head.status)
        self.head, self.body = head, body


class FrameReceiver(Protocol):
    """Who is told what arrives during a turn.  Called from the event loop; must not block."""

    def frames_received(self, messages: Sequence[Message], data: bytes) -> None:
        """Text messages in order; ``data`` is their wire form when nothing else was in it, else empty."""
        ...

    def lost(self, reason: str) -> None:
        """The socket is gone.  ``reason``: ``reset``, ``closed``, ``unresponsive`` or ``protocol_error``."""
        ...


class UpstreamSocket(asyncio.Protocol):
    """Serves one turn at a time; between turns it only answers pings.  Times are monotonic seconds."""

    def __init__(
        self, account: Credential, route: Route, on_lost: Callable[[UpstreamSocket], None] | None = None
    ) -> None:
        self.account_id, self.route = account.id, route
        self.token = account.access_token  # the login the backend knows this socket by
        self.on_lost = on_lost
        self.opened_at = self.last_inbound = time.monotonic()
        self.turns_served = 0
        self.head: ResponseHead | None = None
        self.responses: set[str] = set()  # ids a next turn on this socket may continue
        self._pinged_at = 0.0
        self._retired = False
        self._receiver: FrameReceiver | None = None
        self._reader: MessageReader | None = None
        self._transport: asyncio.Transport | None = None
        self._handshake = _Handshake()

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def busy(self) -> bool:
        return self._receiver is not None

    @property
    def age(self) -> float:
        return time.monotonic() - self.opened_at

    def send(self, wire: bytes, receiver: FrameReceiver) -> None:
        """Send one frame that begins a turn; every text message from now on is its answer."""
        assert self._transport is not None
        assert self._receiver is None
        self._receiver = receiver
        self.turns_served += 1
        self._transport.write(wire)

    def note(self, wire: bytes) -> None:
        """Send a frame that nothing answers."""
        if self.usable and self._transport:
            self._transport.write(wire)

    def turn_over(self, response_id: str | None) -> None:
        """The turn came to its terminal event; the socket may serve another."""
        self._receiver = None
        if response_id:
            self.responses.add(response_id)
        if self._retired:
            self.close()

    def retire(self) -> None:
        """Nobody will use it again: close it, after the turn that it may be serving."""
        self._retired = True
        if not self.busy:
            self.close()

    def pause(self) -> None:
        if self.usable and self._transport:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.usable and self._transport:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the socket and whatever was running on it; the receiver hears nothing more."""
        self._receiver = None
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye: the socket is no longer needed."""
        self._receiver = None
        if self.usable and self._transport:
            self._transport.write(client_frame(ws.close_payload(1000), ws.CLOSE))
            self._transport.close()

    def tick(self, now: float) -> None:
        """Called about once a second: notice a peer that is gone without saying so."""
        quiet = now - self.last_inbound
        if quiet < PING_SECONDS:
            self._pinged_at = 0.0
        elif not self._pinged_at:
            self._pinged_at = now
            self.note(client_frame(b"", ws.PING))
        elif now - self._pinged_at > PONG_SECONDS:
            self._fail("unresponsive")

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if (sock := transport.get_extra_info("socket")) is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.last_inbound = time.monotonic()
        try:
            if self._reader is None:
                data = self._shake_hands(data)
            if data and self._reader is not None:
                self._read(data)
        except FrameError as exc:
            self.note(client_frame(ws.close_payload(exc.code), ws.CLOSE))
            self._fail("protocol_error")
        except ProtocolError:
            self._fail("protocol_error")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._handshake.lost()
        receiver, self._receiver = self._receiver, None
        if self.on_lost:
            self.on_lost(self)
        if receiver:
            receiver.lost("reset" if exc else "closed")

    def _read(self, data: bytes) -> None:
        assert self._reader is not None
        whole_before = not self._reader.in_message
        messages = self._reader.feed(data)
        if not messages:
            return
        texts = [m for m in messages if m.opcode == ws.TEXT]
        if len(texts) < len(messages):
            self._control(messages)
        if texts and self._receiver is not None:
            plain = whole_before and len(texts) == len(messages) and not self._reader.in_message
            self._receiver.frames_received(texts, data if plain else b"")

    def _control(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.opcode == ws.PING:
                self.note(client_frame(message.payload, ws.PONG))
            elif message.opcode == ws.CLOSE and self._transport:
                self.note(client_frame(message.payload[:2], ws.CLOSE))
                self._transport.close()
            elif message.opcode == ws.BINARY:
                raise FrameError(ws.UNSUPPORTED, "the backend sent a binary frame")

    def _fail(self, reason: str) -> None:
        receiver, self._receiver = self._receiver, None
        if self._transport:
            self._transport.abort()
        if receiver:
            receiver.lost(reason)

    # -- the upgrade

    async def upgrade(self, request: bytes, key: str) -> None:
        """Send the upgrade request and wait for the answer.  Raises UpgradeRefused, ConnectFailed."""
        assert self._transport is not None
        self._transport.write(request)
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                head, body = await self._handshake.answered
        except TimeoutError:
            self.abort()
            raise ConnectFailed("upgrade_timeout") from None
        except ConnectionError:
            raise ConnectFailed("upgrade") from None
        except asyncio.CancelledError:
            self.abort()
            raise
        if head.status != 101:
            self.abort()
            raise UpgradeRefused(head, body)
        if head.get("sec-websocket-accept") != ws.accept_key(key):
            self.abort()
            raise ConnectFailed("upgrade")
        self.head = head

    def _shake_hands(self, data: bytes) -> bytes:
        """Returns what came after the head of a 101."""
        rest = self._handshake.feed(data)
        if rest is None:
            return b""
        self._reader = MessageReader(masked=False)
        return rest


class _Handshake:
    """The answer to an upgrade request, which is a head alone or a refusal with a body."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[tuple[ResponseHead, bytes]] = asyncio.get_running_loop().create_future()
        self._parser = HeadParser()
        self._head: ResponseHead | None = None
        self._framing: Body | None = None
        self._body = b""

    def feed(self, data: bytes) -> bytes | None:
        """The bytes after a 101's head; None while there is none."""
        if self._head is None:
            self._head = self._parser.feed(data)
            if self._head is None:
                return None
            data = self._parser.rest
            if self._head.status == 101:
                self._done()
                return data
            self._framing = body_of(self._head)
        assert self._framing is not None
        if data:
            self._body += b"".join(self._framing.feed(data))
        if self._framing.complete or len(self._body) > MAX_REFUSAL_BYTES:
            self._done()
        return None

    def lost(self) -> None:
        if self._head is not None:
            self._done()
        elif not self.answered.done():
            self.answered.set_exception(ConnectionError("the backend hung up during the upgrade"))
            self.answered.exception()  # nobody may be waiting any more

    def _done(self) -> None:
        if self._head is not None and not self.answered.done():
            self.answered.set_result((self._head, self._body))


async def open_socket(
    pool: ConnectionPool, account: Credential, client_headers: Mapping[str, str], model: str
) -> UpstreamSocket:
    """Connect and upgrade as this account.  Raises ConnectFailed, UpgradeRefused, ProtocolError."""
    route, key = pool.route_of(account), base64.b64encode(os.urandom(16)).decode()
    headers = [
        ("host", route.authority),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", key),
        ("openai-beta", BETA),
        *identity_headers(account, pool.client_version),
        *forwarded_headers(client_headers, model),
    ]
    request = request_head("GET", route.path_prefix + RESPONSES_PATH, headers, None)
    made = await pool.dial(lambda: UpstreamSocket(account, route), route)
    await made.upgrade(request, key)
    return made
