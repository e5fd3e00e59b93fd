"""Keeps what is known of quotas in PostgreSQL: written behind, read at the start, and shared between processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import psycopg2

from codex_pooler.quota.history import EVERY_SECONDS, LEAST_MOVE, History
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.windows import RESET_TOLERANCE
from codex_pooler.storage import queries_quota as queries
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_quota_history import STORE_SAMPLES

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
RELOAD_SECONDS = 30.0
JUMP_SECONDS = 5.0  # a wall clock that moves so much more or less than time passes was set
CLOCK_SLACK = timedelta(minutes=1)

# a clock that nobody sets and that goes on while the machine sleeps, where there is one
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ClockWatch:
    """Notices when the wall clock is set, by comparing it with one that nobody sets."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] | None = None) -> None:
        self._wall, self._steady = wall, steady or (lambda: time.clock_gettime(_STEADY))
        self._difference = self._wall() - self._steady()

    def jump(self) -> float:
        """Seconds by which the wall clock was set since the last look; 0.0 when it only drifted."""
        difference = self._wall() - self._steady()
        jumped, self._difference = difference - self._difference, difference
        return jumped if abs(jumped) >= JUMP_SECONDS else 0.0


def nobody_to_tell(account_ids: Collection[UUID]) -> None:
    """For a process that shows quotas to nobody."""


class QuotaKeeper:
    """One per process.  With the database away everything stays in memory and is stored when it is back.

    ``changed`` is told about once a second of which accounts something else is known, wherever that came from.
    """

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        clock: ClockWatch | None = None,
        *,
        changed: Callable[[Collection[UUID]], None] = nobody_to_tell,
    ) -> None:
        self._database, self._quotas, self._clock = database, quotas, clock or ClockWatch()
        self._history, self._tell = History(), changed
        self._complained = False

    async def load(self) -> None:
        """Merge what the database knows.  Raises what the database raises."""
        async with self._database.session() as session:
            windows = await session.fetch(queries.WINDOWS)
            states = await session.fetch(queries.STATES)
            blocks = await session.fetch(queries.BLOCKS)
        self._quotas.restore(windows, states, blocks)

    async def store(self) -> None:
        """Write what changed, and what of it is to be remembered.  Raises what the database raises; nothing is lost
        then."""
        await self._store_changes()
        await self._store_history()

    async def _store_changes(self) -> None:
        changes = self._quotas.changes()
        self._history.note(changes.samples)
        if not changes:
            return
        soon = datetime.now(UTC) + CLOCK_SLACK
        rows = {
            "quota_windows": orjson.dumps(changes.windows).decode(),
            "quota_states": orjson.dumps(changes.states).decode(),
            "quota_blocks": orjson.dumps(changes.blocks).decode(),
        }
        try:
            async with self._database.session() as session:
                await session.run(queries.STORE, {**rows, "soon": soon})
        except BaseException:
            self._quotas.put_back(changes)
            raise

    async def _store_history(self) -> None:
        """Repeating a batch that was stored although nobody heard of it changes nothing."""
        news = {"seconds": EVERY_SECONDS, "percent": LEAST_MOVE, "reset_seconds": RESET_TOLERANCE}
        while batch := self._history.next_batch():
            samples = orjson.dumps([sample.as_row() for sample in batch]).decode()
            async with self._database.session() as session:
                await session.run(STORE_SAMPLES, {"samples": samples, **news})
            self._history.stored(batch)

    async def run(self) -> None:
        """Store every second what changed, and merge what others stored, until cancelled."""
        loop = asyncio.get_running_loop()
        loaded_at = loop.time()
        try:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                self._follow_the_clock()
                await self._quietly(self.store)
                if loop.time() - loaded_at >= RELOAD_SECONDS:
                    loaded_at = loop.time()
                    await self._quietly(self.load)
                if news := self._quotas.news():
                    self._tell(news)
        finally:
            await self._quietly(self.store)

    def _follow_the_clock(self) -> None:
        if seconds := self._clock.jump():
            log.warning("the clock was set by %.0f seconds; what is known of quotas moves along", seconds)
            self._quotas.shift(seconds)
            self._history.shift(seconds)

    async def _quietly(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run it; say once when the database is away, and once when it is back."""
        try:
            await work()
        except (TimeoutError, psycopg2.Error, OSError) as exc:
            if not self._complained:
                log.warning("quota evidence cannot be stored or read (%s); it is kept in memory", type(exc).__name__)
            self._complained = True
            return
        if self._complained:
            log.info("quota evidence is stored again")
        self._complained = False
