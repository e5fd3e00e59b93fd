"""Quota evidence in PostgreSQL: written behind in one statement, read back whole, and the claims of polling."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import accounts, quota_blocks, quota_polls, quota_states, quota_windows

WINDOWS = Query(sa.select(quota_windows))
STATES = Query(sa.select(quota_states))
BLOCKS = Query(sa.select(quota_blocks))

# table -> (its columns, its key, the column whose newer value wins)
_SHAPES = {
    "quota_windows": (
        {
            "account_id": "uuid",
            "limit_key": "text",
            "kind": "text",
            "used_percent": "float8",
            "window_minutes": "int",
            "reset_at": "timestamptz",
            "observed_at": "timestamptz",
            "source": "text",
            "flagged": "bool",
            "label": "text",
            "model": "text",
        },
        ("account_id", "limit_key", "kind"),
        "observed_at",
    ),
    "quota_states": (
        {"account_id": "uuid", "state": "jsonb", "observed_at": "timestamptz"},
        ("account_id",),
        "observed_at",
    ),
    "quota_blocks": (
        {
            "account_id": "uuid",
            "limit_key": "text",
            "reason": "text",
            "until": "timestamptz",
            "set_at": "timestamptz",
            "source": "text",
        },
        ("account_id", "limit_key"),
        "set_at",
    ),
}


def _upsert(table: str) -> str:
    """Rows of deleted accounts are left out.  What is stored gives way to what is newer, and to anything when it
    claims to come from the future, because then a clock was set back."""
    columns, key, instant = _SHAPES[table]
    shape = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f'x."{name}"' for name in columns)
    updates = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in columns if name not in key)
    return (
        f"INSERT INTO {table} AS t ({names}) SELECT {values}"
        f" FROM jsonb_to_recordset(%({table})s::jsonb) AS x({shape}) JOIN accounts a ON a.id = x.account_id"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
        f" WHERE EXCLUDED.{instant} >= t.{instant} OR t.{instant} > %(soon)s"
    )


# Parameters: one JSON array of objects per table, and ``soon``, a little after now.
STORE = (
    f"WITH w AS ({_upsert('quota_windows')} RETURNING 1),"
    f" s AS ({_upsert('quota_states')} RETURNING 1) {_upsert('quota_blocks')}"
)

# Of these accounts the ones that nobody has asked for since ``before``; they are this process's to ask now.
# Rows are taken in one order, so that two processes cannot wait for each other.
_wanted = sa.select(accounts.c.id, sa.bindparam("now", type_=sa.DateTime(timezone=True))).where(
    accounts.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
)
_claim = insert(quota_polls).from_select(["account_id", "claimed_at"], _wanted.order_by(accounts.c.id))
CLAIM = Query(
    _claim.on_conflict_do_update(
        index_elements=["account_id"],
        set_={"claimed_at": _claim.excluded.claimed_at},
        where=quota_polls.c.claimed_at <= sa.bindparam("before", type_=sa.DateTime(timezone=True)),
    ).returning(quota_polls.c.account_id)
)

# Only a plan that differs is written, so that the configuration is announced as changed when it was.
SET_PLAN = Query(
    sa.update(accounts)
    .where(accounts.c.id == sa.bindparam("account_id"), accounts.c.plan_type.is_distinct_from(sa.bindparam("plan")))
    .values(plan_type=sa.bindparam("plan"), updated_at=sa.func.now())
    .returning(accounts.c.id)
)
