"""Background jobs in PostgreSQL: putting them into procrastinate's queue, reading them back, and what became of them.

A job waits in a queue of its own name, so that a process of an older version never takes one it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import psycopg2
import sqlalchemy as sa

from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import job_runs

# -- the queue

_WAITING = Query(
    sa.text(
        "SELECT id FROM procrastinate_jobs"
        " WHERE queueing_lock = :lock AND (status = 'todo' OR (:running AND status = 'doing')) ORDER BY id DESC LIMIT 1"
    )
)
_DEFER = Query(
    sa.text(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)"
        " VALUES (:name, :name, :lock, :lock, CAST(:args AS jsonb), :at)"
        " ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id"
    )
)
_DEFER_TICK = Query(
    sa.text(
        "SELECT procrastinate_defer_periodic_job_v2("
        ":name, :lock, :lock, :name, 0, '', :tick, CAST(:args AS jsonb)) AS id"
    )
)
_STALLED = Query(
    sa.text(
        "SELECT job.id, job.task_name AS name, job.attempts, job.abort_requested AS stopping, coalesce("
        " (SELECT max(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'started'), now()) AS started_at"
        " FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id"
        " WHERE job.status = 'doing'"
        " AND (worker.id IS NULL OR worker.last_heartbeat < now() - :seconds * interval '1 second')"
        " ORDER BY job.id FOR UPDATE OF job SKIP LOCKED"
    )
)
_REQUEUE = Query(sa.text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"))
_FINISH = Query(sa.text("SELECT procrastinate_finish_job_v1(:id, CAST(:status AS procrastinate_job_status), false)"))
_PRUNE_WORKERS = Query(sa.text("DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - interval '1 hour'"))
_RECORD = Query(
    sa.insert(job_runs).values(
        {column.name: sa.bindparam(column.name) for column in job_runs.c} | {"finished_at": sa.func.now()}
    )
)

# What an ended job leaves behind: the good for a day, the bad for a week, and the newest runs of every kind for ever.
FORGET_JOBS = Query(
    sa.text(
        "DELETE FROM procrastinate_jobs job WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')"
        " AND coalesce((SELECT max(at) FROM procrastinate_events WHERE job_id = job.id), '-infinity')"
        " < now() - CASE WHEN status = 'failed' THEN interval '7 days' ELSE interval '1 day' END"
    )
)
FORGET_RUNS = Query(
    sa.text(
        "DELETE FROM job_runs run USING (SELECT id, row_number() OVER"
        " (PARTITION BY name ORDER BY finished_at DESC, id DESC) AS age FROM job_runs) ranked"
        " WHERE run.id = ranked.id AND ranked.age > 20 AND run.finished_at < now() - interval '7 days'"
    )
)


class Deferred(NamedTuple):
    """A job in the queue; ``already``: it was there before."""

    id: int
    already: bool


class Run(NamedTuple):
    """An attempt that has ended; ``code`` and ``message`` say why it failed, without any secret."""

    job_id: int
    name: str
    attempt: int
    outcome: str
    started_at: datetime
    code: str | None = None
    message: str | None = None


async def defer(
    session: Session, name: str, lock: str, args: Mapping[str, Any], at: datetime | None, *, unless_running: bool
) -> Deferred:
    """Queue a job, unless one with the same lock waits already, or runs with ``unless_running``."""
    values = {"name": name, "lock": lock, "args": orjson.dumps(args).decode(), "at": at}
    while True:  # the one that was in the way may have been taken by a worker in between
        if waiting := await session.one(_WAITING, lock=lock, running=unless_running):
            return Deferred(waiting.id, True)
        if made := await session.one(_DEFER, **values):
            return Deferred(made.id, False)


async def defer_tick(session: Session, name: str, lock: str, args: Mapping[str, Any], tick: int) -> bool:
    """Queue the job of one moment of its schedule (unix seconds); False when somebody has, or one waits anyway."""
    values = {"name": name, "lock": lock, "args": orjson.dumps(args).decode(), "tick": tick}
    try:
        async with session.transaction():
            return (await session.one(_DEFER_TICK, **values)).id is not None
    except psycopg2.errors.UniqueViolation:
        return False


async def record(session: Session, run: Run) -> None:
    """Keep what became of an attempt; it ends now."""
    await session.execute(_RECORD, **run._asdict(), id=uuid7())


async def stalled(session: Session, seconds: float) -> list[Any]:
    """Jobs that run nowhere: their worker has not been heard of for so long.  Locked; needs a transaction."""
    return await session.fetch(_STALLED, seconds=seconds)


async def requeue(session: Session, job_id: int) -> bool:
    """Let a running or failed job run again, one attempt later.

    False when the same is waiting anyway.  Raises psycopg2.errors.RaiseException when it is in neither state.
    """
    try:
        async with session.savepoint():
            await session.execute(_REQUEUE, id=job_id)
    except psycopg2.errors.UniqueViolation:
        return False
    return True


async def finish(session: Session, job_id: int, status: str) -> None:
    """End a job as ``failed`` or ``aborted``."""
    await session.execute(_FINISH, id=job_id, status=status)


async def prune_workers(session: Session) -> None:
    """Forget workers that have been gone for long."""
    await session.execute(_PRUNE_WORKERS)


# -- what operators see

_STATE = """
CASE job.status::text
    WHEN 'doing' THEN 'executing'
    WHEN 'succeeded' THEN 'completed'
    WHEN 'failed' THEN 'discarded'
    WHEN 'todo' THEN CASE
        WHEN job.attempts > 0 THEN 'retryable' WHEN job.scheduled_at > now() THEN 'scheduled' ELSE 'available' END
    ELSE 'cancelled' END
