"""Puts the rooms together into one running process, and takes it down again in the right order."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from codex_pooler import __version__
from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.writer import LogWriter
from codex_pooler.accounts.courier import Courier
from codex_pooler.accounts.drain import drains_of
from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.renewal import Renewed
from codex_pooler.accounts.reset_flights import ResetFlights
from codex_pooler.accounts.saved_resets import SavedResets
from codex_pooler.config import Config
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.probe import probe
from codex_pooler.jobs.account_checks import AccountChecks
from codex_pooler.jobs.bindings import BindingKeeper
from codex_pooler.jobs.catalog_sync import CatalogSync
from codex_pooler.jobs.clock import keep_the_schedule
from codex_pooler.jobs.doubted_logins import DoubtedLogins
from codex_pooler.jobs.drains import keep_finishing_drains
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.jobs.leadership import Leadership
from codex_pooler.jobs.loops import Loops, background
from codex_pooler.jobs.missing_models import ask_for_missing_models
from codex_pooler.jobs.nodes import Drains, Node, forget_the_dead
from codex_pooler.jobs.partitions import keep_partitions
from codex_pooler.jobs.prices import PriceKeeper
from codex_pooler.jobs.queue import Queue
from codex_pooler.jobs.rescue import keep_rescuing
from codex_pooler.jobs.roles import LED, loops_of, works
from codex_pooler.jobs.saved_resets import SavedResetCare, logins, looking
from codex_pooler.jobs.services import Services
from codex_pooler.jobs.token_refresh import keep_logins_fresh, keep_logins_stored
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.jobs.worker import JobWorker, working
from codex_pooler.keys.loading import keep_loaded
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.protocol.destinations import is_loopback
from codex_pooler.quota.keeper import QuotaKeeper
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.record import Record
from codex_pooler.quota.standing import BLOCKED
from codex_pooler.quota.windows import Window
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known, RouteRequest
from codex_pooler.routing.explain import Explanation, explain
from codex_pooler.routing.health import Health, Rules, Trouble
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.successor import with_access_token
from codex_pooler.storage.database import Database, silence_query_cancellations
from codex_pooler.storage.keyring import Keyring, load_keyring
from codex_pooler.storage.listen import listen
from codex_pooler.storage.queries_files import CHANGED as FILES_CHANGED
from codex_pooler.storage.queries_snapshot import CHANGED
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.spool import Spool
from codex_pooler.storage.tables import ACCOUNT_STATES
from codex_pooler.telemetry.metrics import ACCOUNTS, LEADS, LOGINS_NEEDED, PROCESSES, ROWS, Gauges, Metrics
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.resets import ResetsClient
from codex_pooler.upstream.usage import UsageClient
from codex_pooler.web.admin.account_news import AccountNews
from codex_pooler.web.admin.live import Broadcaster, Change
from codex_pooler.web.context import WebContext

log = logging.getLogger(__name__)


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

    def windows(self, account_id: UUID) -> list[Window]:
        record = self.known.quotas.record(account_id)
        return record.shown_windows() if record else []

    def record(self, account_id: UUID) -> Record | None:
        return self.known.quotas.record(account_id)

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
    worker: JobWorker | None
    company: Company

    def retire(self) -> None:
        """The process is asked to stop: take no more jobs, so that running ones end while running turns do."""
        if self.worker:
            self.worker.stop()

    def gauges(self) -> Gauges:
        """The current values, all from memory."""
        pools = self.house.snapshot.current.pools.values()
        states = Counter(
            {member.account.id: member.account.state for pool in pools for member in pool.members}.values()
        )
        return {
            "codex_pooler_turns_in_flight": self.house.known.leases.total(),
            "codex_pooler_spool_backlog_bytes": self.spool.backlog,
            "codex_pooler_spool_failures": self.spool.failures,
            "codex_pooler_accounts_known": states.total(),
            ACCOUNTS: {state: states[state] for state in ACCOUNT_STATES},
            LOGINS_NEEDED: states["reauth_required"],
            LEADS: {loop: float(self.company.leadership.leads(loop)) for loop in LED},
            PROCESSES: self.company.node.alive,
            **self.house.admission.gauges(),
        }


@dataclass(frozen=True)
class Company:
    """This process among the others."""

    leadership: Leadership
    node: Node

    @property
    def loops(self) -> Loops:
        return {"leadership": self.leadership.run, "heartbeat": self.node.run}


@asynccontextmanager
async def process(config: Config, dsn: str) -> AsyncIterator[Process]:
    """Open everything, keep the background work running, and close in the reverse order."""
    asyncio.get_running_loop().set_exception_handler(silence_query_cancellations)
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        keyring, broadcaster = keyring_of(config), Broadcaster()
        snapshot = SnapshotHolder(database, keyring.upstream)
        await snapshot.refresh()
        spool = Spool(config.state_dir / "spool")
        stack.callback(spool.close)
        house = _house(config, snapshot, spool, stack)
        backend = Backend(house.backend)
        sign_in, news = SignIn(config.auth_url), AccountNews(snapshot, broadcaster)
        changed = news.changed
        flows = Flows(database, keyring, sign_in, changed=changed, metrics=house.metrics)
        stack.push_async_callback(flows.close)
        refresher = house.refresher = await _refresher(config, database, keyring, house, changed, stack)
        writer = await _log_writer(database, spool, house, broadcaster, stack)
        files = FileKeeper(database, house.files)
        queue = Queue(database)
        services = _services(config, database, keyring, house, refresher, backend, changed)
        house.saved_resets = flights = ResetFlights(services.saved_resets.saved)
        stack.push_async_callback(flights.close)
        company = _company(config, dsn, database, keyring, house)
        loops: Loops = {
            "pulse": house.pulse,
            "snapshot": snapshot.keep_fresh,
            "snapshot-listener": partial(_listener, dsn, snapshot, files),
            **await _memory(database, house, files, news.tell, stack),
            **_watching(services, queue),
            **_bookkeeping(database, house, writer, queue),
            **company.loops,
        }
        running = loops_of(config.role, loops)
        await stack.enter_async_context(background({name: loops[name] for name in loops if name in running}))
        worker = await stack.enter_async_context(working(dsn, services)) if works(config.role) else None
        async with database.session() as session:
            token = bootstrap_token(config) if await is_pending(session) else None
        context = WebContext(
            config=config,
            database=database,
            keyring=keyring,
            live=ProcessView(house.known, snapshot),
            refresher=refresher,
            sign_in=sign_in,
            flows=flows,
            backend=backend,
            saved_resets=services.saved_resets.saved,
            queue=queue,
            refresh_snapshot=snapshot.refresh,
            bootstrap_token=token,
            version=__version__,
            started_at=datetime.now(UTC),
            settings=lambda: house.snapshot.current.settings,
            metrics=house.metrics,
            probe=partial(probe, house),
        )
        yield Process(context, house, spool, writer, broadcaster, worker, company)


def _house(config: Config, snapshot: SnapshotHolder, spool: Spool, stack: AsyncExitStack) -> House:
    """What turns need, with nothing known about accounts yet."""

    def circuit_rules() -> Rules:
        settings = snapshot.current.settings.gateway
        return Rules(settings.circuit_failure_threshold, settings.circuit_open_seconds)

    known = Known(Health(circuit_rules), Quotas(), Leases(), Bindings())
    backend = ConnectionPool(config.chatgpt_url)
    stack.callback(backend.close)
    snapshot.on_new_login = known.quotas.relogin
    return House(snapshot, known, Journal(spool), backend, Metrics())


async def _refresher(
    config: Config,
    database: Database,
    keyring: Keyring,
    house: House,
    changed: Callable[[UUID], Awaitable[None]],
    stack: AsyncExitStack,
) -> Refresher:
    """Renews logins; one that the database does not take yet serves this process's turns all the same."""
    snapshot = house.snapshot

    def serve(new: Renewed) -> None:
        expires_at = new.access_expires_at.timestamp() if new.access_expires_at else None
        snapshot.current = with_access_token(snapshot.current, new.account_id, new.access_token, expires_at)

    logins = Logins(database, keyring.upstream, SecretSpool(config.state_dir / "spool"))
    courier = Courier(SignIn(config.auth_url), logins.kept)
    refresher = Refresher(logins, courier, changed=changed, serve=serve, metrics=house.metrics)
    await refresher.store_kept()
    stack.push_async_callback(refresher.close)
    return refresher


