"""The processes of this installation in PostgreSQL: each renews its own row, and the rows of the dead are removed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import nodes

ALIVE_SECONDS = 15.0  # a process that has not been heard of for so long counts as away
FORGOTTEN_SECONDS = 60.0

_node = nodes.c


def _ago(seconds: sa.ColumnElement[float]) -> sa.ColumnElement[datetime]:
    return sa.func.now() - seconds * sa.text("interval '1 second'")


_renewed = {
    "key_version": sa.bindparam("key_version", type_=sa.Integer),
    "leads": sa.bindparam("leads", type_=ARRAY(sa.Text)),
    "drains_known": sa.bindparam("drains_known", type_=ARRAY(sa.Uuid)),
    "drains_busy": sa.bindparam("drains_busy", type_=ARRAY(sa.Uuid)),
    "seen_at": sa.func.now(),
}
BEAT = Query(
    insert(nodes)
    .values({name: sa.bindparam(name) for name in ("id", "role", "host", "pid", "version", "started_at")} | _renewed)
    .on_conflict_do_update(index_elements=[_node.id], set_=_renewed)
)
# processes that could not open what is sealed with a newer key
BEHIND = Query(
    sa.select(_node.role, _node.host, _node.pid, _node.key_version).where(
        _node.seen_at > _ago(sa.bindparam("seconds", type_=sa.Float)),
        _node.key_version < sa.bindparam("key_version", type_=sa.Integer),
    )
)
LEAVE = Query(sa.delete(nodes).where(_node.id == sa.bindparam("node")))
FORGET = Query(sa.delete(nodes).where(_node.seen_at < _ago(sa.bindparam("seconds", type_=sa.Float))))
ALIVE = Query(
    sa.select(_node.role, _node.leads, _node.seen_at)
    .where(_node.seen_at > _ago(sa.bindparam("seconds", type_=sa.Float)))
    .order_by(_node.started_at)
)
