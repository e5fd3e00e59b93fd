"""What a turn needs of the process, and the pulse that keeps running attempts alive or ends them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol
from uuid import UUID

from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.prices import Prices
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.gateway.admission import Admission
from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.budgets import DEFAULT, Budgets, budgets_of
from codex_pooler.gateway.files import Files
from codex_pooler.gateway.legs import Lingering
from codex_pooler.gateway.line import Line
from codex_pooler.gateway.pool_limits import PoolLimits
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.limits import Limits
from codex_pooler.quota.resets import Rescue
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known, Moment
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Pool
from codex_pooler.snapshot.settings import Gateway
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.pool import ConnectionPool

PULSE_SECONDS = 1.0
GONE_POLL_SECONDS = 0.05


class SavedResets(Protocol):
    """Who redeems saved resets for this process."""

    def may_look(self, pool_id: UUID) -> bool:
        """Whether a pool that still serves should be looked at again; asking counts as looking."""
        ...

    def begin(self, pool_id: UUID, rescue: Rescue) -> None:
        """Redeem for the pool without anybody waiting."""
        ...

    async def rescue(self, pool_id: UUID, rescue: Rescue) -> UUID | None:
        """Redeem for the pool, for a bounded time; the account that this caller alone may try, if there is one."""
        ...


class Client(Protocol):
    """An open connection that outlives single turns."""

    def tick(self, now: float) -> None:
        """Called about once a second (monotonic seconds)."""
        ...

    def stop(self) -> None:
        """The process is going down: end after the turns that are running."""
        ...

    def end(self) -> None:
        """End now."""
        ...


@dataclass(slots=True)
class House:
    """One per process; built by process/turns.py."""

    snapshot: SnapshotHolder
    known: Known
    journal: Journal
    backend: ConnectionPool
    metrics: Metrics
    refresher: Refresher | None = None
    saved_resets: SavedResets | None = None
    limits: Limits = field(default_factory=Limits)
    prices: Prices = field(default_factory=Prices)
    files: Files = field(default_factory=Files)
    responses: Bindings = field(default_factory=lambda: Bindings(capacity=16_384))  # over HTTP; never stored
    line: Line = field(default_factory=Line)
    budgets: Budgets = DEFAULT
    busy_wait: float = 5.0  # seconds that a turn waits while all accounts are busy
    admission: Admission = field(init=False)
    clients: set[Client] = field(default_factory=set)
    lingering: Lingering = field(default_factory=Lingering)
    running: set[Attempt] = field(default_factory=set)
    draining: set[asyncio.Task[None]] = field(default_factory=set)
    pool_limits: PoolLimits = field(default_factory=PoolLimits)
    _settings: Gateway | None = None
    finished: Counter[UUID] = field(default_factory=Counter)  # settled turns by pool, since somebody last looked

    def __post_init__(self) -> None:
        self.known.leases.on_free = self.line.wake
        self.admission = Admission(lambda: self.snapshot.current.settings.gateway.bulkheads, self.metrics)
        self.follow_settings()

    async def pulse(self) -> None:
        """One timer for all attempts and sockets: keepalives, silence budgets, stale connections.

        Runs until cancelled.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            now = loop.time()
            self.follow_settings()
            for attempt in tuple(self.running):
                attempt.tick(now)
            for client in tuple(self.clients):
                client.tick(now)
            self.lingering.tick(now)
            self.backend.drop_stale()

    def follow_settings(self) -> None:
        """Take over what the settings say by now; for turns that begin from now on."""
        settings = self.snapshot.current.settings.gateway
        if settings is not self._settings:
            self._settings, self.budgets = settings, budgets_of(settings)
            self.busy_wait = settings.busy_accounts_wait_ms / 1000
            self.backend.connect_seconds = settings.upstream_connect_timeout_ms / 1000
            self.backend.client_version = settings.client_version

    def limits_of(self, pool: Pool) -> Callable[[], bytes | None]:
        """What is told to a client in place of one account's limits."""
        return lambda: self.pool_limits.event(pool, self.known.quotas, time.time())

    def shown_headers(self, turn: TurnRequest) -> Sequence[tuple[str, str]]:
        """What a response head says of the key's limits and of the pool's quota."""
        own = self.limits.headers(turn.key, turn.fields.model, turn.admitted)
        quota = self.pool_limits.headers(turn.key.pool, self.known.quotas, turn.admitted.wall)
        return [("x-models-etag", self.snapshot.current.listing(turn.key).etag), *own, *quota]

    async def clients_gone(self, seconds: float) -> None:
        """Wait until the open sockets have ended; those that have not by then are cut off."""
        deadline = time.monotonic() + seconds
        while self.clients and time.monotonic() < deadline:
            await asyncio.sleep(GONE_POLL_SECONDS)
        for client in tuple(self.clients):
            client.end()
        self.lingering.close()

    def remember_response(self, turn: TurnRequest, response_id: str, account_id: UUID) -> None:
        """A turn over HTTP may refer to it: only its account can then serve."""
        name = _response_name(turn.key.id, response_id)
        self.responses.bind(name, "response", turn.key.pool.id, account_id, turn.admitted.wall)

    def maker_of(self, turn: TurnRequest, response_id: str) -> UUID | None:
        """The account that made a response for the same key; None when that is not known."""
        return self.responses.account_of(_response_name(turn.key.id, response_id), turn.admitted.wall)

    def stop_clients(self) -> None:
        """No new turns on open sockets."""
        for client in tuple(self.clients):
            client.stop()

    async def settle_down(self) -> None:
        """Wait for turns whose clients left and whose usage is still being read."""
        if self.draining:
            await asyncio.wait(self.draining)


def _response_name(key_id: UUID, response_id: str) -> bytes:
    return blake2b(response_id.encode("utf-8", "replace"), key=key_id.bytes, digest_size=16).digest()


def moment() -> Moment:
    return Moment(time.time(), time.monotonic())
