"""Shapes of background jobs and of what runs them."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.web.admin.schemas.common import Instant, PageInfo, Shape, count, list_of, nested, out, text

STATES = ("available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled")
OUTCOMES = ("completed", "retryable", "discarded", "cancelled")
ATTENTION = ("active_failure", "retry_pressure", "stuck_executing", "backlog_pressure")
ROLE_MISSING = "jobs_role_missing"
TARGETS = ("account", "pool", "invite", "system")
ACTIONS = ("retry", "cancel", "discard")


class JobListQuery(Shape):
    """Repeat a parameter for "one of these"."""

    state = fields.List(fields.String(validate=validate.OneOf(STATES)), validate=validate.Length(max=10))
    worker = fields.List(fields.String(validate=validate.Length(1, 100)), validate=validate.Length(max=50))
    cursor = fields.String(validate=validate.Length(max=40))
    limit = fields.Integer(validate=validate.Range(1, 200))


class JobRun(Shape):
    """One attempt that has ended."""

    at = out(Instant)
    state = text(among=OUTCOMES)
    duration_ms = count()


class JobCounts(Shape):
    """Jobs of one kind by state, and how many were given up within a day."""

    executing = count()
    available = count()
    scheduled = count()
    retryable = count()
    failed_24h = count()


class JobWorker(Shape):
    """One kind of job.

    ``schedule`` is a cron line in ``timezone``, null for what only runs when it is asked for; ``history`` has the last
    20 attempts, the newest first.  ``attention`` says what is wrong; ``jobs_role_missing``: no process is there for it.
    """

    name = text()
    title = text()
    schedule = text(null=True)
    timezone = text()
    next_run_at = out(Instant, null=True)
    last_run = nested(JobRun, null=True)
    manual = out(fields.Boolean)
    counts = nested(JobCounts)
    history = list_of(JobRun)
    attention = list_of(fields.String(validate=validate.OneOf((*ATTENTION, ROLE_MISSING))))


class JobWorkerList(Shape):
    """Every kind of job."""

    items = list_of(JobWorker)
    page = nested(PageInfo)


class JobTarget(Shape):
    """What a job is about."""

    type = text(among=TARGETS)
    id = out(fields.UUID, null=True)
    label = text(null=True)


class JobError(Shape):
    """Why the last attempt failed."""

    at = out(Instant)
    code = text()
    message = text()


class JobMoment(Shape):
    """When a job came into a state."""

    at = out(Instant)
    state = text(among=STATES)


class Job(Shape):
    """One job.  ``stopping``: it runs and has been asked to stop; ``id`` is a number, written as text."""

    id = text()
    worker = text()
    title = text()
    state = text(among=STATES)
    attention = text(null=True, among=ATTENTION)
    stopping = out(fields.Boolean)
    attempt = count()
    max_attempts = count()
    priority = count()
    target = nested(JobTarget)
    scheduled_at = out(Instant, null=True)
    attempted_at = out(Instant, null=True)
    completed_at = out(Instant, null=True)
    duration_ms = count(null=True)
    error = nested(JobError, null=True)
    trigger = text(among=("schedule", "manual", "event"))
    timeline = list_of(JobMoment)
    allowed_actions = list_of(fields.String(validate=validate.OneOf(ACTIONS)))


class JobPage(Shape):
    """Newest first."""

    items = list_of(Job)
    page = nested(PageInfo)


class QueuedJob(Shape):
    """A job that has just been queued."""

    id = text()
    worker = text()
    state = text(among=STATES)


class JobQueued(Shape):
    """Where to see what becomes of it."""

    job = nested(QueuedJob)
    status_url = text()
