"""What the last hours cost: usage per pool, key or account, and the traffic chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from codex_pooler.storage.database import Session
from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible, id_list, seen
from codex_pooler.storage.tables import requests, usage_hourly

HOURS = 24


@dataclass(frozen=True)
class Usage:
    """The last 24 hours, the running one included; tokens are input plus output."""

    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0
    unpriced: int = 0  # turns whose tokens have no known price, and that the cost therefore lacks
    tokens_hourly: tuple[int, ...] = (0,) * HOURS


NO_USAGE = Usage()


def _total(column: Any) -> Any:
    # sum() of bigint is numeric; the totals fit a bigint and are integers on the wire
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)


def _since(table_column: Any) -> Any:
    return table_column >= sa.bindparam("since", type_=sa.DateTime(timezone=True))


def _hourly(dimension: str) -> Query:
    counted = usage_hourly.c
    return Query(
        sa.select(
            counted[dimension].label("id"),
            counted.hour,
            _total(counted.requests).label("requests"),
            _total(counted.succeeded).label("succeeded"),
            _total(counted.failed).label("failed"),
            _total(counted.input_tokens + counted.output_tokens).label("tokens"),
            _total(counted.cached_tokens).label("cached_tokens"),
            _total(counted.cost_micros).label("cost_micros"),
            _total(counted.unpriced).label("unpriced"),
        )
        .where(_since(counted.hour), counted[dimension] == id_list("ids"), among_visible(counted.pool_id))
        .group_by(counted[dimension], counted.hour)
    )


USAGE = {dimension: _hourly(dimension) for dimension in ("pool_id", "api_key_id", "account_id")}


async def usage_by(
    session: Session,
    dimension: str,
    ids: Sequence[UUID],
    visible: Sequence[UUID] | None = None,
    now: datetime | None = None,
) -> dict[UUID, Usage]:
    """Usage per id of ``pool_id``, ``api_key_id`` or ``account_id``; ids without any are absent."""
    hour = (now or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0)
    first = hour - timedelta(hours=HOURS - 1)
    rows = await session.fetch(USAGE[dimension], ids=list(ids), since=first, **seen(visible))
    by_id: dict[UUID, list[Any]] = {}
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    return {identity: _usage(found, first) for identity, found in by_id.items()}


def _usage(rows: Sequence[Any], first: datetime) -> Usage:
    hourly = [0] * HOURS
    for row in rows:
        slot = int((row.hour - first).total_seconds() // 3600)
        if slot < HOURS:
            hourly[slot] += row.tokens
    return Usage(
        requests=sum(row.requests for row in rows),
        succeeded=sum(row.succeeded for row in rows),
        failed=sum(row.failed for row in rows),
        tokens=sum(row.tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        cost_micros=sum(row.cost_micros for row in rows),
        unpriced=sum(row.unpriced for row in rows),
        tokens_hourly=tuple(hourly),
    )


@dataclass(frozen=True)
class Total:
    """All that a key has used, as far back as the rollup goes; tokens are input plus output."""

    requests: int = 0
    tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0
    unpriced: int = 0


_of_key = usage_hourly.c
KEY_TOTAL = Query(
    sa.select(
        _total(_of_key.requests).label("requests"),
        _total(_of_key.input_tokens + _of_key.output_tokens).label("tokens"),
        _total(_of_key.cached_tokens).label("cached_tokens"),
        _total(_of_key.cost_micros).label("cost_micros"),
        _total(_of_key.unpriced).label("unpriced"),
    ).where(_of_key.api_key_id == sa.bindparam("api_key_id", type_=sa.Uuid))
)


async def key_total(session: Session, key_id: UUID) -> Total:
    """What one key has used."""
    row = await session.one(KEY_TOTAL, api_key_id=key_id)
    return Total(row.requests, row.tokens, row.cached_tokens, row.cost_micros, row.unpriced)


@dataclass(frozen=True)
class Span:
    """How far back a chart looks and how wide its steps are, in seconds; wide steps read the hourly rollup."""

    seconds: int
    step_seconds: int


SPANS = {
    "1h": Span(3600, 60),
    "6h": Span(6 * 3600, 180),
    "24h": Span(24 * 3600, 3600),
    "7d": Span(7 * 86400, 2 * 3600),
    "30d": Span(30 * 86400, 6 * 3600),
}
SUMS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_micros")
COLUMNS = ("requests", "errors", *SUMS, "unpriced")


def step_start(column: Any) -> Any:
    """The Unix second at which the row's step begins; the width comes from ``step``."""
    step = sa.cast(sa.bindparam("step", type_=sa.Integer), sa.BigInteger)
    seconds = sa.cast(sa.func.floor(sa.extract("epoch", column)), sa.BigInteger)
    return seconds - seconds % step


_turns, _rollup = requests.c, usage_hourly.c
_recent_start = step_start(_turns.admitted_at).label("t")
_went_wrong = sa.or_(*(_turns.status == status for status in ("failed", "interrupted", "rejected")))
TRAFFIC_RECENT = Query(
    sa.select(
        _recent_start,
        sa.func.count().label("requests"),
        sa.func.count().filter(_went_wrong).label("errors"),
        *(_total(_turns[name]).label(name) for name in SUMS),
        sa.func.count().filter(_turns.pricing_status.startswith("unpriced")).label("unpriced"),
        _total(_turns.ttft_ms).label("ttft_ms"),
        sa.func.count(_turns.ttft_ms).label("ttft_count"),
    )
    .where(_since(_turns.admitted_at), among_visible(_turns.pool_id))
    .group_by(_recent_start)
)
_rollup_start = step_start(_rollup.hour).label("t")
TRAFFIC_ROLLUP = Query(
    sa.select(
        _rollup_start,
        _total(_rollup.requests).label("requests"),
        _total(_rollup.failed + _rollup.rejected).label("errors"),
        *(_total(_rollup[name]).label(name) for name in (*SUMS, "unpriced")),
        _total(_rollup.ttft_ms).label("ttft_ms"),
        _total(_rollup.ttft_count).label("ttft_count"),
    )
    .where(_since(_rollup.hour), among_visible(_rollup.pool_id))
    .group_by(_rollup_start)
)


async def traffic(session: Session, chosen: str, pools: Sequence[UUID] | None, now: datetime) -> dict[str, Any]:
    """The columns of the traffic chart for one of SPANS, at most 120 steps, the running one last."""
    span = SPANS[chosen]
    step = span.step_seconds
    last = int(now.timestamp()) // step * step
    starts = range(last - span.seconds + step, last + step, step)
    query = TRAFFIC_ROLLUP if step % 3600 == 0 else TRAFFIC_RECENT
    since = datetime.fromtimestamp(starts[0], UTC)
    rows = {row.t: row for row in await session.fetch(query, step=step, since=since, **seen(pools))}
    return {
        "range": chosen,
        "step_seconds": step,
        "t": list(starts),
        **{name: [getattr(rows.get(t), name, 0) for t in starts] for name in COLUMNS},
        "ttft_avg_ms": [_average(rows.get(t)) for t in starts],
    }


def _average(row: Any) -> int | None:
    return round(row.ttft_ms / row.ttft_count) if row is not None and row.ttft_count else None
