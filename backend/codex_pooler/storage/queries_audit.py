"""The audit trail: writing an event, and one page of events by keyset under filters.

A statement holds only the filters that are asked for, so that each combination can use its best index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.database import Session
from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import accounts, api_keys, audit_events, pool_accounts, pools

_event = audit_events.c
_NAMES = (
    *("id", "actor_type", "actor_id", "actor_label", "client_ip", "action", "target_type", "target_id"),
    *("target_label", "pool_ids", "outcome", "reason", "details"),
)

INSERT = Query(sa.insert(audit_events).values({name: sa.bindparam(name, type_=_event[name].type) for name in _NAMES}))


def _bound(name: str, column: str | None = None) -> Any:
    """A bound value with the type of its column."""
    return sa.cast(sa.bindparam(name, type_=_event[column or name].type), _event[column or name].type)


_serving = (
    sa.select(pool_accounts.c.pool_id)
    .where(pool_accounts.c.account_id == accounts.c.id)
    .correlate(accounts)
    .order_by(pool_accounts.c.pool_id)
)
INSERT_FOR_ACCOUNT = Query(
    sa.insert(audit_events).from_select(
        [
            *("id", "actor_type", "actor_label", "action", "target_type", "target_id"),
            *("target_label", "pool_ids", "outcome", "reason"),
        ],
        sa.select(
            _bound("id"),
            sa.literal("system"),
            _bound("actor_label"),
            _bound("action"),
            sa.literal("upstream_account"),
            accounts.c.id,
            accounts.c.label,
            sa.func.array(_serving.scalar_subquery(), type_=ARRAY(sa.Uuid)),
            _bound("outcome"),
            _bound("reason"),
        ).where(accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid)),
        include_defaults=False,
    )
)


@dataclass(frozen=True)
class Position:
    """The last event of a page; the next page starts below it."""

    occurred_at: datetime
    id: UUID


def _texts(name: str) -> Any:
    return sa.any_(sa.bindparam(name, type_=ARRAY(sa.Text)))


def _ids(name: str) -> Any:
    return sa.bindparam(name, type_=ARRAY(sa.Uuid))


def _instant(name: str) -> Any:
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


_searched = sa.func.concat_ws(
    " ", _event.action, _event.actor_label, _event.target_label, _event.reason, sa.cast(_event.target_id, sa.Text)
)
CLAUSES: Mapping[str, Any] = {
    # what belongs to no pool is the owner's business
    "visible": _event.pool_ids.overlap(_ids("visible")),
    "pool_id": _event.pool_ids.overlap(_ids("pool_id")),
    "target_id": _event.target_id == sa.any_(_ids("target_id")),
    "target_type": _event.target_type == _texts("target_type"),
    "action": _event.action == _texts("action"),
    "actor_id": _event.actor_id == sa.any_(_ids("actor_id")),
    "actor_type": _event.actor_type == _texts("actor_type"),
    "outcome": _event.outcome == _texts("outcome"),
    "since": _event.occurred_at >= _instant("since"),
    "until": _event.occurred_at < _instant("until"),
    "q": sa.func.strpos(sa.func.lower(_searched), sa.func.lower(sa.bindparam("q", type_=sa.Text))) > 0,
    "cursor": sa.tuple_(_event.occurred_at, _event.id)
    < sa.tuple_(_instant("cursor_at"), sa.bindparam("cursor_id", type_=sa.Uuid)),
}
POOL_NAMES = Query(sa.select(pools.c.id, pools.c.name).where(pools.c.id == sa.any_(_ids("pool_ids"))))
ONE = Query(sa.select(audit_events).where(_event.id == sa.bindparam("event_id", type_=sa.Uuid)))


@cache
def _page_query(names: frozenset[str]) -> Query:
    return Query(
        sa.select(audit_events)
        .where(*(CLAUSES[name] for name in sorted(names)))
        .order_by(_event.occurred_at.desc(), _event.id.desc())
        .limit(sa.bindparam("row_limit", type_=sa.Integer))
    )


async def newest(session: Session, filters: Mapping[str, Any], limit: int, below: Position | None) -> list[Any]:
    """Events under ``filters`` (names of CLAUSES), newest first, those below a position."""
    values = dict(filters)
    if below:
        values |= {"cursor_at": below.occurred_at, "cursor_id": below.id}
    names = frozenset(filters) | ({"cursor"} if below else set())
    return await session.fetch(_page_query(names), row_limit=limit, **values)


FORGET_EVENTS = """
DELETE FROM audit_events WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM audit_events WHERE occurred_at < %(before)s ORDER BY occurred_at LIMIT %(many)s))
"""

# what an event's target is called, by the type of the target
_TARGET = sa.bindparam("target_id", type_=sa.Uuid)


def _label(column: Any, identity: Any) -> Query:
    return Query(sa.select(column.label("label")).where(identity == _TARGET))


LABELS: dict[str, Query] = {
    "pool": _label(pools.c.name, pools.c.id),
    "upstream_account": _label(accounts.c.label, accounts.c.id),
    "api_key": _label(api_keys.c.name, api_keys.c.id),
}
