"""Keeps session bindings alike here, in the database and so in other processes, and removes what has expired."""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg2

from codex_pooler.routing.bindings import CAPACITY, LIFETIME_SECONDS, Binding, Bindings, Changes
from codex_pooler.storage import queries_bindings as queries
from codex_pooler.storage.database import UNAVAILABLE, Database, Session

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
MERGE_SECONDS = 30.0
SWEEP_SECONDS = 3600.0
OVERLAP_SECONDS = 60.0  # other processes' clocks, and transactions that were still open when we looked
COLUMNS = ("digests", "pool_ids", "account_ids", "kinds", "seen")


class BindingKeeper:
    """One per process.  With the database away everything stays in memory until it is back."""

    def __init__(self, database: Database, bindings: Bindings) -> None:
        self._database, self._bindings = database, bindings
        self._merged_at = 0.0

    async def load(self) -> None:
        """Before the first turn: what earlier processes knew.  Without a database every session begins anew."""
        try:
            await self.merge(time.time())
        except UNAVAILABLE as exc:
            log.warning(
                "session bindings could not be read (%s); running sessions may move to other accounts",
                type(exc).__name__,
            )

    async def run(self) -> None:
        """Write, merge and sweep until cancelled."""
        swept_at = time.time()
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            now = time.time()
            try:
                await self.store()
                if abs(now - self._merged_at) >= MERGE_SECONDS:
                    await self.merge(now)
                if abs(now - swept_at) >= SWEEP_SECONDS:
                    swept_at = now
                    await self.sweep(now)
            except (*UNAVAILABLE, psycopg2.Error) as exc:  # an account deleted in this very moment, too
                log.debug("session bindings wait in memory (%s)", type(exc).__name__)

    async def store(self) -> None:
        """Write what has changed here.  Raises what the database raises; nothing is lost then."""
        while changes := self._bindings.take_changes():
            try:
                async with self._database.transaction() as session:
                    await _write(session, changes)
            except BaseException:
                self._bindings.give_back(changes)
                raise

    async def store_the_rest(self) -> None:
        """At shutdown.  What does not reach the database is lost: those sessions may move to another account."""
        try:
            async with asyncio.timeout(5):
                await self.store()
        except Exception as exc:
            log.warning("some session bindings could not be stored (%s)", type(exc).__name__)

    async def merge(self, now: float) -> None:
        """Take over what others wrote since the last time.  ``now`` is in unix seconds; raises as the database does."""
        since = max(min(self._merged_at, now) - OVERLAP_SECONDS, now - LIFETIME_SECONDS)
        async with self._database.session() as session:
            rows = await session.fetch(queries.SINCE, since=since, most=CAPACITY)
        self._merged_at = now
        self._bindings.restore(
            Binding(bytes(row.digest), row.pool_id, row.account_id, row.kind, row.seen) for row in reversed(rows)
        )

    async def sweep(self, now: float) -> None:
        """Remove from the database what nobody has seen for a day."""
        async with self._database.session() as session:
            await session.execute(queries.EXPIRE, before=now - LIFETIME_SECONDS)


async def _write(session: Session, changes: Changes) -> None:
    if changes.released:
        accounts, moments = list(changes.released), list(changes.released.values())
        await session.run(queries.RELEASE, {"account_ids": accounts, "seen": moments})
    if bound := sorted(changes.bound):  # in one order, so that two processes never wait for each other
        columns = zip(COLUMNS, zip(*bound, strict=True), strict=True)
        await session.run(queries.STORE, {name: list(values) for name, values in columns})
