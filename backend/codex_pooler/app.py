"""Puts the rooms together into one running process, and takes it down again in the right order."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web

from codex_pooler import __version__
from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.writer import LogWriter
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.renewal import Renewed
from codex_pooler.config import Config
from codex_pooler.gateway.house import House, moment
from codex_pooler.jobs.bindings import BindingKeeper
from codex_pooler.jobs.catalog_sync import CatalogSync
from codex_pooler.jobs.doubted_logins import DoubtedLogins
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.jobs.partitions import keep_partitions
from codex_pooler.jobs.prices import PriceUpdates
from codex_pooler.jobs.retention import keep_retention
from codex_pooler.jobs.token_refresh import keep_logins_fresh
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.keys.loading import keep_loaded
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.protocol.destinations import is_loopback
from codex_pooler.quota.keeper import QuotaKeeper
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.standing import BLOCKED
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known, RouteRequest
from codex_pooler.routing.explain import Explanation, explain
from codex_pooler.routing.health import Health, Rules, Trouble
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.settings import Settings
from codex_pooler.snapshot.successor import with_access_token
from codex_pooler.storage.database import Database, silence_query_cancellations
from codex_pooler.storage.keyring import Keyring, load_keyring
from codex_pooler.storage.listen import listen
from codex_pooler.storage.queries_files import CHANGED as FILES_CHANGED
from codex_pooler.storage.queries_snapshot import CHANGED
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.spool import Spool
from codex_pooler.telemetry.metrics import ROWS, Gauges, Metrics
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.usage import UsageClient
from codex_pooler.web import bodies, health, spa
from codex_pooler.web.admin.app import admin_app
from codex_pooler.web.admin.live import Broadcaster, Change
from codex_pooler.web.context import CONTEXT, WebContext
from codex_pooler.web.ingress import DOOR, Door
from codex_pooler.web.runtime import codex, compact, models
from codex_pooler.web.runtime.audio import add_audio_routes
from codex_pooler.web.runtime.caller import HOUSE, KEYRING
from codex_pooler.web.runtime.files import add_file_routes
from codex_pooler.web.runtime.helpers import add_helper_routes
from codex_pooler.web.runtime.images import add_image_routes
from codex_pooler.web.runtime.probes import probe_responses
from codex_pooler.web.runtime.usage import add_usage_routes
from codex_pooler.web.runtime.websocket import respond_over_websocket
from codex_pooler.web.server import Runner

log = logging.getLogger(__name__)

DRAIN_SECONDS = 50.0  # how long running turns may go on after SIGTERM
CANCEL_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class ProcessView:
    """What the console may ask of the running process (web.context.LiveView)."""

    known: Known
    snapshot: SnapshotHolder

    def in_flight(self, account_id: UUID) -> int:
        return self.known.leases.held(account_id)

    def total_in_flight(self) -> int:
        return self.known.leases.total()

    def cooling_until(self, account_id: UUID) -> datetime | None:
        until = self.known.health.open_until(account_id)
        wait = until - moment().monotonic if until is not None else 0.0
        return datetime.now(UTC) + timedelta(seconds=wait) if wait > 0 else None

    def blocked_until(self, account_id: UUID) -> datetime | None:
        standing = self.known.quotas.standing(account_id, "", moment().wall)
        if standing.grade != BLOCKED:
            return None
        return datetime.fromtimestamp(standing.until or standing.valid_until, UTC)

    def troubles(self, account_id: UUID) -> list[Trouble]:
        return self.known.health.troubles(account_id, moment())

    def explain(
        self, pool_id: UUID, model: str, route_class: str, seed: str, binding: bytes | None
    ) -> Explanation | None:
        pool, now = self.snapshot.current.pools.get(pool_id), moment()
        if pool is None:
            return None
        owner = self.known.bindings.account_of(binding, now.wall) if binding else None
        return explain(RouteRequest(pool, model, route_class, seed, owner), self.known, now)


@dataclass(frozen=True)
class Process:
    """Everything that lives as long as the process."""

    context: WebContext
    house: House
    spool: Spool
    writer: LogWriter
    broadcaster: Broadcaster

    def gauges(self) -> Gauges:
        accounts = {m.account.id for pool in self.house.snapshot.current.pools.values() for m in pool.members}
        return {
            "codex_pooler_turns_in_flight": self.house.known.leases.total(),
            "codex_pooler_spool_backlog_bytes": self.spool.backlog,
            "codex_pooler_spool_failures": self.spool.failures,
            "codex_pooler_accounts_known": len(accounts),
            **self.house.admission.gauges(),
        }


def keyring_of(config: Config) -> Keyring:
    """The installation's keys.  Raises SecretError."""
    return load_keyring(
        config.state_dir,
        secret_key=config.secret_key,
        upstream_key=config.upstream_secret_key,
        upstream_version=config.upstream_secret_key_version,
        totp_key=config.totp_encryption_key,
        totp_version=config.totp_key_version,
    )


