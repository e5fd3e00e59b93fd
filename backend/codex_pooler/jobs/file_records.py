"""Keeps the files that this process knows and those in the database alike, and forgets the long expired."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg2

from codex_pooler.gateway.files import KEPT_AFTER_EXPIRY, FileRecord, Files
from codex_pooler.storage import queries_files as queries
from codex_pooler.storage.database import UNAVAILABLE, Database

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
KEEP_SECONDS = 1.0  # how long a client's answer waits for its file to be in the database
RELOAD_SECONDS = 30.0
RECENT_SECONDS = 3600.0  # what a reload looks at again; older news come by notification
SWEEP_SECONDS = 900.0
BATCH = 100  # ids in one notification


class FileKeeper:
    """One per process.  A file is in the database a moment after it is here, and in other processes right after."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database, self.files = database, files
        self._complained = False

    async def load(self) -> None:
        """Read everything, at start.  Raises what the database raises."""
        async with self._database.session() as session:
            self.files.merge(map(_record, await session.fetch(queries.FRESH, since=_instant(0))))

    async def look_up(self, file_id: str) -> None:
        """Ask the database for a file that another process may have created a moment ago.  Raises as ``load``."""
        if self.files.knows(file_id):
            return
        async with self._database.session() as session:
            self.files.merge(map(_record, await session.fetch(queries.BY_IDS, ids=[file_id])))

    async def look_up_pool(self, pool_id: UUID) -> None:
        """Hear of the files that other processes created a moment ago; but not wait for a database that is away."""
        with suppress(*UNAVAILABLE):
            async with asyncio.timeout(KEEP_SECONDS), self._database.session() as session:
                self.files.merge(map(_record, await session.fetch(queries.OF_POOL, pool_id=pool_id)))

    async def changed(self, payload: str) -> None:
        """A notification: another process, or this one, stored these files."""
        async with self._database.session() as session:
            self.files.merge(map(_record, await session.fetch(queries.BY_IDS, ids=orjson.loads(payload))))

    async def run(self) -> None:
        """Store, reload and sweep until cancelled."""
        loop = asyncio.get_running_loop()
        reload_at, sweep_at = loop.time() + RELOAD_SECONDS, loop.time() + SWEEP_SECONDS
        while True:
            await self._something_to_store(reload_at - loop.time())
            try:
                await self.store()
                if loop.time() >= reload_at:
                    reload_at = loop.time() + RELOAD_SECONDS
                    await self._reload()
                if loop.time() >= sweep_at:
                    sweep_at = loop.time() + SWEEP_SECONDS
                    await self.sweep(time.time())
                self._complained = False
            except UNAVAILABLE as exc:
                self._complain(exc)
                await asyncio.sleep(RETRY_SECONDS)

    async def _something_to_store(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self.files.arrived.wait()
        except TimeoutError:
            return

    async def store(self) -> None:
        """Write what has changed here.  Raises what the database raises; nothing is lost then."""
        async with self.files.storing:
            records = self.files.take_unsaved()
            for start in range(0, len(records), BATCH):
                try:
                    await self._store_or_split(records[start : start + BATCH])
                except BaseException:
                    self.files.keep_unsaved(records[start:])
                    raise

    async def keep(self) -> None:
        """Let a client hear of its file only once that outlives this process; but not wait for a database that is
        away."""
        with suppress(*UNAVAILABLE):
            async with asyncio.timeout(KEEP_SECONDS):
                await self.store()

    async def store_the_rest(self) -> None:
        """At shutdown.  What does not reach the database is lost with the process; its clients upload again."""
        try:
            async with asyncio.timeout(5):
                await self.store()
        except Exception as exc:
            log.warning("some file records could not be stored (%s)", type(exc).__name__)

    async def sweep(self, now: float) -> None:
        """Forget, here and in the database, what expired more than a day before ``now`` (unix seconds)."""
        self.files.sweep(now)
        async with self._database.session() as session:
            await session.execute(queries.SWEEP, before=_instant(now - KEPT_AFTER_EXPIRY))

    async def _reload(self) -> None:
        async with self._database.session() as session:
            rows = await session.fetch(queries.FRESH, since=_instant(time.time() - RECENT_SECONDS))
        self.files.merge(map(_record, rows))

    async def _store_or_split(self, records: Sequence[FileRecord]) -> None:
        """One record that PostgreSQL cannot take must not hold up all the others for ever."""
        try:
            await self._store(records)
        except (psycopg2.DataError, psycopg2.IntegrityError) as exc:
            if len(records) == 1:
                log.error("a file record cannot be stored and is dropped: %s", type(exc).__name__)
                return
            for record in records:
                await self._store_or_split([record])

    async def _store(self, records: Sequence[FileRecord]) -> None:
        rows = orjson.dumps([_row(record) for record in records]).decode()
        ids = orjson.dumps([record.id for record in records if len(record.id) <= 64]).decode()
        async with self._database.session() as session:
            await session.run(queries.STORE, {"rows": rows, "ids": ids})

    def _complain(self, exc: BaseException) -> None:
        if not self._complained:
            log.warning("file records cannot be stored or read (%s); they wait in memory", type(exc).__name__)
        self._complained = True


def _row(record: FileRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in FileRecord.__dataclass_fields__}
    return row | {"created_at": _instant(record.created_at), "expires_at": _instant(record.expires_at)}


def _record(row: Any) -> FileRecord:
    return FileRecord(
        id=row.id,
        pool_id=row.pool_id,
        api_key_id=row.api_key_id,
        account_id=row.account_id,
        name=row.name,
        bytes=row.bytes,
        purpose=row.purpose,
        status=row.status,
        created_at=row.created_at.timestamp(),
        expires_at=row.expires_at.timestamp(),
    )


def _instant(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
