"""One HTTP response written by hand to its client's transport: head, chunks, end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from codex_pooler.web.runtime.outbox import HIGH_WATER, Channel

LAST_CHUNK = b"0\r\n\r\n"


class ClientStream(Channel):
    """The response to one request; see Channel."""

    __slots__ = ("_chunked", "_head", "_request", "begun", "ended")

    def __init__(self, request: web.Request) -> None:
        assert request.transport is not None
        super().__init__(request.transport)
        self._request = request
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._chunked = request.version >= (1, 1)
        self.begun = self.ended = False
        self._head = b""

    @property
    def chunked(self) -> bool:
        return self._chunked

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
