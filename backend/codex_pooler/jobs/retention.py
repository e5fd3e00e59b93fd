"""Lets go of history that has become too old: whole days of the request log, and rows of everything else."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta

from psycopg2.errors import LockNotAvailable

from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.snapshot.settings import Retention
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_audit import FORGET_EVENTS
from codex_pooler.storage.queries_log import FORGET_HOURS, PARTITIONS, partition_day, partition_name
from codex_pooler.storage.queries_quota_history import FORGET_SAMPLES
from codex_pooler.storage.queries_resets import FORGET_CLAIMS

log = logging.getLogger(__name__)

LOCK_TIMEOUT = "2s"  # while dropping waits for a reader, everybody else waits behind it
BATCH = 10_000
# setting of the group -> what it lets go of, a batch at a time
ROWS = {
    "rollups_days": (FORGET_HOURS,),
    "quota_history_days": (FORGET_SAMPLES,),
    "audit_days": (FORGET_EVENTS, FORGET_CLAIMS),
}


async def let_history_go(services: Services) -> None:
    """One pass with the settings as they are.  Raises JobFailed while somebody reads what is to go."""
    await services.snapshot.refresh()
    try:
        await forget_what_is_old(services.database, services.snapshot.current.settings.retention, datetime.now(UTC))
    except LockNotAvailable:
        raise JobFailed("history_in_use", "Old days of the request log are being read; they go next time.") from None


async def forget_what_is_old(database: Database, wanted: Retention, now: datetime) -> None:
    """One pass; a retention of 0 days means for ever.  Raises what the database raises."""
    for setting, batches in ROWS.items():
        if days := getattr(wanted, setting):
            for batch in batches:
                await _forget_rows(database, batch, now - timedelta(days=days))
    if wanted.request_logs_days:
        await _drop_days(database, (now - timedelta(days=wanted.request_logs_days)).date())


async def _drop_days(database: Database, oldest_kept: date) -> None:
    for day in sorted(await _days(database)):
        if day < oldest_kept:
            await _drop(database, day)


async def _days(database: Database) -> list[date]:
    async with database.session() as session:
        await session.run(PARTITIONS)
        names = [row[0] for row in await session.cursor.fetchall()]
    return [day for name in names if (day := partition_day(name))]


async def _drop(database: Database, day: date) -> None:
    try:
        async with database.transaction() as session:
            await session.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await session.run(f"DROP TABLE IF EXISTS {partition_name(day)}")
    except LockNotAvailable:
        log.info("the turns of %s are being read; they will be dropped next time", day)
        raise
    log.info("dropped the turns of %s from the request log", day)


async def _forget_rows(database: Database, batch: str, before: datetime) -> None:
    async with database.session() as session:
        while True:
            await session.run(batch, {"before": before, "many": BATCH})
            if session.cursor.rowcount < BATCH:
                return
