"""Queues the jobs that run by the clock: each moment of a schedule once, whoever's clock it is, and late if need be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import psycopg2
from croniter import croniter

from codex_pooler.jobs.queue import SCHEDULE
from codex_pooler.jobs.schedule import JOBS, Job
from codex_pooler.storage.database import UNAVAILABLE, Database
from codex_pooler.storage.queries_jobs import defer_tick

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


async def keep_the_schedule(database: Database, jobs: Iterable[Job] = JOBS.values()) -> None:
    """Runs until cancelled.  The database knows which moments are done, so that a second clock does no harm."""
    done: dict[str, int] = {}
    while True:
        try:
            await queue_what_is_due(database, jobs, done, time.time())
        except (psycopg2.Error, *UNAVAILABLE) as exc:
            log.warning("scheduled jobs cannot be queued now (%s), trying again", type(exc).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def queue_what_is_due(database: Database, jobs: Iterable[Job], done: dict[str, int], now: float) -> None:
    """Queue each job's latest moment until ``now`` (unix seconds) that ``done`` lacks.  Raises as the database."""
    for job in jobs:
        if job.schedule is None or (tick := last_tick(job.schedule, now)) == done.get(job.name):
            continue
        async with database.session() as session:
            if await defer_tick(session, job.name, job.lock(None), {"trigger": SCHEDULE}, tick):
                log.debug("queued %s for %d", job.name, tick)
        done[job.name] = tick


def last_tick(schedule: str, now: float) -> int:
    """The schedule's latest moment at or before ``now``, unix seconds."""
    return int(croniter(schedule, now + 1e-3).get_prev(float))


def next_tick(schedule: str, now: float) -> float:
    """The schedule's first moment after ``now``, unix seconds."""
    return float(croniter(schedule, now).get_next(float))