async def _log_writer(
    database: Database, spool: Spool, house: House, broadcaster: Broadcaster, stack: AsyncExitStack
) -> LogWriter:
    """With what an earlier process left behind already stored."""

    def rows_stored(count: int) -> None:
        house.metrics.count(ROWS, "turn", amount=count)
        broadcaster.count_finished(house.finished.elements())
        broadcaster.publish(Change("requests", "created", pool_ids=tuple(house.finished)))
        house.finished.clear()

    writer = LogWriter(database, spool, house.journal, rows_stored)
    await writer.make_partitions()
    await writer.replay_orphans()
    stack.push_async_callback(_store_the_rest, writer)
    stack.push_async_callback(house.settle_down)
    return writer


async def _memory(
    database: Database,
    house: House,
    files: FileKeeper,
    tell: Callable[[Collection[UUID]], None],
    stack: AsyncExitStack,
) -> Loops:
    """What the process knows by heart, as an earlier one wrote it down, and what goes on writing it down."""
    quotas = QuotaKeeper(database, house.known.quotas, changed=tell)
    bindings = BindingKeeper(database, house.known.bindings)
    await quotas.load()
    await bindings.load()
    await files.load()
    stack.push_async_callback(bindings.store_the_rest)
    stack.push_async_callback(files.store_the_rest)
    return {"quota-keeper": quotas.run, "session-bindings": bindings.run, "files": files.run}