def bootstrap_token(config: Config) -> str:
    """The word that lets the first visitor become owner; made once when the environment gives none."""
    if config.bootstrap_token:
        return config.bootstrap_token
    path = config.state_dir / "keys" / "bootstrap-token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text().strip()


@asynccontextmanager
async def process(config: Config, dsn: str) -> AsyncIterator[Process]:
    """Open everything, keep the background work running, and close in the reverse order."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(silence_query_cancellations)
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        keyring = keyring_of(config)
        snapshot = SnapshotHolder(database, keyring.upstream)
        await snapshot.refresh()
        spool = Spool(config.state_dir / "spool")
        stack.callback(spool.close)
        metrics, journal, broadcaster = Metrics(), Journal(spool), Broadcaster()
        known = Known(Health(lambda: _circuit_rules(snapshot)), Quotas(), Leases(), Bindings())
        backend = ConnectionPool(config.chatgpt_url)
        stack.callback(backend.close)
        logins = Logins(database, keyring.upstream, SecretSpool(config.state_dir / "spool"))
        refresher = _refresher(config, logins, snapshot, broadcaster)
        snapshot.on_new_login = known.quotas.relogin
        await refresher.store_kept()
        stack.push_async_callback(refresher.close)
        house = House(snapshot, known, journal, backend, metrics, refresher)

        def rows_stored(count: int) -> None:
            metrics.count(ROWS, "turn", count)
            broadcaster.count_finished(house.finished.elements())
            broadcaster.publish(Change("requests", "created", pool_ids=tuple(house.finished)))
            house.finished.clear()

        writer = LogWriter(database, spool, journal, rows_stored)
        await writer.make_partitions()
        await writer.replay_orphans()
        stack.push_async_callback(_store_the_rest, writer)
        stack.push_async_callback(house.settle_down)
        keeper = QuotaKeeper(database, known.quotas)
        await keeper.load()
        bindings = BindingKeeper(database, known.bindings)
        await bindings.load()
        stack.push_async_callback(bindings.store_the_rest)
        await stack.enter_async_context(_background({"session-bindings": bindings.run()}))
        usage = UsageClient(config.chatgpt_url)
        stack.push_async_callback(usage.close)
        doubts = DoubtedLogins(refresher)
        polling = UsagePolling(database, usage, known.quotas, lambda: snapshot.current, doubts.look_into)
        await stack.enter_async_context(_background({"quota-keeper": keeper.run(), "usage-polling": polling.run()}))
        catalogs = CatalogSync(database, snapshot, config.chatgpt_url)
        await stack.enter_async_context(_background({"model-catalogues": catalogs.run()}))
        files = FileKeeper(database, house.files)
        await files.load()
        stack.push_async_callback(files.store_the_rest)
        await stack.enter_async_context(_background(_loops(dsn, database, house, writer, snapshot, refresher, files)))
        async with database.session() as session:
            token = bootstrap_token(config) if await is_pending(session) else None
        context = WebContext(
            config=config,
            database=database,
            keyring=keyring,
            live=ProcessView(known, snapshot),
            refresher=refresher,
            refresh_snapshot=snapshot.refresh,
            bootstrap_token=token,
            version=__version__,
            started_at=datetime.now(UTC),
        )
        yield Process(context, house, spool, writer, broadcaster)


def _circuit_rules(snapshot: SnapshotHolder) -> Rules:
    settings = snapshot.current.settings.gateway
    return Rules(settings.circuit_failure_threshold, settings.circuit_open_seconds)


def _refresher(config: Config, logins: Logins, snapshot: SnapshotHolder, broadcaster: Broadcaster) -> Refresher:
    """Whoever renews a login tells this process's turns and consoles; the other processes hear of it by NOTIFY."""

    async def changed(account_id: UUID) -> None:
        await snapshot.refresh_quietly()
        pools = snapshot.current.pools.values()
        serving = tuple(pool.id for pool in pools if any(m.account.id == account_id for m in pool.members))
        broadcaster.publish(Change("upstreams", "updated", (account_id,), serving))

    def serve(new: Renewed) -> None:
        expires_at = new.access_expires_at.timestamp() if new.access_expires_at else None
        snapshot.current = with_access_token(snapshot.current, new.account_id, new.access_token, expires_at)

    return Refresher(logins, SignIn(config.auth_url), changed=changed, serve=serve)


