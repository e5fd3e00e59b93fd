"""What a turn needs of the process, and the pulse that keeps running attempts alive or ends them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.prices import Prices
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.files import Files
from codex_pooler.gateway.legs import Lingering
from codex_pooler.keys.limits import Limits
from codex_pooler.routing.candidates import Known, Moment
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.pool import ConnectionPool

PULSE_SECONDS = 1.0


class Client(Protocol):
    """An open connection that outlives single turns."""

    def tick(self, now: float) -> None:
        """Called about once a second (monotonic seconds)."""
        ...

    def stop(self) -> None:
        """The process is going down: end after the turns that are running."""
        ...


@dataclass(slots=True)
class House:
    """One per process; built by app.py."""

    snapshot: SnapshotHolder
    known: Known
    journal: Journal
    backend: ConnectionPool
    metrics: Metrics
    refresher: Refresher | None = None
    limits: Limits = field(default_factory=Limits)
    prices: Prices = field(default_factory=Prices)
    files: Files = field(default_factory=Files)
    clients: set[Client] = field(default_factory=set)
    lingering: Lingering = field(default_factory=Lingering)
    running: set[Attempt] = field(default_factory=set)
    draining: set[asyncio.Task[None]] = field(default_factory=set)
    finished: Counter[UUID] = field(default_factory=Counter)  # settled turns by pool, since somebody last looked

    async def pulse(self) -> None:
        """One timer for all attempts and sockets: keepalives, silence budgets, stale connections.

        Runs until cancelled.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            now = loop.time()
            for attempt in tuple(self.running):
                attempt.tick(now)
            for client in tuple(self.clients):
                client.tick(now)
            self.lingering.tick(now)
            self.backend.drop_stale()

    def stop_clients(self) -> None:
        """No new turns on open sockets."""
        for client in tuple(self.clients):
            client.stop()

    async def settle_down(self) -> None:
        """Wait for turns whose clients left and whose usage is still being read."""
        if self.draining:
            await asyncio.wait(self.draining)


def moment() -> Moment:
    return Moment(time.time(), time.monotonic())
