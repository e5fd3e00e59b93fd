"""How an account has fared: its turns by hour added up to days and lanes, their times, and what went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from codex_pooler.storage import queries_watching as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.scope import seen

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class Tally:
    """Turns; those that were rejected or cancelled count among ``requests`` alone."""

    requests: int = 0
    ok: int = 0
    failed: int = 0

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Tally:
        """Rows of queries_watching.HOURS, added up."""
        listed = list(rows)
        return cls(*(sum(getattr(row, name) for row in listed) for name in ("requests", "succeeded", "failed")))

    @property
    def failure_rate(self) -> float | None:
        """Percent of those that ended well or badly."""
        judged = self.ok + self.failed
        return round(100 * self.failed / judged, 1) if judged else None

    @property
    def success_rate(self) -> float | None:
        return None if self.failure_rate is None else round(100 - self.failure_rate, 1)


async def week_of(session: Session, account_id: UUID, visible: Sequence[UUID] | None, now: datetime) -> list[Any]:
    """The account's turns of the last seven days, by hour and pool."""
    since = _hour(now) - WEEK + timedelta(hours=1)
    return await session.fetch(queries.HOURS, account_id=account_id, since=since, **seen(visible))


async def health_view(
    session: Session, account_id: UUID, visible: Sequence[UUID] | None, now: datetime, week: Sequence[Any]
) -> dict[str, Any]:
    """The shape schemas.cockpit.AccountHealth; ``week`` as ``week_of`` has it."""
    recent = {"account_id": account_id, "since": now - DAY, **seen(visible)}
    times = await session.one(queries.TIMES, **recent)
    errors = await session.fetch(queries.ERRORS, **recent)
    last_day, whole = Tally.of(row for row in week if row.hour > _hour(now) - DAY), Tally.of(week)
    return {
        "requests_24h": last_day.requests,
        "failed_24h": last_day.failed,
        "failure_rate_24h": last_day.failure_rate,
        "requests_7d": whole.requests,
        "failed_7d": whole.failed,
        "failure_rate_7d": whole.failure_rate,
        "p50_ms": times.p50_ms,
        "p95_ms": times.p95_ms,
        "p95_ttft_ms": times.p95_ttft_ms,
        "daily": _daily(week, now),
        "errors_24h": [{"code": row.code, "turns": row.turns} for row in errors],
    }


def lanes_tallies(week: Iterable[Any]) -> dict[UUID, Tally]:
    """The same by pool."""
    by_pool: dict[UUID, list[Any]] = defaultdict(list)
    for row in week:
        by_pool[row.pool_id].append(row)
    return {pool_id: Tally.of(rows) for pool_id, rows in by_pool.items()}


def _daily(week: Iterable[Any], now: datetime) -> list[dict[str, Any]]:
    ok, failed = Counter[date](), Counter[date]()
    for row in week:
        day = row.hour.astimezone(UTC).date()
        ok[day] += row.succeeded
        failed[day] += row.failed
    days = [(now - timedelta(days=ago)).astimezone(UTC).date() for ago in range(7, -1, -1)]
    return [{"date": day, "ok": ok[day], "failed": failed[day]} for day in days]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
