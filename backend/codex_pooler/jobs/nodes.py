"""Tells the other processes that this one is alive, what it leads and which drains it knows of; forgets the dead."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import psycopg2

from codex_pooler.storage import queries_nodes as queries
from codex_pooler.storage.database import UNAVAILABLE, Database
from codex_pooler.storage.ids import uuid7

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
DRAINING_BEAT_SECONDS = 1.0  # somebody waits for the last turn to end
NOT_WRITTEN = (psycopg2.Error, *UNAVAILABLE)


@dataclass(frozen=True)
class Drains:
    """Accounts that are being drained: those this process knows of, and those of them that still serve a turn here."""

    known: Collection[UUID] = ()
    busy: Collection[UUID] = ()


@dataclass(frozen=True)
class Node:
    """One per process: the row that says so."""

    database: Database
    role: str
    version: str
    leads: Callable[[], list[str]] = lambda: []
    drains: Callable[[], Drains] = Drains
    key_version: Callable[[], int] = lambda: 0
    id: UUID = field(default_factory=uuid7)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    alive: Counter[str] = field(default_factory=Counter)  # processes by role as of the last beat; empty: not known

    async def run(self) -> None:
        """Beat until cancelled, and then leave, so that nobody waits for this process."""
        try:
            while True:
                try:
                    await self.beat()
                except NOT_WRITTEN:
                    self.alive.clear()
                await asyncio.sleep(DRAINING_BEAT_SECONDS if self.drains().known else BEAT_SECONDS)
        finally:
            with suppress(*NOT_WRITTEN):
                async with asyncio.timeout(1), self.database.session() as session:
                    await session.execute(queries.LEAVE, node=self.id)

    async def beat(self) -> None:
        """Renew the row.  Raises what the database raises."""
        drains = self.drains()
        async with self.database.session() as session:
            await session.execute(
                queries.BEAT,
                id=self.id,
                role=self.role,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=self.version,
                key_version=self.key_version(),
                started_at=self.started_at,
                leads=self.leads(),
                drains_known=list(drains.known),
                drains_busy=list(drains.busy),
            )
            rows = await session.fetch(queries.ALIVE, seconds=queries.ALIVE_SECONDS)
        self.alive.clear()
        self.alive.update(row.role for row in rows)


async def forget_the_dead(database: Database) -> None:
    """Runs until cancelled, in one process."""
    while True:
        with suppress(*NOT_WRITTEN):
            async with database.session() as session:
                await session.execute(queries.FORGET, seconds=queries.FORGOTTEN_SECONDS)
        await asyncio.sleep(BEAT_SECONDS)
