"""Operators, their browser sessions and their access tokens."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import operator_pools, operator_sessions, operator_tokens, operators, pools

_DIGEST = sa.bindparam("digest", type_=sa.LargeBinary)
_OPERATOR_ID = sa.bindparam("operator_id", type_=sa.Uuid)
_MINUTE = sa.text("interval '60 seconds'")

ANY_OPERATOR = Query(sa.select(sa.exists(sa.select(operators.c.id)).label("exists")))
# Whoever makes the first owner holds this lock until the owner is there.
BOOTSTRAP_LOCK = Query(sa.select(sa.func.pg_advisory_xact_lock(0x626F6F7473747261).label("locked")))
INSERT = Query(
    sa.insert(operators).values(
        id=sa.bindparam("id", type_=sa.Uuid),
        email=sa.bindparam("email"),
        display_name=sa.bindparam("display_name"),
        password_hash=sa.bindparam("password_hash"),
        role=sa.bindparam("role"),
        timezone=sa.bindparam("timezone"),
    )
)
BY_EMAIL = Query(sa.select(operators).where(operators.c.email == sa.bindparam("email")))
ACTIVE = Query(
    sa.select(
        operators.c.id, operators.c.email, operators.c.display_name, operators.c.role, operators.c.timezone
    ).where(operators.c.id == _OPERATOR_ID, operators.c.status == "active")
)
# A disabled or archived pool is the owner's business.
POOLS = Query(
    sa.select(operator_pools.c.pool_id)
    .join(pools, pools.c.id == operator_pools.c.pool_id)
    .where(operator_pools.c.operator_id == _OPERATOR_ID, pools.c.status == "active")
    .order_by(operator_pools.c.pool_id)
)
LOGGED_IN = Query(sa.update(operators).where(operators.c.id == _OPERATOR_ID).values(last_login_at=sa.func.now()))

TOKEN = Query(
    sa.select(
        operator_tokens.c.operator_id,
        operator_tokens.c.label,
        operator_tokens.c.scopes,
        operator_tokens.c.expires_at,
    ).where(operator_tokens.c.digest == _DIGEST, operator_tokens.c.expires_at > sa.func.now())
)
INSERT_TOKEN = Query(
    sa.insert(operator_tokens).values(
        id=sa.bindparam("id", type_=sa.Uuid),
        operator_id=_OPERATOR_ID,
        label=sa.bindparam("label"),
        prefix=sa.bindparam("prefix"),
        digest=_DIGEST,
        scopes=sa.bindparam("scopes", type_=ARRAY(sa.Text)),
        expires_at=sa.bindparam("expires_at", type_=sa.DateTime(timezone=True)),
    )
)
# At most one write a minute.
TOUCH_TOKEN = Query(
    sa.update(operator_tokens)
    .where(
        operator_tokens.c.digest == _DIGEST,
        sa.or_(operator_tokens.c.last_used_at.is_(None), operator_tokens.c.last_used_at < sa.func.now() - _MINUTE),
    )
    .values(last_used_at=sa.func.now())
)

SESSION = Query(
    sa.select(
        operator_sessions.c.data,
        operator_sessions.c.created_at,
        (operator_sessions.c.seen_at < sa.func.now() - _MINUTE).label("seen_long_ago"),
    ).where(operator_sessions.c.digest == _DIGEST, operator_sessions.c.expires_at > sa.func.now())
)
TOUCH_SESSION = Query(
    sa.update(operator_sessions).where(operator_sessions.c.digest == _DIGEST).values(seen_at=sa.func.now())
)
_session = insert(operator_sessions).values(
    digest=_DIGEST,
    id=sa.bindparam("id", type_=sa.Uuid),
    operator_id=_OPERATOR_ID,
    data=sa.bindparam("data", type_=JSONB),
    expires_at=sa.bindparam("expires_at", type_=sa.DateTime(timezone=True)),
)
SAVE_SESSION = Query(
    _session.on_conflict_do_update(
        index_elements=[operator_sessions.c.digest],
        set_={
            "data": _session.excluded.data,
            "operator_id": _session.excluded.operator_id,
            "expires_at": _session.excluded.expires_at,
            "seen_at": sa.func.now(),
        },
    )
)
DROP_SESSION = Query(sa.delete(operator_sessions).where(operator_sessions.c.digest == _DIGEST))
DROP_EXPIRED_SESSIONS = Query(sa.delete(operator_sessions).where(operator_sessions.c.expires_at <= sa.func.now()))
