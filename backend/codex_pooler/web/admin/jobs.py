"""Background jobs as owners see and steer them: the kinds with their history, and every job of the last days."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2

from codex_pooler.jobs import schedule
from codex_pooler.jobs.clock import next_tick
from codex_pooler.jobs.queue import EVENT, MANUAL
from codex_pooler.jobs.roles import LEADING, WORKING
from codex_pooler.jobs.schedule import JOBS
from codex_pooler.storage import queries_jobs as queries
from codex_pooler.storage import queries_nodes
from codex_pooler.storage.database import Session
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.live import BROADCASTER, Change
from codex_pooler.web.admin.openapi import BASE_PATH
from codex_pooler.web.admin.problems import Problem, not_found
from codex_pooler.web.admin.schemas.common import page
from codex_pooler.web.admin.schemas.jobs import (
    ROLE_MISSING,
    Job,
    JobListQuery,
    JobPage,
    JobQueued,
    JobWorkerList,
)

api = Api("jobs")
DEFAULT_LIMIT = 50
OVERDUE = timedelta(minutes=5)
AWAY_SECONDS = 120.0  # a role of which nothing was heard for so long is missing
# what may be done with a job in a state
ALLOWED: Mapping[str, Sequence[str]] = {
    "available": ("cancel",),
    "scheduled": ("retry", "cancel"),
    "executing": ("cancel",),
    "retryable": ("retry", "discard"),
    "discarded": ("retry", "discard"),
}
# what procrastinate calls a moment -> the state it began
MOMENTS = {
    "deferred": "available",
    "scheduled": "scheduled",
    "started": "executing",
    "deferred_for_retry": "retryable",
    "retried": "available",
    "succeeded": "completed",
    "failed": "discarded",
    "cancelled": "cancelled",
    "aborted": "cancelled",
}
TARGETS = {"account": "account_id", "pool": "pool_id", "invite": "invite_id"}


@api.endpoint("GET", "/jobs/workers", needs="jobs:read", returns=JobWorkerList)
async def list_job_workers(call: Call) -> Any:
    """Every kind of job: its schedule, its last attempts, and what needs attention."""
    async with call.context.database.session() as session:
        counted = await session.fetch(queries.COUNTS)
        runs = await session.fetch(queries.LAST_RUNS)
        alive = await session.fetch(queries_nodes.ALIVE, seconds=AWAY_SECONDS)
    by_kind: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in counted:
        by_kind[row.name][row.state] = row
    history: dict[str, list[Any]] = defaultdict(list)
    for run in runs:
        history[run.name].append(_run_view(run))
    roles = {row.role for row in alive}
    return page([_worker_view(job, by_kind[job.name], history[job.name], roles) for job in JOBS.values()])


@api.endpoint(
    "POST",
    "/jobs/workers/{worker}/run",
    needs="jobs:write",
    returns=JobQueued,
    status=202,
    errors=(404, 409),
    audit="job.run",
)
async def run_job_worker(call: Call) -> Any:
    """Queue a job of one kind now."""
    job = JOBS.get(call.request.match_info["worker"])
    if job is None:
        raise not_found()
    if not job.manual:
        raise Problem(409, "invalid_state_transition", f"{job.title} cannot be started by hand.")
    async with call.context.database.transaction() as session:
        queued = await call.context.queue.enqueue(job.name, trigger=MANUAL, unless_running=True, session=session)
        if queued.already:
            raise Problem(409, "job_already_queued", f"{job.title}: one waits or runs already. See what becomes of it.")
        await call.record(session, _steered(session, job.title, queued.id))
    _publish(call, "created")
    return {
        "job": {"id": str(queued.id), "worker": job.name, "state": "available"},
        "status_url": f"{BASE_PATH}/jobs/{queued.id}",
    }


@api.endpoint("GET", "/jobs", needs="jobs:read", query=JobListQuery, returns=JobPage)
async def list_jobs(call: Call) -> Any:
    """Jobs, newest first; follow ``next_cursor`` for older ones."""
    limit, before = call.query.get("limit", DEFAULT_LIMIT), _cursor(call.query.get("cursor"))
    states, workers = call.query.get("state") or None, call.query.get("worker") or None
    async with call.context.database.session() as session:
        rows = await queries.newest(session, limit + 1, before, states, workers)
    now = datetime.now(UTC)
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    return page([_job_view(row, now) for row in rows[:limit]], limit=limit, next_cursor=following)


@api.endpoint("GET", "/jobs/{job}", needs="jobs:read", returns=Job, errors=(404,))
async def get_job(call: Call) -> Any:
    """One job with its moments."""
    async with call.context.database.session() as session:
        return _job_view(await _job(session, _number(call)), datetime.now(UTC))


@api.endpoint("POST", "/jobs/{job}/retry", needs="jobs:write", returns=Job, errors=(404, 409), audit="job.retry")
async def retry_job(call: Call) -> Any:
    """Run a job again that was given up, or one at once that waits for its next attempt."""
    return await _steer(call, "retry")


@api.endpoint("POST", "/jobs/{job}/cancel", needs="jobs:write", returns=Job, errors=(404, 409), audit="job.cancel")
async def cancel_job(call: Call) -> Any:
    """Take a waiting job out of the queue, or ask a running one to stop."""
    return await _steer(call, "cancel")


@api.endpoint("POST", "/jobs/{job}/discard", needs="jobs:write", returns=Job, errors=(404, 409), audit="job.discard")
async def discard_job(call: Call) -> Any:
    """Let go of a job that failed: it is not tried again, and needs no more attention."""
    return await _steer(call, "discard")


async def _steer(call: Call, action: str) -> Any:
    number = _number(call)
    async with call.context.database.transaction() as session:
        row = await _job(session, number)
        if action not in ALLOWED.get(row.state, ()):
            raise _not_now(action, row.state)
        if not await _DOING[action](session, row):
            raise Problem(409, "job_already_queued", "The same job has changed or waits already. Look at it again.")
        await call.record(session, _steered(session, _title(row.name), number))
    _publish(call, "updated")
    async with call.context.database.session() as session:
        return _job_view(await _job(session, number), datetime.now(UTC))


async def _retry(session: Session, row: Any) -> bool:
    if row.state != "discarded":
        return await queries.make_due(session, row.id)
    with suppress(psycopg2.errors.RaiseException):
        return await queries.requeue(session, row.id)
    return False


async def _cancel(session: Session, row: Any) -> bool:
    return await queries.cancel(session, row.id)


async def _discard(session: Session, row: Any) -> bool:
    if row.state == "discarded":
        return await queries.dismiss(session, row.id)
    return await queries.cancel(session, row.id)


_DOING = {"retry": _retry, "cancel": _cancel, "discard": _discard}


def _not_now(action: str, state: str) -> Problem:
    possible = ", ".join(ALLOWED.get(state, ())) or "nothing"
    return Problem(409, "invalid_state_transition", f"A job that is {state} takes no {action}; possible: {possible}.")


def _steered(session: Session, title: str, number: int) -> Changing:
    return Changing(session, label=title, details={"job_id": str(number)})


def _publish(call: Call, kind: str) -> None:
    call.request.app[BROADCASTER].publish(Change("jobs", kind))


async def _job(session: Session, number: int) -> Any:
    row = await session.one(queries.ONE, id=number)
    if row is None:
        raise not_found()
    return row


def _number(call: Call) -> int:
    number = call.request.match_info["job"]
    if not number.isdecimal() or len(number) > 18:
        raise not_found()
    return int(number)


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise Problem(400, "invalid_cursor", "The cursor is not one of ours; start again without it.")
    return int(text)


# -- views


def _worker_view(
    job: schedule.Job, states: Mapping[str, Any], history: Sequence[Mapping[str, Any]], roles: set[str]
) -> dict[str, Any]:
    counts = {state: states[state].jobs if state in states else 0 for state in ALLOWED if state != "discarded"}
    upcoming = next_tick(job.schedule, time.time()) if job.schedule else None
    return {
        "name": job.name,
        "title": job.title,
        "schedule": job.schedule,
        "timezone": "UTC",
        "next_run_at": datetime.fromtimestamp(upcoming, UTC) if upcoming else None,
        "last_run": history[0] if history else None,
        "manual": job.manual,
        "counts": {**counts, "failed_24h": states["discarded"].today if "discarded" in states else 0},
        "history": history,
        "attention": _worker_attention(job, states, roles),
    }


def _worker_attention(job: schedule.Job, states: Mapping[str, Any], roles: set[str]) -> list[str]:
    def oldest(state: str) -> float:
        return states[state].oldest_seconds if state in states else 0.0

    found = {
        ROLE_MISSING: not (roles & WORKING) or bool(job.schedule and not roles & LEADING),
        "active_failure": "discarded" in states,
        "retry_pressure": "retryable" in states,
        "stuck_executing": oldest("executing") > job.timeout_seconds,
        "backlog_pressure": oldest("available") > OVERDUE.total_seconds(),
    }
    return [name for name, holds in found.items() if holds]


def _run_view(run: Any) -> dict[str, Any]:
    return {"at": run.finished_at, "state": run.outcome, "duration_ms": _milliseconds(run.started_at, run.finished_at)}


def _job_view(row: Any, now: datetime) -> dict[str, Any]:
    kind = JOBS.get(row.name)
    ended = row.ended_at if row.state in ("completed", "discarded", "cancelled") else None
    return {
        "id": str(row.id),
        "worker": row.name,
        "title": _title(row.name),
        "state": row.state,
        "attention": _attention(row, kind, now),
        "stopping": row.stopping,
        "attempt": row.attempts + (row.state == "executing"),
        "max_attempts": kind.max_attempts if kind else 1,
        "priority": row.priority,
        "target": _target(row),
        "scheduled_at": row.scheduled_at,
        "attempted_at": row.attempted_at,
        "completed_at": ended,
        "duration_ms": _milliseconds(row.attempted_at, ended) if ended and row.attempted_at else None,
        "error": {"at": row.failed_at, "code": row.code, "message": row.message or ""} if row.code else None,
        "trigger": row.args.get("trigger", EVENT),
        "timeline": [
            {"at": at, "state": MOMENTS[moment]}
            for moment, at in zip(row.types or (), row.moments or (), strict=True)
            if moment in MOMENTS
        ],
        "allowed_actions": [] if row.stopping else ALLOWED.get(row.state, ()),
    }


def _attention(row: Any, kind: schedule.Job | None, now: datetime) -> str | None:
    if row.state == "discarded":
        return "active_failure"
    if row.state == "retryable":
        return "retry_pressure"
    if row.state == "executing" and kind and row.attempted_at:
        return "stuck_executing" if now - row.attempted_at > timedelta(seconds=kind.timeout_seconds) else None
    late = row.state == "available" and row.scheduled_at and now - row.scheduled_at > OVERDUE
    return "backlog_pressure" if late else None


def _target(row: Any) -> dict[str, Any]:
    for kind, name in TARGETS.items():
        with suppress(ValueError, TypeError):
            if name in row.args:
                return {"type": kind, "id": UUID(row.args[name]), "label": row.target_label}
    return {"type": "system", "id": None, "label": None}


def _title(name: str) -> str:
    kind = JOBS.get(name)
    return kind.title if kind else name


def _milliseconds(since: datetime, until: datetime) -> int:
    return max(0, round((until - since).total_seconds() * 1000))
