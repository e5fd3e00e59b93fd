"""A queue with jobs of the tests' own making, and workers for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import psycopg2

from codex_pooler.jobs.queue import Queue
from codex_pooler.jobs.schedule import Job
from codex_pooler.jobs.services import Services
from codex_pooler.jobs.worker import JobWorker, working
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import Metrics

PATIENCE = 30.0  # seconds; far more than anything here takes


@dataclass
class Bench:
    """Jobs, what they did, and where they are queued."""

    database: Database
    jobs: dict[str, Job] = field(default_factory=dict)
    done: list[Any] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def queue(self) -> Queue:
        return Queue(self.database, self.jobs)

    def job(self, name: str, work: Any = None, **more: Any) -> None:
        """One that does ``work``, or only notes its ids."""

        async def note(services: Services, **ids: Any) -> None:
            self.done.append(ids)

        self.jobs[name] = Job(name, name, work or note, **more)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[JobWorker]:
        services = cast(Services, SimpleNamespace(database=self.database, metrics=self.metrics))
        async with working(self.database.dsn, services, self.jobs) as worker:
            yield worker

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds; nothing while the database is away."""
        return await asyncio.to_thread(_rows, self.database.dsn, sql)

    async def states(self) -> list[tuple[Any, ...]]:
        return await self.rows("SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id")

    async def becomes(self, *states: tuple[str, int]) -> None:
        """Wait until the jobs are in these states, after so many attempts."""
        await self.until(self.states, lambda found: found == list(states))

    async def outcomes(self, *wanted: str) -> list[tuple[Any, ...]]:
        """Wait for what became of the attempts; with code and message."""
        sql = "SELECT outcome, attempt, code, message FROM job_runs ORDER BY finished_at, id"
        return cast(
            "list[tuple[Any, ...]]",
            await self.until(lambda: self.rows(sql), lambda found: tuple(row[0] for row in found) == wanted),
        )

    async def until(self, look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
        latest = time.monotonic() + PATIENCE
        while not holds(found := await look()):
            assert time.monotonic() < latest, found
            await asyncio.sleep(0.02)
        return found


def _rows(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()
