"""Tell every process that configuration changed, as part of the change itself."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_snapshot import CHANGED
from codex_pooler.storage.query import Query

ANNOUNCE = Query(sa.select(sa.func.pg_notify(CHANGED, "").label("sent")))


async def announce_config(session: Session) -> None:
    """Notify listeners when the surrounding transaction commits."""
    await session.fetch(ANNOUNCE)