def _loops(
    dsn: str,
    database: Database,
    house: House,
    writer: LogWriter,
    snapshot: SnapshotHolder,
    refresher: Refresher,
    files: FileKeeper,
) -> dict[str, Coroutine[Any, Any, None]]:
    async def changed(payload: str) -> None:
        await snapshot.refresh_quietly()

    return {
        "pulse": house.pulse(),
        "log-writer": writer.run(),
        "files": files.run(),
        "partitions": keep_partitions(writer),
        **_records(database, house),
        "key-limits": keep_loaded(house.limits, database, snapshot, writer.at_rest),
        "token-refresh": keep_logins_fresh(refresher),
        "snapshot": snapshot.keep_fresh(),
        "snapshot-listener": listen(dsn, {CHANGED: changed, FILES_CHANGED: files.changed}, snapshot.refresh_quietly),
    }


def _records(database: Database, house: House) -> dict[str, Coroutine[Any, Any, None]]:
    """What keeps the books: current prices, and no older history than wanted."""

    def settings() -> Settings:
        return house.snapshot.current.settings

    lab = is_loopback(house.backend.host)
    updates = PriceUpdates(database, house.prices, lambda: settings().catalog.openai_pricing_url, loopback_allowed=lab)
    return {"prices": updates.run(), "retention": keep_retention(database, lambda: settings().retention)}


@asynccontextmanager
async def _background(loops: Mapping[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Named tasks that end with the block; one that dies by itself is an error in the log, not a silence."""
    tasks = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]
    for task in tasks:
        task.add_done_callback(_complain_if_dead)
    try:
        yield
    finally:
        await _end_all(tasks)


async def _end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a database error in the same moment can swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


def _complain_if_dead(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()):
        log.critical("the background task %s died", task.get_name(), exc_info=exc)


async def _store_the_rest(writer: LogWriter) -> None:
    """At shutdown; what does not reach the database stays in the spool for the next start."""
    try:
        async with asyncio.timeout(10):
            await writer.drain()
    except Exception as exc:
        log.warning("some log rows wait in the spool for the next start (%s)", type(exc).__name__)


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
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    app.add_subapp("/api/admin/v1", admin_app(running.context, running.broadcaster))
    spa.add_console(app, dist or spa.dist_folder())

    async def stop_being_ready(app: web.Application) -> None:
        app[health.DRAINING].set()
        running.house.stop_clients()

    app.on_shutdown.append(stop_being_ready)
    return app


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, *, shared: bool = False) -> AsyncIterator[int]:
    """Accept connections; yields the port.  On the way out running turns may finish within DRAIN_SECONDS."""
    runner = Runner(app, drain_seconds=DRAIN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_port=shared or None, backlog=1024)
        await site.start()
        address = runner.addresses[0]
        yield int(address[1])
    finally:
        app[health.DRAINING].set()
        await asyncio.gather(runner.cleanup(), app[HOUSE].clients_gone(DRAIN_SECONDS))


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
