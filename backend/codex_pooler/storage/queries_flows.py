"""Logins on their way in: one row per attempt to sign in, whose secrets go when it ends."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import oauth_flows as flows
from codex_pooler.storage.tables import pools

INTERRUPTED, SUPERSEDED = "interrupted", "superseded"


def _moment(name: str) -> Any:
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


def _uuid(name: str) -> Any:
    return sa.bindparam(name, type_=sa.Uuid)


_THIS = flows.c.id == _uuid("flow_id")
_NOW = _moment("now")
_PENDING, _AUTHORIZING = flows.c.state == "pending", flows.c.state == "authorizing"
_ENDED: dict[str, Any] = {"sealed": None, "finished_at": _NOW}

# Whoever starts a flow waits for others that start one for the same purpose.
PURPOSE_LOCK = Query(
    sa.select(
        sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.cast(sa.bindparam("purpose"), sa.Text), 1)).label(
            "locked"
        )
    )
)
# The same purpose: relinking one account, one invite, or one operator who adds accounts to a pool.
SUPERSEDE = Query(
    sa.update(flows)
    .where(
        _PENDING,
        flows.c.kind == sa.bindparam("kind"),
        flows.c.pool_id == _uuid("pool_id"),
        flows.c.account_id.is_not_distinct_from(_uuid("account_id")),
        flows.c.invite_id.is_not_distinct_from(_uuid("invite_id")),
        sa.or_(
            _uuid("account_id").is_not(None),
            _uuid("invite_id").is_not(None),
            flows.c.operator_id.is_not_distinct_from(_uuid("operator_id")),
        ),
    )
    .values(state="cancelled", error=SUPERSEDED, **_ENDED)
)
INSERT = Query(
    sa.insert(flows).values(
        {
            name: sa.bindparam(name, type_=flows.c[name].type)
            for name in (
                "id",
                "kind",
                "pool_id",
                "account_id",
                "invite_id",
                "operator_id",
                "state_digest",
                "sealed",
                "interval_seconds",
                "created_at",
                "expires_at",
            )
        }
    )
)

_READ = sa.select(flows, pools.c.name.label("pool_name")).join(pools, pools.c.id == flows.c.pool_id).where(_THIS)
ONE = Query(_READ)
LOCK = Query(_READ.with_for_update(of=flows))
BY_STATE = Query(
    sa.select(flows.c.id, flows.c.pool_id, flows.c.invite_id, flows.c.state, flows.c.error).where(
        flows.c.state_digest == sa.bindparam("digest", type_=sa.LargeBinary)
    )
)

# -- moving on.  Each statement names the states it starts from, so that of two that race only one does something.

# While a poll runs, polled_at lies in the future: until then it is this process's alone.
TAKE_POLL = Query(
    sa.update(flows)
    .where(
        _THIS,
        _PENDING,
        flows.c.expires_at > _NOW,
        sa.or_(
            flows.c.polled_at.is_(None),
            flows.c.polled_at + flows.c.interval_seconds * sa.literal_column("interval '1 second'") <= _NOW,
        ),
    )
    .values(polled_at=_moment("until"))
)
POLLED = Query(
    sa.update(flows)
    .where(_THIS, _PENDING)
    .values(
        polled_at=_NOW,
        interval_seconds=sa.bindparam("interval", type_=sa.Integer),
        error=sa.bindparam("error", type_=sa.Text),
    )
)
AUTHORIZE = Query(sa.update(flows).where(_THIS, _PENDING).values(state="authorizing", polled_at=_NOW, error=None))
# By the one who fetched the approval; again when it was not heard whether that was written.
APPROVED = Query(
    sa.update(flows)
    .where(_THIS, sa.or_(_PENDING, _AUTHORIZING))
    .values(state="authorizing", polled_at=_NOW, error=None)
)
TRY_AGAIN = Query(
    sa.update(flows)
    .where(_THIS, _AUTHORIZING, flows.c.sealed.is_not(None), flows.c.expires_at > _NOW)
    .values(state="pending", polled_at=None, error=sa.bindparam("error", type_=sa.Text))
)
END = Query(
    sa.update(flows)
    .where(_THIS, sa.or_(_PENDING, _AUTHORIZING))
    .values(state=sa.bindparam("state"), error=sa.bindparam("error", type_=sa.Text), **_ENDED)
)
# Tokens that come late are better than none: only a flow that was given up as interrupted may still succeed.
COMPLETE = Query(
    sa.update(flows)
    .where(_THIS, sa.or_(_AUTHORIZING, sa.and_(flows.c.state == "failed", flows.c.error == INTERRUPTED)))
    .values(
        state="completed",
        error=None,
        result_account_id=_uuid("account_id"),
        result_created=sa.bindparam("created", type_=sa.Boolean),
        **_ENDED,
    )
)

# -- what time does to flows; of one, or of all

_WHICH = sa.or_(sa.bindparam("all_of_them", type_=sa.Boolean), _THIS)
EXPIRE = Query(
    sa.update(flows).where(_WHICH, _PENDING, flows.c.expires_at <= _NOW).values(state="expired", error=None, **_ENDED)
)
INTERRUPT = Query(
    sa.update(flows)
    .where(_WHICH, _AUTHORIZING, flows.c.polled_at <= _moment("given_up_before"))
    .values(state="failed", error=INTERRUPTED, **_ENDED)
)
FORGET = Query(sa.delete(flows).where(flows.c.finished_at <= _moment("forgotten_before")))
