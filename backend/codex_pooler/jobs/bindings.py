"""Writes session bindings behind, reads other processes' back, and removes what has expired."""

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


async def restore_bindings(database: Database, bindings: Bindings) -> None:
    """Before the first turn: what earlier processes knew.  Without the database every session simply begins anew."""
    try:
        await _merge(database, bindings, time.time() - LIFETIME_SECONDS)
    except UNAVAILABLE as exc:
        log.warning("session bindings could not be read (%s); sessions may change their account", type(exc).__name__)


async def keep_bindings(database: Database, bindings: Bindings) -> None:
    """Write, merge and sweep until cancelled; with the database away everything stays in memory."""
    merged_at = swept_at = time.time()
    while True:
        await asyncio.sleep(WRITE_SECONDS)
        now = time.time()
        try:
            await store_bindings(database, bindings)
            if now - merged_at >= MERGE_SECONDS:
                await _merge(database, bindings, merged_at - OVERLAP_SECONDS)
                merged_at = now
            if now - swept_at >= SWEEP_SECONDS:
                swept_at = now
                await _sweep(database, now)
        except (*UNAVAILABLE, psycopg2.Error) as exc:
            log.debug("session bindings wait in memory (%s)", type(exc).__name__)


async def store_bindings(database: Database, bindings: Bindings) -> None:
    """Write everything that changed.  Raises what the database raises; nothing is lost then."""
    while changes := bindings.take_changes():
        try:
            async with database.transaction() as session:
                await _write(session, changes)
        except BaseException:
            bindings.give_back(changes)
            raise


async def _write(session: Session, changes: Changes) -> None:
    if changes.released:
        await session.run(
            queries.RELEASE,
            {"account_ids": list(changes.released), "seen": list(changes.released.values())},
        )
    if bound := sorted(changes.bound):  # in one order, so that two processes never wait for each other
        columns = list(zip(*bound, strict=True))
        names = ("digests", "pool_ids", "account_ids", "kinds", "seen")
        await session.run(queries.STORE, {name: list(column) for name, column in zip(names, columns, strict=True)})


async def _merge(database: Database, bindings: Bindings, since: float) -> None:
    async with database.session() as session:
        rows = await session.fetch(queries.SINCE, since=since, most=CAPACITY)
    bindings.restore(
        Binding(bytes(row.digest), row.pool_id, row.account_id, row.kind, row.seen) for row in reversed(rows)
    )


async def _sweep(database: Database, now: float) -> None:
    async with database.session() as session:
        await session.execute(queries.EXPIRE, before=now - LIFETIME_SECONDS)
