"""What the backend said of accounts' workspaces, and the lock of whoever asks."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import accounts

_LOCK = 0x636865636B73  # "checks"

# a session's lock: it goes with the connection that holds it
TRY_LOCK = Query(sa.select(sa.func.pg_try_advisory_lock(_LOCK).label("taken")))
UNLOCK = Query(sa.select(sa.func.pg_advisory_unlock(_LOCK).label("released")))

SAID = ("is_fedramp", "workspace_label", "routing_override", "backend_origin", "state_reason")
KNOWN = Query(
    sa.select(accounts.c.id, accounts.c.state, accounts.c.checked_at, *(accounts.c[name] for name in SAID)).where(
        accounts.c.state != "pending"
    )
)

_ACCOUNT_ID = accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid)
# an account that was paused or given up meanwhile keeps the reason that it has now
_SAME_STATE = accounts.c.state == sa.bindparam("seen_state", type_=sa.Text)
STORE = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID, _SAME_STATE)
    .values(
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in SAID}
        | {"checked_at": sa.bindparam("at", type_=accounts.c.checked_at.type), "updated_at": sa.func.now()}
    )
)
UNCHANGED = Query(
    sa.update(accounts).where(_ACCOUNT_ID).values(checked_at=sa.bindparam("at", type_=accounts.c.checked_at.type))
)
