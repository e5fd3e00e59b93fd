"""Is the process alive, is it ready, and what are its numbers."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

from aiohttp import web

from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.telemetry.metrics import Gauges, Metrics
from codex_pooler.web.context import CONTEXT
from codex_pooler.web.errors import Handler, not_found, refusal

READY_SECONDS = 3.0
STILL_ANSWERED = ("/healthz", "/readyz", "/metrics")
DRAINING: web.AppKey[asyncio.Event] = web.AppKey("draining", asyncio.Event)
METRICS = web.AppKey("metrics", Metrics)
GAUGES: web.AppKey[Callable[[], Gauges]] = web.AppKey("gauges")


async def healthz(request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """503 while shutting down.  With the database away it stays ready: turns go on from the snapshot."""
    if request.app[DRAINING].is_set():
        return web.json_response({"status": "draining"}, status=503)
    try:
        async with asyncio.timeout(READY_SECONDS), request.app[CONTEXT].database.session() as session:
            await session.run("SELECT 1")
    except (*UNAVAILABLE, RuntimeError):
        return web.json_response({"status": "degraded", "database": "unavailable"})
    return web.json_response({"status": "ok", "database": "ok"})


def while_stopping(handler: Handler) -> Handler:
    """For those who come while the last turns end: whether the process is well, and that it takes nothing new."""

    async def handle(request: Any) -> web.StreamResponse:
        if request.rel_url.path in STILL_ANSWERED:
            return await handler(request)
        response = refusal(503, "server_is_overloaded", "this gateway is stopping; try again shortly", retry_after=1)
        response.force_close()
        return response

    return handle


async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus text, for scrapers on the same machine only."""
    if not _from_loopback(request):
        return not_found(request)
    body, headers = request.app[METRICS].text(request.app[GAUGES]())
    return web.Response(body=body, headers=headers)


def _from_loopback(request: web.Request) -> bool:
    forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip"))
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if forwarded or not peer:
        return False
    return ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback
