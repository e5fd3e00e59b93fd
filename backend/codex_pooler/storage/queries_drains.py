"""Accounts that finish their turns before they are paused, and which of them no process serves any more."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.queries_nodes import ALIVE_SECONDS
from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import accounts, nodes, pool_accounts, pools

_alive = sa.and_(
    nodes.c.role.in_(["web", "all"]),
    nodes.c.seen_at > sa.func.now() - sa.literal(ALIVE_SECONDS) * sa.text("interval '1 second'"),
)
_routed = sa.exists().where(
    pool_accounts.c.account_id == accounts.c.id,
    pools.c.id == pool_accounts.c.pool_id,
)
_holds_on = sa.exists().where(
    _alive,
    sa.or_(
        nodes.c.seen_at < accounts.c.state_changed_at,
        accounts.c.id == sa.any_(nodes.c.drains_busy),
        sa.and_(_routed, sa.not_(accounts.c.id == sa.any_(nodes.c.drains_known))),
    ),
)
# A process that has died is not waited for once it has not been heard of for a while.
FINISH = Query(
    sa.update(accounts)
    .where(accounts.c.state == "draining", sa.not_(_holds_on))
    .values(
        state="paused",
        state_reason="drained",
        state_changed_at=sa.func.now(),
        version=accounts.c.version + 1,
        updated_at=sa.func.now(),
    )
    .returning(accounts.c.id)
)
ANY = Query(sa.select(sa.exists(sa.select(accounts.c.id).where(accounts.c.state == "draining")).label("any")))
