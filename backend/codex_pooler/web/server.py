"""The aiohttp server as this product runs it: what a client sent wrong is never echoed, logged or quoted back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_server import Server

from codex_pooler.protocol.errors import error_body
from codex_pooler.web.ingress import DOOR

log = logging.getLogger(__name__)

MESSAGES = {
    400: ("invalid_request", "the request is not valid HTTP/1.1 or one of its headers is malformed or too long"),
    408: ("request_timeout", "the request took too long to arrive"),
    413: ("request_too_large", "the request body is larger than this route accepts"),
    500: ("internal_error", "the gateway failed to handle this request; its log says more"),
}
LINGER_SECONDS = 2.0
ENDED_POLL_SECONDS = 0.05
HEADER_BYTES = 64 * 1024
FIRST_REQUEST_SECONDS = 30.0  # from connecting to the end of the first request's headers
KEEPALIVE_SECONDS = 75.0  # from an answer to the end of the next request's headers


class QuietHandler(RequestHandler):
    """Answers what aiohttp cannot handle with fixed words: its own would quote the offending header.

    A connection whose first request is late is closed; aiohttp does that only for later ones.
    """

    def __init__(self, manager: Server, *, first_request_seconds: float, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._first_request_seconds = first_request_seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._deadline = self._loop.call_later(self._first_request_seconds, self._close_if_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def close(self) -> None:
        """End with the answer that it is at, and at once when nothing was asked; aiohttp leaves a connection open that
        waits for its next request, and stops reading one whose body still arrives."""
        if self._request_count == 0 or (self._waiter and not self._waiter.done()):
            self.force_close()
        elif self._current_request:
            self._current_request.content.on_eof(super().close)
        else:
            super().close()

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """Give the connection to another protocol, with the bytes that came after the request; this one is done.

        The caller has to set itself as the transport's protocol, and its handler has nothing to answer any more.
        """
        transport, early = self.transport, bytes(self._message_tail)
        assert transport is not None
        self.transport = None
        self.connection_lost(None)
        return transport, early

    def _close_if_late(self) -> None:
        self._deadline = None
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            log.error("unhandled %s while handling a request", type(exc).__name__, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        code, text = MESSAGES.get(status, MESSAGES[400])
        kind = "server_error" if status >= 500 else "invalid_request_error"
        response = web.Response(status=status, body=error_body(code, text, kind=kind), content_type="application/json")
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that cannot be decoded was answered by its handler; logging it again would quote a piece of it."""
        if not isinstance(kw.get("exc_info"), RequestPayloadError):
            super().log_exception(*args, **kw)


class QuietServer(Server):
    """Makes QuietHandlers."""

    first_request_seconds: float = FIRST_REQUEST_SECONDS

    def __call__(self) -> RequestHandler:
        seconds = self.first_request_seconds
        return QuietHandler(self, first_request_seconds=seconds, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """The application's runner with this product's limits."""

    def __init__(
        self,
        app: web.Application,
        *,
        drain_seconds: float,
        first_request_seconds: float = FIRST_REQUEST_SECONDS,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
    ) -> None:
        self._first_request_seconds = first_request_seconds
        super().__init__(
            app,
            handle_signals=False,
            access_log=None,
            auto_decompress=False,  # web/bodies.py does that, with limits
            handler_cancellation=True,
            shutdown_timeout=drain_seconds,
            keepalive_timeout=keepalive_seconds,
            lingering_time=LINGER_SECONDS,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    def refuse_newcomers(self, instead: Callable[[Any], Any]) -> set[Any]:
        """From now on connections end with the answer they are at, and new ones get ``instead`` of the application,
        a handler made of its own.  The connections that are open."""
        server = self.server
        if server is None:
            return set()
        running = set(server.connections)
        server.request_handler = instead(server.request_handler)
        server.pre_shutdown()
        return running

    async def ended(self, connections: set[Any], seconds: float) -> None:
        """Wait for these connections, no longer than that."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.server and connections & set(self.server.connections):
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(ENDED_POLL_SECONDS)

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        door = self.app.get(DOOR)
        server = QuietServer(
            door.before(made.request_handler) if door else made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
        server.first_request_seconds = self._first_request_seconds
        return server