"""
_VIEW = f"""
SELECT job.id, job.task_name AS name, {_STATE} AS state, job.attempts, job.priority, job.args,
    job.abort_requested AS stopping, coalesce(job.scheduled_at, told.deferred_at) AS scheduled_at,
    told.attempted_at, told.ended_at, told.types, told.moments, run.code, run.message, run.finished_at AS failed_at,
    coalesce(account.label, pool.name) AS target_label
FROM procrastinate_jobs job
LEFT JOIN LATERAL (
    SELECT min(at) FILTER (WHERE type = 'deferred') AS deferred_at,
        max(at) FILTER (WHERE type = 'started') AS attempted_at,
        max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS ended_at,
        array_agg(type::text ORDER BY id) AS types, array_agg(at ORDER BY id) AS moments
    FROM procrastinate_events WHERE job_id = job.id
) told ON true
LEFT JOIN LATERAL (
    SELECT code, message, finished_at FROM job_runs
    WHERE job_id = job.id AND code IS NOT NULL ORDER BY finished_at DESC, id DESC LIMIT 1
) run ON true
LEFT JOIN accounts account ON account.id::text = job.args->>'account_id'
LEFT JOIN pools pool ON pool.id::text = job.args->>'pool_id'
"""
ONE = Query(sa.text(f"{_VIEW} WHERE job.id = :id"))
_NEWEST = Query(
    sa.text(
        f"{_VIEW} WHERE (CAST(:before AS bigint) IS NULL OR job.id < :before)"
        " AND (CAST(:workers AS text[]) IS NULL OR job.task_name = ANY(CAST(:workers AS text[])))"
        f" AND (CAST(:states AS text[]) IS NULL OR {_STATE} = ANY(CAST(:states AS text[])))"
        " ORDER BY job.id DESC LIMIT :most"
    )
)
COUNTS = Query(
    sa.text(
        f"""
SELECT job.task_name AS name, {_STATE} AS state, count(*) AS jobs,
    CAST(max(extract(epoch FROM now() - coalesce(
        CASE WHEN job.status = 'todo' THEN job.scheduled_at END, told.at))) AS float8) AS oldest_seconds,
    count(*) FILTER (WHERE told.at > now() - interval '1 day') AS today
FROM procrastinate_jobs job
LEFT JOIN LATERAL (SELECT max(at) AS at FROM procrastinate_events WHERE job_id = job.id AND at <= now()) told ON true
WHERE job.status IN ('todo', 'doing', 'failed')
GROUP BY 1, 2
"""
    )
)
LAST_RUNS = Query(
    sa.text(
        "SELECT run.* FROM (SELECT DISTINCT name FROM job_runs) wanted CROSS JOIN LATERAL ("
        " SELECT name, outcome, started_at, finished_at FROM job_runs"
        " WHERE job_runs.name = wanted.name ORDER BY finished_at DESC, id DESC LIMIT 20) run"
    )
)
_DUE_NOW = Query(
    sa.text("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id = :id AND status = 'todo' RETURNING id")
)
_CANCEL = Query(sa.text("SELECT procrastinate_cancel_job_v1(:id, true, false) AS id"))
_DISMISS = Query(
    sa.text("UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = :id AND status = 'failed' RETURNING id")
)


async def newest(
    session: Session, most: int, before: int | None, states: list[str] | None, workers: list[str] | None
) -> list[Any]:
    """Jobs, the newest first; ``before``: older than this one.  None: no restriction."""
    return await session.fetch(_NEWEST, most=most, before=before, states=states, workers=workers)


async def make_due(session: Session, job_id: int) -> bool:
    """Let a waiting job run at once; False when it does not wait."""
    return await session.one(_DUE_NOW, id=job_id) is not None


async def cancel(session: Session, job_id: int) -> bool:
    """Take a waiting job out of the queue, or ask the worker that runs it to stop; False when it has ended."""
    return (await session.one(_CANCEL, id=job_id)).id is not None


async def dismiss(session: Session, job_id: int) -> bool:
    """A failed job needs no more attention; False when it has not failed."""
    return await session.one(_DISMISS, id=job_id) is not None
