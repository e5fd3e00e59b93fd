"""How accounts fare: tokens of the last minutes, finished turns by hour, times, errors, and what was done to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from codex_pooler.storage.database import Session
from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible, id_list, seen
from codex_pooler.storage.tables import (
    accounts,
    audit_events,
    pool_accounts,
    pools,
    quota_polls,
    requests,
    usage_hourly,
)

RECENT, BEFORE = timedelta(minutes=5), timedelta(minutes=60)
TIMED_TURNS = 1_000  # the newest, whose times are looked at
FAILED_TURNS = 5_000  # the newest, whose errors are counted
MOST_ERRORS = 10

_turn, _rollup = requests.c, usage_hourly.c
_ACCOUNT = sa.bindparam("account_id", type_=sa.Uuid)


def _instant(name: str) -> Any:
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


def _sum(column: Any, condition: Any = None) -> Any:
    total = sa.func.sum(column) if condition is None else sa.func.sum(column).filter(condition)
    return sa.cast(sa.func.coalesce(total, 0), sa.BigInteger)


@dataclass(frozen=True)
class Burn:
    """Tokens of the last five minutes, and of five minutes on average in the hour before."""

    tokens_5m: int = 0
    baseline_5m: float = 0.0

    @property
    def factor(self) -> float | None:
        """How many times the usual; None when nothing is usual."""
        return self.tokens_5m / self.baseline_5m if self.baseline_5m else None


NO_BURN = Burn()
_tokens = sa.func.coalesce(_turn.input_tokens, 0) + sa.func.coalesce(_turn.output_tokens, 0)
_is_recent = _turn.admitted_at >= _instant("recent")
BURN = Query(
    sa.select(
        _turn.account_id,
        _sum(_tokens, _is_recent).label("recent"),
        _sum(_tokens, sa.not_(_is_recent)).label("before"),
    )
    .where(
        _turn.account_id == id_list("account_ids"),
        _turn.admitted_at >= _instant("since"),
        among_visible(_turn.pool_id),
    )
    .group_by(_turn.account_id)
)


async def burns(
    session: Session, account_ids: Sequence[UUID], visible: Sequence[UUID] | None, now: datetime
) -> dict[UUID, Burn]:
    """Token burn by account; those without a turn in that time are absent."""
    recent = now - RECENT
    values = {"account_ids": list(account_ids), "recent": recent, "since": recent - BEFORE}
    rows = await session.fetch(BURN, **values, **seen(visible))
    return {row.account_id: Burn(row.recent, row.before / (BEFORE / RECENT)) for row in rows}


HOURS = Query(
    sa.select(
        _rollup.hour,
        _rollup.pool_id,
        *(_sum(_rollup[name]).label(name) for name in ("requests", "succeeded", "failed")),
    )
    .where(_rollup.account_id == _ACCOUNT, _rollup.hour >= _instant("since"), among_visible(_rollup.pool_id))
    .group_by(_rollup.hour, _rollup.pool_id)
)

_newest = (
    sa.select(_turn.status, _turn.duration_ms, _turn.ttft_ms)
    .where(_turn.account_id == _ACCOUNT, _turn.admitted_at >= _instant("since"), among_visible(_turn.pool_id))
    .order_by(_turn.admitted_at.desc())
    .limit(TIMED_TURNS)
    .subquery()
)


def _quantile(share: float, column: Any) -> Any:
    return sa.cast(sa.func.percentile_cont(share).within_group(column), sa.Integer)


TIMES = Query(
    sa.select(
        _quantile(0.5, _newest.c.duration_ms).label("p50_ms"),
        _quantile(0.95, _newest.c.duration_ms).label("p95_ms"),
        _quantile(0.95, _newest.c.ttft_ms).label("p95_ttft_ms"),
    ).where(_newest.c.status == "succeeded")
)

_went_wrong = (
    sa.select(_turn.error_code)
    .where(
        _turn.account_id == _ACCOUNT,
        _turn.admitted_at >= _instant("since"),
        _turn.error_code.is_not(None),
        sa.or_(_turn.status == "failed", _turn.status == "interrupted"),
        among_visible(_turn.pool_id),
    )
    .order_by(_turn.admitted_at.desc())
    .limit(FAILED_TURNS)
    .subquery()
)
ERRORS = Query(
    sa.select(_went_wrong.c.error_code.label("code"), sa.func.count().label("turns"))
    .group_by(_went_wrong.c.error_code)
    .order_by(sa.func.count().desc(), _went_wrong.c.error_code)
    .limit(MOST_ERRORS)
)

EVENTS = Query(
    sa.select(
        *(
            audit_events.c[name]
            for name in ("id", "occurred_at", "actor_type", "actor_label", "action", "outcome", "reason")
        )
    )
    .where(audit_events.c.target_id == _ACCOUNT)
    .order_by(audit_events.c.occurred_at.desc())
    .limit(sa.bindparam("many", type_=sa.Integer))
)

ASKED = Query(sa.select(quota_polls.c.claimed_at).where(quota_polls.c.account_id == _ACCOUNT))

# Accounts that could serve their pools if only quota allowed; a pool without any has one row without an account.
_could_serve = sa.and_(
    pool_accounts.c.enabled,
    accounts.c.state == "active",
    sa.or_(accounts.c.access_expires_at.is_(None), accounts.c.access_expires_at > sa.func.now()),
)
_members = sa.join(pool_accounts, accounts, sa.and_(accounts.c.id == pool_accounts.c.account_id, _could_serve))
SERVING = Query(
    sa.select(
        pools.c.id.label("pool_id"),
        pools.c.name.label("pool_name"),
        accounts.c.id.label("account_id"),
        accounts.c.label.label("account_label"),
        accounts.c.plan_type,
    )
    .select_from(pools.outerjoin(_members, pool_accounts.c.pool_id == pools.c.id))
    .where(pools.c.status == "active", among_visible(pools.c.id))
    .order_by(sa.func.lower(pools.c.name), pools.c.id, sa.func.lower(accounts.c.label), accounts.c.id)
)
