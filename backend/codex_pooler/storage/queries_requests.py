"""The request log: one page by keyset, facets and histogram under the same filters.

A statement holds only the filters that are asked for, so that each combination can use its best index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_usage import step_start
from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import id_list
from codex_pooler.storage.tables import requests, usage_hourly

SAMPLE = 10_000
MAX_STEPS = 120
STEPS_SECONDS = (1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
OUTCOMES = ("succeeded", "failed", "rejected", "cancelled")
FACETS = (
    ("status", "status", None),
    ("model", "model", None),
    ("pool", "pool_id", "pool_name"),
    ("account", "account_id", "account_label"),
    ("api_key", "api_key_id", "api_key_name"),
    ("transport", "transport", None),
)
Filters = Mapping[str, Any]


@dataclass(frozen=True)
class Position:
    """The last row of a page; the next page starts below it."""

    admitted_at: datetime
    id: UUID


def _texts(name: str) -> Any:
    return sa.any_(sa.bindparam(name, type_=ARRAY(sa.Text)))


def _instant(name: str) -> Any:
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


_turn = requests.c
_searched = sa.func.concat_ws(
    " ",
    sa.cast(_turn.id, sa.Text),
    _turn.model,
    _turn.error_code,
    _turn.client,
    _turn.account_label,
    _turn.api_key_name,
    _turn.route,
)
CLAUSES: dict[str, Any] = {
    "visible": _turn.pool_id == id_list("visible"),
    "pool_id": _turn.pool_id == id_list("pool_id"),
    "account_id": _turn.account_id == id_list("account_id"),
    "api_key_id": _turn.api_key_id == id_list("api_key_id"),
    "status": _turn.status == _texts("status"),
    "model": _turn.model == _texts("model"),
    "transport": _turn.transport == _texts("transport"),
    "since": _turn.admitted_at >= _instant("since"),
    "until": _turn.admitted_at < _instant("until"),
    "q": sa.func.strpos(sa.func.lower(_searched), sa.func.lower(sa.bindparam("q", type_=sa.Text))) > 0,
    # the first half lets the planner skip newer partitions, the second is the exact position
    "cursor": sa.and_(
        _turn.admitted_at <= _instant("cursor_at"),
        sa.tuple_(_turn.admitted_at, _turn.id)
        < sa.tuple_(_instant("cursor_at"), sa.bindparam("cursor_id", type_=sa.Uuid)),
    ),
}
_HIDDEN = ("attempts", "excluded", "routing", "session", "client_ip")
_SHOWN = (
    *(column for column in _turn if column.name not in _HIDDEN),
    sa.func.jsonb_array_length(_turn.attempts).label("attempts"),
)
ONE = Query(
    sa.select(
        *_SHOWN,
        _turn.attempts.label("attempt_log"),
        *(column for column in _turn if column.name in _HIDDEN and column.name != "attempts"),
    ).where(_turn.id == sa.bindparam("request_id", type_=sa.Uuid))
)


def _where(names: frozenset[str]) -> list[Any]:
    return [CLAUSES[name] for name in sorted(names)]


@cache
def _page_query(names: frozenset[str]) -> Query:
    newest_first = (_turn.admitted_at.desc(), _turn.id.desc())
    return Query(
        sa.select(*_SHOWN)
        .where(*_where(names))
        .order_by(*newest_first)
        .limit(sa.bindparam("row_limit", type_=sa.Integer))
    )


@cache
def _count_query(names: frozenset[str]) -> Query:
    some = sa.select(sa.literal(1)).select_from(requests).where(*_where(names)).limit(SAMPLE).subquery()
    return Query(sa.select(sa.func.count().label("rows")).select_from(some))


@cache
def _facet_query(names: frozenset[str]) -> Query:
    columns = {column for _, value, label in FACETS for column in (value, label) if column}
    sample = (
        sa.select(*(_turn[name] for name in sorted(columns)))
        .where(*_where(names))
        .order_by(_turn.admitted_at.desc(), _turn.id.desc())
        .limit(SAMPLE)
        .cte("sample")
    )
    return Query(sa.union_all(*(_facet(sample, *facet) for facet in FACETS)))


def _facet(sample: Any, name: str, value: str, label: str | None) -> Any:
    text = sa.cast(sample.c[value], sa.Text)
    shown = sa.func.max(sample.c[label]) if label else sa.cast(sa.null(), sa.Text)
    return (
        sa.select(
            sa.literal_column(f"'{name}'", sa.Text).label("facet"),
            text.label("value"),
            shown.label("label"),
            sa.func.count().label("rows"),
        )
        .where(sample.c[value].is_not(None))
        .group_by(text)
    )


async def newest(session: Session, filters: Filters, limit: int, below: Position | None) -> list[Any]:
    """Turns, newest first, at most ``limit``, only those below a position when one is given."""
    values, names = dict(filters), frozenset(filters)
    if below is not None:
        values |= {"cursor_at": below.admitted_at, "cursor_id": below.id}
        names |= {"cursor"}
    return await session.fetch(_page_query(names), row_limit=limit, **values)


async def estimate(session: Session, filters: Filters) -> int | None:
    """How many turns match, counted up to 10,000; None when counting would take too long to be worth it."""
    try:
        async with session.transaction():
            await session.run("SET LOCAL statement_timeout = '700ms'")
            row = await session.one(_count_query(frozenset(filters)), **filters)
    except psycopg2.extensions.QueryCanceledError:
        return None
    return int(row.rows)


async def facets(session: Session, filters: Filters) -> dict[str, list[tuple[str, str | None, int]]]:
    """(value, label, count) per facet over the newest 10,000 matching turns, most frequent first."""
    found: dict[str, list[tuple[str, str | None, int]]] = {name: [] for name, _, _ in FACETS}
    for row in await session.fetch(_facet_query(frozenset(filters)), **filters):
        found[row.facet].append((row.value, row.label, row.rows))
    for values in found.values():
        values.sort(key=lambda entry: (-entry[2], entry[0]))
    return found


_rollup = usage_hourly.c
# What the hourly rollup can answer; any other filter reads the turns themselves.
ROLLUP_CLAUSES: dict[str, Any] = {
    "visible": _rollup.pool_id == id_list("visible"),
    "pool_id": _rollup.pool_id == id_list("pool_id"),
    "account_id": _rollup.account_id == id_list("account_id"),
    "api_key_id": _rollup.api_key_id == id_list("api_key_id"),
    "model": _rollup.model == _texts("model"),
    "since": _rollup.hour >= _instant("since"),
    "until": _rollup.hour < _instant("until"),
}


@cache
def _histogram_query(names: frozenset[str]) -> Query:
    start = step_start(_turn.admitted_at).label("t")
    outcome = sa.case((_turn.status == "interrupted", "failed"), else_=_turn.status)
    counts = (sa.func.count().filter(outcome == name).label(name) for name in OUTCOMES)
    return Query(sa.select(start, *counts).where(*_where(names)).group_by(start))


@cache
def _rollup_histogram_query(names: frozenset[str]) -> Query:
    start = step_start(_rollup.hour).label("t")
    sums = (sa.cast(sa.func.sum(_rollup[o]), sa.BigInteger).label(o) for o in OUTCOMES)
    return Query(sa.select(start, *sums).where(*(ROLLUP_CLAUSES[n] for n in sorted(names))).group_by(start))


def histogram_step(seconds: float) -> int:
    """The narrowest step, in seconds, that covers a span with fewer than 120 steps."""
    fits = (step for step in STEPS_SECONDS if seconds / step <= MAX_STEPS - 1)
    return next(fits, (int(seconds // (MAX_STEPS - 1)) // 86400 + 1) * 86400)


async def histogram(session: Session, filters: Filters) -> dict[str, Any]:
    """Columns of turns per step between ``since`` and ``until``, which must be among the filters."""
    since, until = filters["since"], filters["until"]
    step = histogram_step((until - since).total_seconds())
    first = int(since.timestamp()) // step * step
    starts = range(first, int(until.timestamp()) + 1, step)
    names = frozenset(filters)
    from_rollup = step % 3600 == 0 and names <= set(ROLLUP_CLAUSES)
    query = _rollup_histogram_query(names) if from_rollup else _histogram_query(names)
    values = {**filters, "since": datetime.fromtimestamp(first, UTC)} if from_rollup else filters
    rows = {row.t: row for row in await session.fetch(query, step=step, **values)}
    columns = {outcome: [getattr(rows.get(t), outcome, 0) for t in starts] for outcome in OUTCOMES}
    return {"step_seconds": step, "t": list(starts), **columns}
