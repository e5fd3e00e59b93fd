"""The aiohttp server as this product runs it: what a client sent wrong is never echoed, logged or quoted back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_server import Server

from codex_pooler.protocol.errors import error_body

log = logging.getLogger(__name__)

MESSAGES = {
    400: ("invalid_request", "the request is not valid HTTP/1.1 or one of its headers is malformed or too long"),
    408: ("request_timeout", "the request took too long to arrive"),
    413: ("request_too_large", "the request body is larger than this route accepts"),
    500: ("internal_error", "the gateway failed to handle this request; its log says more"),
}
LINGER_SECONDS = 2.0
HEADER_BYTES = 64 * 1024


class QuietHandler(RequestHandler):
    """Answers what aiohttp cannot handle with fixed words: its own would quote the offending header."""

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

    def __call__(self) -> RequestHandler:
        return QuietHandler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """The application's runner with this product's limits."""

    def __init__(self, app: web.Application, *, drain_seconds: float) -> None:
        super().__init__(
            app,
            handle_signals=False,
            access_log=None,
            auto_decompress=False,  # web/bodies.py does that, with limits
            handler_cancellation=True,
            shutdown_timeout=drain_seconds,
            keepalive_timeout=75.0,
            lingering_time=LINGER_SECONDS,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return QuietServer(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