def _services(
    config: Config,
    database: Database,
    keyring: Keyring,
    house: House,
    refresher: Refresher,
    backend: Backend,
    changed: Callable[[UUID], Awaitable[None]],
) -> Services:
    """What jobs work with, and what looks after the accounts: their quota, their models, their logins."""
    snapshot, doubts = house.snapshot, DoubtedLogins(refresher)
    checks = AccountChecks(
        database, backend, lambda: snapshot.current, house.backend.origin, refresher.give_up, changed
    )

    async def doubted(account_id: UUID, refused_token: str) -> None:
        checks.wish(account_id)
        await doubts.look_into(account_id, refused_token)

    usage = UsagePolling(
        database, UsageClient(backend), house.known.quotas, lambda: snapshot.current, doubted, metrics=house.metrics
    )
    catalogs = CatalogSync(database, snapshot, backend)
    login_of = logins(lambda: snapshot.current)
    resets = ResetsClient(backend)
    saved = SavedResets(
        database, resets, house.known.quotas, login_of, looking(usage, login_of), changed, house.metrics
    )
    care = SavedResetCare(database, saved, house.known.quotas, lambda: snapshot.current)
    lab = is_loopback(house.backend.host)
    return Services(
        database,
        keyring,
        snapshot,
        refresher,
        usage,
        catalogs,
        checks,
        care,
        lab=lab,
        origin=config.origin,
        metrics=house.metrics,
    )


def _watching(services: Services, queue: Queue) -> Loops:
    """What looks after the accounts, or in a process that serves only: what it leaves to those that do."""
    return {
        "usage-polling": services.usage.run,
        "model-catalogues": services.catalogs.run,
        "account-checks": services.checks.run,
        "saved-resets": services.saved_resets.run,
        "token-refresh": partial(keep_logins_fresh, services.refresher),
        "renewed-logins": partial(keep_logins_stored, services.refresher),
        "missing-models": partial(ask_for_missing_models, services.snapshot, queue),
    }


def _bookkeeping(database: Database, house: House, writer: LogWriter, queue: Queue) -> Loops:
    """What keeps the log and the budgets, and the prices current."""

    def price_list() -> str:
        return house.snapshot.current.settings.catalog.openai_pricing_url

    prices = PriceKeeper(database, house.prices, price_list, partial(queue.enqueue, "pricing_import"))
    return {
        "log-writer": writer.run,
        "partitions": partial(keep_partitions, writer),
        "prices": prices.run,
        "key-limits": partial(keep_loaded, house.limits, database, house.snapshot, writer.at_rest),
    }


def _company(config: Config, dsn: str, database: Database, keyring: Keyring, house: House) -> Company:
    """What has to do with the other processes: being seen by them, and doing once what is to be done once."""
    led = {
        "schedule": partial(keep_the_schedule, database),
        "rescue": partial(keep_rescuing, database),
        "drains": partial(keep_finishing_drains, database),
        "nodes": partial(forget_the_dead, database),
    }
    leadership = Leadership(dsn, led)

    def drains() -> Drains:
        members = (member.account for pool in house.snapshot.current.pools.values() for member in pool.members)
        serving = [UUID(int=account) for account in house.known.leases.running]
        return Drains(*drains_of({account.id: account.state for account in members}, serving))

    node = Node(
        database, config.role, __version__, leads=lambda: leadership.led, drains=drains, key_version=keyring.newest
    )
    return Company(leadership, node)


async def _listener(dsn: str, snapshot: SnapshotHolder, files: FileKeeper) -> None:
    async def changed(payload: str) -> None:
        await snapshot.refresh_quietly()

    await listen(dsn, {CHANGED: changed, FILES_CHANGED: files.changed}, snapshot.refresh_quietly)


async def _store_the_rest(writer: LogWriter) -> None:
    """At shutdown; what does not reach the database stays in the spool for the next start."""
    try:
        async with asyncio.timeout(10):
            await writer.drain()
    except Exception as exc:
        log.warning("some log rows wait in the spool for the next start (%s)", type(exc).__name__)


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
