"""Puts background jobs into the queue, from any process; whoever runs jobs hears of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from codex_pooler.jobs.schedule import JOBS, Job
from codex_pooler.storage import queries_jobs as queries
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.queries_jobs import Deferred as Enqueued

EVENT, MANUAL, SCHEDULE = "event", "manual", "schedule"


@dataclass(frozen=True)
class Queue:
    """One per process."""

    database: Database
    jobs: Mapping[str, Job] = field(default_factory=lambda: JOBS)

    async def enqueue(
        self,
        name: str,
        *,
        key: str | None = None,
        trigger: str = EVENT,
        at: datetime | None = None,
        unless_running: bool = False,
        session: Session | None = None,
        **ids: Any,
    ) -> Enqueued:
        """Queue a job; ``already`` when one of that name and key waits (with ``unless_running``: or runs).

        ``ids`` are shown to operators: ids only, nothing secret.  With ``session`` the job becomes part of that
        transaction and exists only if it commits.  ``at``: not before then.  Raises KeyError for a name that nobody
        knows, and what the database raises.
        """
        lock = self.jobs[name].lock(key)
        args = {"trigger": trigger, **_plain(ids)}
        if session is not None:
            return await queries.defer(session, name, lock, args, at, unless_running=unless_running)
        async with self.database.session() as own:
            return await queries.defer(own, name, lock, args, at, unless_running=unless_running)


def _plain(ids: Mapping[str, Any]) -> dict[str, Any]:
    kept = (int, list, type(None))
    return {name: value if isinstance(value, kept) else str(value) for name, value in ids.items()}
