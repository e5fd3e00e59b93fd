"""Moves finished turns from the spool into PostgreSQL, in batches, and replays what a crash left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import orjson
import psycopg2
from psycopg2.errors import CheckViolation

from codex_pooler.accounting.journal import Journal
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_log import STORE, create_partition
from codex_pooler.storage.spool import Orphan, Spool

log = logging.getLogger(__name__)

BATCH = 500
LINGER_SECONDS = 0.25  # how long a batch may gather
RETRY_SECONDS = 1.0
ORPHANS_SECONDS = 60.0
DAYS_AHEAD = 3


class LogWriter:
    """One per process.  ``stored`` is told the number of rows after each batch."""

    def __init__(self, database: Database, spool: Spool, journal: Journal, stored: Callable[[int], None]) -> None:
        self._database, self._spool, self._journal, self._stored = database, spool, journal, stored
        self._complained = False
        self._storing = asyncio.Lock()
        self._stored_through = time.monotonic()

    async def run(self) -> None:
        """Write until cancelled."""
        replayed_at = -ORPHANS_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - replayed_at >= ORPHANS_SECONDS:
                replayed_at = loop.time()
                await self._quietly(self.replay_orphans)
            try:
                async with asyncio.timeout(ORPHANS_SECONDS):
                    await self._journal.arrived.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(LINGER_SECONDS)
            self._journal.arrived.clear()
            if not await self._quietly(self.drain):
                self._journal.arrived.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def drain(self) -> None:
        """Store everything that has ended.  Raises what the database raises; nothing is lost then."""
        while stored := await self._store_batch():
            self._stored(stored)

    async def _store_batch(self) -> int:
        """Move the next records; how many there were."""
        async with self._storing:
            taken_at, records = time.monotonic(), self._spool.take(BATCH)
            if records:
                await self._store_or_split(records)
            self._spool.confirm()
            if len(records) < BATCH:
                self._stored_through = taken_at
        return len(records)

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[float]:
        """While inside, nothing of this process is being stored.  Yields the moment (monotonic seconds) up to which
        every turn that ended is in the database, and none that ended later."""
        async with self._storing:
            yield self._stored_through

    async def replay_orphans(self) -> None:
        """Store what dead processes left: their ends as they are, their unfinished turns as interrupted."""
        for orphan in self._spool.orphans():
            records = [*orphan.ends, *map(interrupted, orphan.unfinished)]
            for start in range(0, len(records), BATCH):
                await self._store_or_split(records[start : start + BATCH])
            self._spool.forget(orphan)
            self._tell(orphan, len(records))

    async def make_partitions(self) -> None:
        """Have today's partition and the next days' ready."""
        today = datetime.now(UTC).date()
        await self._create(today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD))

    async def _store_or_split(self, records: Sequence[bytes]) -> None:
        """One row that PostgreSQL cannot take must not hold up all the others for ever."""
        try:
            await self._store(records)
        except (psycopg2.DataError, psycopg2.IntegrityError) as exc:
            if len(records) == 1:
                log.error("a log row cannot be stored and is dropped: %s", type(exc).__name__)
                return
            for record in records:
                await self._store_or_split([record])

    async def _store(self, records: Sequence[bytes]) -> None:
        rows = {"rows": (b"[" + b",".join(records) + b"]").decode()}
        try:
            async with self._database.session() as session:
                await session.run(STORE, rows)
        except CheckViolation:  # a day without a partition: the clock was wrong, or the process slept for days
            await self._create({datetime.fromisoformat(orjson.loads(r)["admitted_at"]).date() for r in records})
            async with self._database.session() as session:
                await session.run(STORE, rows)

    async def _create(self, days: Iterable[date]) -> None:
        async with self._database.session() as session:
            for day in days:
                await session.run(create_partition(day))

    async def _quietly(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Run it; with the database away say so once and leave the records in the spool."""
        try:
            await work()
        except (TimeoutError, psycopg2.Error, OSError) as exc:
            if not self._complained:
                log.warning("log rows cannot be stored (%s); they stay in the spool until they can", exc)
            self._complained = True
            return False
        if self._complained:
            log.info("log rows are stored again")
        self._complained = False
        return True

    def _tell(self, orphan: Orphan, count: int) -> None:
        log.info(
            "recovered %d turns of a process that was killed, %d of them interrupted", count, len(orphan.unfinished)
        )
        self._stored(count)


def interrupted(begun: bytes) -> bytes:
    """The final row of a turn whose process died: it ends where recovery found it, with unknown usage."""
    row = orjson.loads(begun)
    now = datetime.now(UTC)
    admitted = datetime.fromisoformat(row["admitted_at"])
    row.update(
        status="interrupted",
        error_code="gateway_stopped",
        completed_at=now.isoformat(),
        duration_ms=max(0, round((now - admitted).total_seconds() * 1000)),
        response_bytes=0,
        attempts=[],
        excluded={},
    )
    return orjson.dumps(row)
