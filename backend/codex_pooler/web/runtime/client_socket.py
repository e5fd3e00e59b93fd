"""A client's websocket after its upgrade: bytes in, whole messages out, frames back; pings, limits and goodbyes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from codex_pooler.protocol import websocket as ws
from codex_pooler.protocol.websocket import FrameError, Message, MessageReader
from codex_pooler.upstream.masking import mask
from codex_pooler.web.runtime.outbox import HIGH_WATER, Channel

MOST_UNREAD = 4 * HIGH_WATER  # from there on nothing more is said to a client
PING_SECONDS = 25.0
SILENT_SECONDS = 90.0  # three unanswered pings: the client is gone without having said so
CLOSING_SECONDS = 2.0  # how long a client may take to answer our goodbye


class ClientSocket(Channel, asyncio.Protocol):
    """Takes the connection over from aiohttp.

    Thousands of them may sit idle, so that what is only needed in motion is made then.
    ``received`` gets every text message; ``gone`` is called once, when the connection has ended.
    """

    __slots__ = (
        "_closing",
        "_gone",
        "_pinged_at",
        "_reader",
        "_received",
        "_writable",
        "last_inbound",
    )

    def __init__(
        self, transport: asyncio.Transport, received: Callable[[Message], None], gone: Callable[[], None]
    ) -> None:
        super().__init__(transport)
        self._received, self._gone = received, gone
        self._reader = MessageReader(masked=True, mask=mask)
        self._writable: asyncio.Event | None = None  # set when the client lags behind no more
        self.last_inbound = self._pinged_at = time.monotonic()
        self._closing = False

    def take_over(self, head: bytes, early: bytes) -> None:
        """Answer the upgrade with ``head`` and read frames from now on, the ``early`` ones first."""
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._transport.write(head)
        self._transport.set_protocol(self)
        if early:
            self.data_received(early)

    @property
    def gone(self) -> bool:
        return self._closing or self._transport.is_closing()

    async def drained(self) -> None:
        """Wait until the client has taken enough of what is buffered for it."""
        self.flush()
        if self._writable is not None:
            await self._writable.wait()

    def say(self, payload: bytes) -> None:
        """One text message.  A client that keeps asking for what it does not read is cut off."""
        if self.unread > MOST_UNREAD:
            self._transport.abort()
        self.write(ws.frame(payload))

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and hang up when the client has answered or does not answer soon."""
        if self.gone:
            return
        self.flush()
        self._transport.write(ws.frame(ws.close_payload(code, reason), ws.CLOSE))
        self._closing = True
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(CLOSING_SECONDS, self._hang_up)

    def tick(self, now: float) -> None:
        """Called about once a second."""
        if now - self.last_inbound > SILENT_SECONDS:
            self._transport.abort()
        elif now - max(self.last_inbound, self._pinged_at) > PING_SECONDS and not self.gone:
            self._pinged_at = now
            self._transport.write(ws.frame(b"", ws.PING))

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self.last_inbound = time.monotonic()
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except FrameError as exc:
            self.close(exc.code, exc.reason)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
        self._writable = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self.resume_writing()
        self._gone()

    def _take(self, message: Message) -> None:
        if message.opcode == ws.CLOSE:
            self._answer_close(message.payload)
        elif self._closing:
            return
        elif message.opcode == ws.PING:
            self._answer_ping(message.payload)
        elif message.opcode == ws.BINARY:
            raise FrameError(ws.UNSUPPORTED, "binary frames are not supported")
        elif message.opcode == ws.TEXT:
            if not message.payload.isascii():
                _check_text(message.payload)
            self._received(message)

    def _answer_ping(self, payload: bytes) -> None:
        """One that asks without end and never reads the answers is hung up on."""
        if self.congested:
            self._transport.abort()
        else:
            self._transport.write(ws.frame(payload, ws.PONG))

    def _answer_close(self, payload: bytes) -> None:
        code = ws.read_close(payload)
        if not self._closing:
            self.flush()
            self._closing = True
            self._transport.write(ws.frame(ws.close_payload(1000 if code == 1005 else code), ws.CLOSE))
        self._transport.close()

    def _hang_up(self) -> None:
        if not self._transport.is_closing():
            self._transport.abort()


def _check_text(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise FrameError(ws.BAD_TEXT, "a text message is not valid UTF-8") from None


def is_upgrade(request: web.Request) -> bool:
    """The request asks for a websocket as RFC 6455 4.2.1 wants it."""
    headers = request.headers
    tokens = {token.strip().lower() for token in headers.get("Connection", "").split(",")}
    return (
        headers.get("Upgrade", "").lower() == "websocket"
        and "upgrade" in tokens
        and headers.get("Sec-WebSocket-Version") == "13"
        and len(headers.get("Sec-WebSocket-Key", "")) == 24
        and request.version >= (1, 1)
    )


def upgrade_head(request: web.Request, headers: list[tuple[str, str]]) -> bytes:
    """The 101 that accepts the upgrade, without any extension or subprotocol."""
    accept = ws.accept_key(request.headers["Sec-WebSocket-Key"])
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "upgrade: websocket",
        "connection: Upgrade",
        f"sec-websocket-accept: {accept}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
