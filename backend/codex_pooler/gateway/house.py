"""What a turn needs of the process, and the pulse that keeps running attempts alive or ends them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from codex_pooler.accounting.journal import Journal
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.gateway.attempt import Attempt
from codex_pooler.routing.candidates import Known, Moment
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.pool import ConnectionPool

PULSE_SECONDS = 1.0


@dataclass(slots=True)
class House:
    """One per process; built by app.py."""

    snapshot: SnapshotHolder
    known: Known
    journal: Journal
    backend: ConnectionPool
    metrics: Metrics
    refresher: Refresher | None = None
    running: set[Attempt] = field(default_factory=set)
    draining: set[asyncio.Task[None]] = field(default_factory=set)
    finished: Counter[UUID] = field(default_factory=Counter)  # settled turns by pool, since somebody last looked

    async def pulse(self) -> None:
        """One timer for all attempts: keepalives, silence budgets, stale connections.  Runs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            now = loop.time()
            for attempt in tuple(self.running):
                attempt.tick(now)
            self.backend.drop_stale()

    async def settle_down(self) -> None:
        """Wait for turns whose clients left and whose usage is still being read."""
        if self.draining:
            await asyncio.wait(self.draining)


def moment() -> Moment:
    return Moment(time.time(), time.monotonic())
