"""Price lists that were fetched: one row per list that differs, the newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from codex_pooler.storage.database import Session
from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import price_catalogs

KEPT = 50  # lists; older ones are of no use to anybody

_list = price_catalogs.c
_newest_first = _list.fetched_at.desc()

NEWEST = Query(
    # as text: what PostgreSQL wrote down is read as exactly as what was fetched
    sa.select(_list.version, _list.fetched_at, sa.cast(_list.document, sa.Text).label("document"))
    .where(_list.source == sa.bindparam("source"))
    .order_by(_newest_first)
    .limit(1)
)
NEWEST_VERSION = Query(
    sa.select(_list.version).where(_list.source == sa.bindparam("source")).order_by(_newest_first).limit(1)
)
STORE = Query(
    insert(price_catalogs)
    .values(
        version=sa.bindparam("version"),
        source=sa.bindparam("source"),
        document=sa.cast(sa.bindparam("document", type_=sa.Text), JSONB),
        fetched_at=sa.func.now(),
    )
    .on_conflict_do_update(
        index_elements=[_list.version], set_={"source": sa.bindparam("source"), "fetched_at": sa.func.now()}
    )
)
FORGET = Query(
    sa.delete(price_catalogs).where(
        _list.version.not_in(sa.select(_list.version).order_by(_newest_first).limit(KEPT).scalar_subquery())
    )
)


class StoredList(NamedTuple):
    """A price list as it was fetched."""

    version: str
    fetched_at: datetime
    document: bytes


async def newest_list(session: Session, source: str) -> StoredList | None:
    """What was last fetched from a source."""
    row: Any = await session.one(NEWEST, source=source)
    return StoredList(row.version, row.fetched_at, row.document.encode()) if row else None


async def newest_version(session: Session, source: str) -> str | None:
    """Which list that is, without reading it."""
    row: Any = await session.one(NEWEST_VERSION, source=source)
    return str(row.version) if row else None


async def store_list(session: Session, source: str, version: str, document: bytes) -> None:
    """Keep a list; one that is known already is only marked as fetched now."""
    await session.execute(STORE, source=source, version=version, document=document.decode())
    await session.execute(FORGET)
