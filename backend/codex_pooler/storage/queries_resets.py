"""Saved resets in PostgreSQL: what the backend listed, and the claims by which each is spent at most once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import id_list
from codex_pooler.storage.tables import (
    accounts,
    pool_accounts,
    quota_states,
    saved_reset_checks,
    saved_reset_claims,
    saved_resets,
)

OPEN = ("claimed", "sent", "unknown")  # nobody knows yet whether it was spent
_claim, _credit, _check = saved_reset_claims.c, saved_resets.c, saved_reset_checks.c
_ACCOUNT_ID = sa.bindparam("account_id", type_=sa.Uuid)
_CLAIM_ID = _claim.id == sa.bindparam("claim_id", type_=sa.Uuid)
_IS_OPEN = sa.or_(*(_claim.phase == phase for phase in OPEN))
_OPEN_INDEX = sa.text("phase IN ('claimed', 'sent', 'unknown')")
_now = sa.func.now()


def _ago(name: str) -> Any:
    """So many seconds before the database's now."""
    return _now - _span(name)


def _span(name: str) -> Any:
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.bindparam(name, type_=sa.Float))


# -- what the backend listed

AVAILABLE = Query(
    sa.select(_credit.account_id, _credit.credit_id, _credit.expires_at)
    .where(
        _credit.account_id == id_list("account_ids"),
        _credit.status == "available",
        sa.or_(_credit.expires_at.is_(None), _credit.expires_at > _now),
    )
    .order_by(_credit.expires_at.nulls_last(), _credit.credit_id)
)
LISTED = Query(
    sa.select(saved_resets)
    .where(_credit.account_id == id_list("account_ids"))
    .order_by(_credit.expires_at.nulls_last(), _credit.credit_id)
)
# Parameters: ``account_id`` and ``resets``, a JSON array of objects.  What is not listed any more was spent or expired.
STORE_LIST = """
WITH listed AS (
    SELECT x.* FROM jsonb_to_recordset(%(resets)s::jsonb)
        AS x(credit_id text, status text, granted_at timestamptz, expires_at timestamptz)
    JOIN accounts a ON a.id = %(account_id)s
), gone AS (
    UPDATE saved_resets SET status = 'gone', seen_at = now()
    WHERE account_id = %(account_id)s AND status <> 'gone' AND credit_id NOT IN (SELECT credit_id FROM listed)
)
INSERT INTO saved_resets AS s (account_id, credit_id, status, granted_at, expires_at)
SELECT %(account_id)s, credit_id, status, granted_at, expires_at FROM listed
ON CONFLICT (account_id, credit_id) DO UPDATE
SET status = EXCLUDED.status, granted_at = EXCLUDED.granted_at, expires_at = EXCLUDED.expires_at, seen_at = now()
"""
FORGET = Query(sa.delete(saved_resets).where(_credit.status != "available", _credit.seen_at < _ago("seconds")))
SPENT = Query(
    sa.update(saved_resets)
    .where(_credit.account_id == _ACCOUNT_ID, _credit.credit_id == sa.bindparam("credit_id"))
    .values(status="redeemed", seen_at=_now)
)

# -- who reads the list, and when

_reading = insert(saved_reset_checks).from_select(
    ["account_id", "claimed_at"], sa.select(accounts.c.id, _now).where(accounts.c.id == _ACCOUNT_ID)
)
TAKE_CHECK = Query(
    _reading.on_conflict_do_update(
        index_elements=["account_id"],
        set_={"claimed_at": _reading.excluded.claimed_at},
        where=saved_reset_checks.c.claimed_at <= _ago("seconds"),
    ).returning(_check.account_id)
)
_checked = insert(saved_reset_checks).from_select(
    ["account_id", "claimed_at", "checked_at", "available"],
    sa.select(accounts.c.id, _now, _now, sa.cast(sa.bindparam("available"), sa.Integer)).where(
        accounts.c.id == _ACCOUNT_ID
    ),
)
CHECKED = Query(
    _checked.on_conflict_do_update(
        index_elements=["account_id"],
        set_={
            "checked_at": _checked.excluded.checked_at,
            "available": _checked.excluded.available,
            "failures": 0,
        },
    )
)
CHECK_FAILED = Query(
    sa.update(saved_reset_checks).where(_check.account_id == _ACCOUNT_ID).values(failures=_check.failures + 1)
)
COUNT_DOWN = Query(
    sa.update(saved_reset_checks)
    .where(_check.account_id == _ACCOUNT_ID, _check.available > 0)
    .values(available=_check.available - 1)
)
CHECKS = Query(sa.select(saved_reset_checks).where(_check.account_id == id_list("account_ids")))
# what a usage answer said, for accounts whose list was never read
REPORTED = Query(
    sa.select(quota_states.c.account_id, quota_states.c.state["saved_resets"].as_integer().label("available")).where(
        quota_states.c.account_id == id_list("account_ids")
    )
)

# -- claims

