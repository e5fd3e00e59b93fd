"""Every route of the product, and the server that answers on them."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from codex_pooler.process import Process
from codex_pooler.web import bodies, health, spa
from codex_pooler.web.admin.app import admin_app
from codex_pooler.web.context import CONTEXT
from codex_pooler.web.ingress import DOOR, Door
from codex_pooler.web.public.app import BASE_PATH as PUBLIC_PATH
from codex_pooler.web.public.app import public_app
from codex_pooler.web.runtime import codex, compact, models
from codex_pooler.web.runtime.audio import add_audio_routes
from codex_pooler.web.runtime.caller import HOUSE, KEYRING
from codex_pooler.web.runtime.files import add_file_routes
from codex_pooler.web.runtime.helpers import add_helper_routes
from codex_pooler.web.runtime.images import add_image_routes
from codex_pooler.web.runtime.probes import probe_responses
from codex_pooler.web.runtime.usage import add_usage_routes
from codex_pooler.web.runtime.v1.routes import add_v1_routes
from codex_pooler.web.runtime.websocket import respond_over_websocket
from codex_pooler.web.server import Runner

log = logging.getLogger(__name__)

DRAIN_SECONDS = 50.0  # how long running turns may go on after SIGTERM
CUT_SECONDS = 1.0  # and how long they have once they are cut off


def web_app(running: Process, dist: Path | None = None) -> web.Application:
    """Every route of the product."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[CONTEXT] = running.context
    app[HOUSE] = running.house
    app[KEYRING] = running.context.keyring
    app[DOOR] = Door(lambda: running.house.snapshot.current.settings.ingress, running.house.metrics)
    app[bodies.LIMITS] = lambda: running.house.snapshot.current.settings.ingress
    app[health.DRAINING] = asyncio.Event()
    app[health.METRICS] = running.house.metrics
    app[health.GAUGES] = running.gauges
    for path in codex.PATHS:
        app.router.add_post(path, codex.create_response)
        app.router.add_get(path, respond_over_websocket, allow_head=False)
        app.router.add_head(path, probe_responses)
    for path in compact.PATHS:
        app.router.add_post(path, compact.compact)
    for path in models.PATHS:
        app.router.add_get(path, models.list_models)
    add_usage_routes(app)
    add_file_routes(app)
    add_image_routes(app)
    add_audio_routes(app)
    add_helper_routes(app)
    add_v1_routes(app)
    _add_health_routes(app)
    app.add_subapp("/api/admin/v1", admin_app(running.context, running.broadcaster))
    app.add_subapp(PUBLIC_PATH, public_app(running.context, running.broadcaster))
    spa.add_console(app, dist or spa.dist_folder())

    async def stop_being_ready(app: web.Application) -> None:
        app[health.DRAINING].set()
        running.house.stop_clients()
        running.retire()

    app.on_shutdown.append(stop_being_ready)
    return app


def health_app(running: Process) -> web.Application:
    """For a process that takes no turns: only what tells whether it is well."""
    app = web.Application()
    app[CONTEXT] = running.context
    app[HOUSE] = running.house
    app[health.DRAINING] = asyncio.Event()
    app[health.METRICS] = running.house.metrics
    app[health.GAUGES] = running.gauges
    _add_health_routes(app)

    async def stop_being_ready(app: web.Application) -> None:
        app[health.DRAINING].set()
        running.retire()

    app.on_shutdown.append(stop_being_ready)
    return app


def _add_health_routes(app: web.Application) -> None:
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, *, shared: bool = False) -> AsyncIterator[int]:
    """Accept connections; yields the port.  On the way out running turns may finish within DRAIN_SECONDS."""
    runner = Runner(app, drain_seconds=CUT_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_port=shared or None, backlog=1024)
        await site.start()
        address = runner.addresses[0]
        yield int(address[1])
    finally:
        await _drain(app, runner)
        await runner.cleanup()


async def _drain(app: web.Application, runner: Runner) -> None:
    """Until all that runs has ended: whoever comes meanwhile is told to come again, so that nobody hangs."""
    app[health.DRAINING].set()
    running = runner.refuse_newcomers(health.while_stopping)
    await app.shutdown()
    await asyncio.gather(runner.ended(running, DRAIN_SECONDS), app[HOUSE].clients_gone(DRAIN_SECONDS))


def settle_memory() -> None:
    """Once started: what lives for ever is not looked at again, and the collector runs seldom.

    A turn makes no reference cycles that matter, while a collection at the default thresholds costs a tenth of it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def until_signal() -> None:
    """Wait for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    log.info("stopping: running turns may finish, new ones are refused")
