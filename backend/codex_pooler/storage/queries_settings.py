"""Groups of instance settings: what deviates from the defaults, and its version."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import instance_settings

_NAMED = instance_settings.c.name == sa.bindparam("group")

LIST = Query(sa.select(instance_settings))
ONE = Query(sa.select(instance_settings).where(_NAMED))
LOCK = Query(sa.select(instance_settings).where(_NAMED).with_for_update())
# a group nobody has changed yet gets its row, so that there is something to lock
ENSURE = Query(
    insert(instance_settings)
    .values(name=sa.bindparam("group"), value=sa.bindparam("nothing", {}, type_=JSONB))
    .on_conflict_do_nothing()
)
UPDATE = Query(
    sa.update(instance_settings)
    .where(_NAMED)
    .values(value=sa.bindparam("value", type_=JSONB), version=instance_settings.c.version + 1, updated_at=sa.func.now())
)