# Everybody who shares a pool with the account, itself included: one redemption has to do for all of them.  Rows are
# locked in one order, so that two processes cannot wait for each other.
_theirs, _mine = pool_accounts.alias("theirs"), pool_accounts.alias("mine")
_sharing = (
    sa.select(_theirs.c.account_id)
    .join(_mine, _mine.c.pool_id == _theirs.c.pool_id)
    .where(_mine.c.account_id == _ACCOUNT_ID)
)
COHORT = Query(
    sa.select(accounts.c.id, accounts.c.state, accounts.c.reset_policy)
    .where(sa.or_(accounts.c.id == _ACCOUNT_ID, accounts.c.id.in_(_sharing)))
    .order_by(accounts.c.id)
    .with_for_update()
)
# Claims that forbid another one by itself: open ones, and those applied within ``seconds``.
IN_THE_WAY = Query(
    sa.select(saved_reset_claims)
    .where(_claim.account_id == id_list("account_ids"), sa.or_(_IS_OPEN, _claim.applied_at > _ago("seconds")))
    .order_by(_claim.created_at.desc())
    .limit(1)
)
# The account's own redemption that is not over yet.
IN_PROGRESS = Query(
    sa.select(saved_reset_claims)
    .where(_claim.account_id == _ACCOUNT_ID, sa.or_(_IS_OPEN, _claim.phase == "applied"))
    .limit(1)
)
CLAIM = Query(
    insert(saved_reset_claims)
    .values(
        id=sa.bindparam("claim_id", type_=sa.Uuid),
        account_id=_ACCOUNT_ID,
        credit_id=sa.bindparam("credit_id", type_=sa.Text),
        trigger=sa.bindparam("trigger"),
        used_percent=sa.bindparam("used_percent", type_=sa.Float),
        resets_at=sa.bindparam("resets_at", type_=sa.DateTime(timezone=True)),
        operator_id=sa.bindparam("operator_id", type_=sa.Uuid),
        dispatch_at=_now + _span("seconds"),
    )
    .on_conflict_do_nothing(index_elements=["account_id"], index_where=_OPEN_INDEX)
    .returning(saved_reset_claims)
)
# One of those who want to send it does: the others find its number of dispatches changed.
DISPATCH = Query(
    sa.update(saved_reset_claims)
    .where(_CLAIM_ID, _IS_OPEN, _claim.dispatches == sa.bindparam("dispatches"))
    .values(
        phase="sent",
        dispatches=_claim.dispatches + 1,
        dispatch_at=_now + _span("seconds"),
        sent_at=sa.func.coalesce(_claim.sent_at, _now),
    )
    .returning(saved_reset_claims)
)
# An answer may come after somebody has stopped waiting for it; what was spent was spent.
APPLIED = Query(
    sa.update(saved_reset_claims)
    .where(_CLAIM_ID, sa.or_(_IS_OPEN, sa.and_(_claim.phase == "expired", _claim.applied_at.is_(None))))
    .values(
        phase="applied",
        outcome=sa.bindparam("outcome"),
        windows_reset=sa.bindparam("windows_reset", type_=sa.Integer),
        applied_at=_now,
    )
    .returning(saved_reset_claims)
)
UNANSWERED = Query(
    sa.update(saved_reset_claims)
    .where(_CLAIM_ID, _IS_OPEN)
    .values(phase="unknown", outcome=sa.bindparam("outcome"))
    .returning(saved_reset_claims)
)
FINISH = Query(
    sa.update(saved_reset_claims)
    .where(_CLAIM_ID, sa.or_(_IS_OPEN, _claim.phase == "applied"))
    .values(
        phase=sa.bindparam("phase"),
        outcome=sa.func.coalesce(sa.bindparam("outcome", type_=sa.Text), _claim.outcome),
        # seen by its effect although no answer came
        applied_at=sa.case(
            (sa.bindparam("phase") == "confirmed", sa.func.coalesce(_claim.applied_at, _now)), else_=_claim.applied_at
        ),
        finished_at=_now,
    )
    .returning(saved_reset_claims)
)
# ``age_seconds`` by the database's clock, which alone all processes share.
_since = {
    "age_seconds": _claim.created_at,
    "sent_seconds": _claim.sent_at,
    "applied_seconds": _claim.applied_at,
}
UNFINISHED = Query(
    sa.select(
        saved_reset_claims,
        (_claim.dispatch_at <= _now).label("is_due"),
        *(sa.func.extract("epoch", _now - column).cast(sa.Float).label(name) for name, column in _since.items()),
    )
    .where(sa.or_(_IS_OPEN, _claim.phase == "applied"))
    .order_by(_claim.created_at)
)
# for the audit trail: what the account is called, and whom it serves
TARGET = Query(
    sa.select(
        accounts.c.label,
        sa.func.array_remove(sa.func.array_agg(pool_accounts.c.pool_id), None, type_=ARRAY(sa.Uuid)).label("pool_ids"),
    )
    .select_from(accounts.outerjoin(pool_accounts, pool_accounts.c.account_id == accounts.c.id))
    .where(accounts.c.id == _ACCOUNT_ID)
    .group_by(accounts.c.id)
)
NEWEST_CLAIMS = Query(
    sa.select(saved_reset_claims)
    .ext(distinct_on(_claim.account_id))
    .where(_claim.account_id == id_list("account_ids"))
    .order_by(_claim.account_id, _claim.created_at.desc())
)
HISTORY = Query(
    sa.select(saved_reset_claims)
    .where(_claim.account_id == _ACCOUNT_ID)
    .order_by(_claim.created_at.desc(), _claim.id.desc())
    .limit(sa.bindparam("row_limit", type_=sa.Integer))
)
# What became of resets that were spent long ago; a claim that is not over is never forgotten.
FORGET_CLAIMS = """
DELETE FROM saved_reset_claims WHERE id = ANY (ARRAY(
    SELECT id FROM saved_reset_claims WHERE finished_at < %(before)s ORDER BY finished_at LIMIT %(many)s))
"""

# -- policies

POLICIES = Query(sa.select(accounts.c.id, accounts.c.reset_policy).where(accounts.c.id == id_list("account_ids")))
SET_POLICY = Query(
    sa.update(accounts)
    .where(accounts.c.id == _ACCOUNT_ID)
    .values(
        reset_policy=sa.bindparam("policy", type_=accounts.c.reset_policy.type),
        version=accounts.c.version + 1,
        updated_at=_now,
    )
)
