"""One HTTP response written by hand to its client's transport: head, chunks, end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from codex_pooler.web.runtime.outbox import outbox

LAST_CHUNK = b"0\r\n\r\n"
HIGH_WATER = 256 * 1024  # bytes buffered for a client before the backend is told to wait


class ClientStream:
    """Writes never block and never raise; after the client left they do nothing."""

    __slots__ = ("_chunked", "_head", "_outbox", "_pending", "_request", "_transport", "begun", "bytes_sent", "ended")

    def __init__(self, request: web.Request) -> None:
        assert request.transport is not None
        self._request, self._transport = request, request.transport
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._chunked = request.version >= (1, 1)
        self.begun = self.ended = False
        self.bytes_sent = 0
        self._head = self._pending = b""
        self._outbox = outbox()

    @property
    def chunked(self) -> bool:
        return self._chunked

    @property
    def gone(self) -> bool:
        return self._transport.is_closing()

    @property
    def congested(self) -> bool:
        return not self.gone and self._transport.get_write_buffer_size() > HIGH_WATER

    def begin(self, headers: Iterable[tuple[str, str]]) -> None:
        """The head of a 200 response, once; it goes out together with what follows."""
        if self.begun:
            return
        self.begun = True
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers), "cache-control: no-cache"]
        if self._chunked:
            lines.append("transfer-encoding: chunked")
        if not (self._chunked and self._request.keep_alive):
            lines.append("connection: close")
        self._head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def chunk(self, data: bytes, *, last: bool = False) -> None:
        """Payload in a chunk of its own; with ``last`` the end of the response goes along."""
        wire = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data
        if last:
            self.ended = True
            wire += LAST_CHUNK if self._chunked else b""
        head, self._head = self._head, b""
        self.write(head + wire)

    def write(self, data: bytes) -> None:
        """Bytes that are framed already."""
        if self._transport.is_closing():
            return
        self.bytes_sent += len(data)
        if self._pending:
            self._pending += data
        else:
            self._pending = data
            self._outbox.add(self)

    def flush(self) -> None:
        """Hand over what waits for the end of the loop's round."""
        data, self._pending = self._pending, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self, *, terminated: bool = False) -> None:
        """``terminated``: the last chunk went out with ``write`` already."""
        if not self.ended and terminated:
            self.ended = True
        elif not self.ended:
            self.chunk(b"", last=True)

    def abort(self) -> None:
        self.flush()
        self._transport.abort()

    async def drained(self) -> None:
        self.flush()
        await self._request.writer.drain()

    def response(self) -> web.Response:
        """What the handler returns when it has written everything itself."""
        self.flush()
        return Written(keep_alive=self.ended and self._chunked and bool(self._request.keep_alive))


class Written(web.Response):
    """Tells aiohttp that the response is on its way already."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._reusable = keep_alive

    async def prepare(self, request: web.BaseRequest) -> Any:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool:
        return self._reusable
