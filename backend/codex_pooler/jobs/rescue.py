"""Puts jobs whose worker is gone back into the queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import psycopg2

from codex_pooler.jobs.schedule import JOBS, Job
from codex_pooler.storage import queries_jobs as queries
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.storage.queries_jobs import Run

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0  # a worker that has not been heard of for so long is gone; it says something every 10 s
EVERY_SECONDS = 10.0
HEARD_SECONDS = 15.0  # within so much of the database being there, whoever lives has been heard of
RESCUES = 3  # more than its attempts: what takes so many workers down with it is not tried again
LOST = "The process that ran it ended, or lost the database for a minute."


async def keep_rescuing(database: Database, lease_seconds: float = LEASE_SECONDS) -> None:
    """Runs until cancelled, in one process.  When nobody could be heard, everybody gets the time to be heard again."""
    wait = HEARD_SECONDS
    while True:
        await asyncio.sleep(wait)
        try:
            await rescue(database, lease_seconds)
            wait = EVERY_SECONDS
        except (psycopg2.Error, *UNAVAILABLE) as exc:
            log.warning("jobs of lost workers cannot be looked for (%s), trying again", type(exc).__name__)
            wait = HEARD_SECONDS


async def rescue(database: Database, lease_seconds: float, jobs: Mapping[str, Job] = JOBS) -> int:
    """One pass; how many jobs were found.  Raises what the database raises."""
    async with database.transaction() as session:
        found = await queries.stalled(session, lease_seconds)
        for job in found:
            await _put_back(session, job, jobs.get(job.name))
        await queries.prune_workers(session)
    return len(found)


async def _put_back(session: Session, job: Any, kind: Job | None) -> None:
    attempt = job.attempts + 1
    if job.stopping:
        outcome = await _end(session, job.id, "aborted", "cancelled")
    elif attempt >= (kind.max_attempts if kind else 1) + RESCUES:
        outcome = await _end(session, job.id, "failed", "discarded")
    elif await queries.requeue(session, job.id):
        outcome = "retryable"
    else:  # the same job waits already, so that there is nothing to repeat
        outcome = await _end(session, job.id, "aborted", "cancelled")
    log.warning("the job %s %d lost its worker and is %s", job.name, job.id, outcome)
    await queries.record(session, Run(job.id, job.name, attempt, outcome, job.started_at, "worker_lost", LOST))


async def _end(session: Session, job_id: int, status: str, outcome: str) -> str:
    await queries.finish(session, job_id, status)
    return outcome
