"""Pool API keys as operators manage them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible
from codex_pooler.storage.tables import api_keys, pools

_KEY_ID = api_keys.c.id == sa.bindparam("api_key_id", type_=sa.Uuid)
_CHANGED = {"version": api_keys.c.version + 1, "updated_at": sa.func.now()}
_MATERIAL = {"prefix": sa.bindparam("prefix"), "digest": sa.bindparam("digest", type_=sa.LargeBinary)}
_EDITABLE = {
    "name": sa.bindparam("name"),
    "expires_at": sa.bindparam("expires_at", type_=sa.DateTime(timezone=True)),
    "allowed_models": sa.bindparam("allowed_models", type_=ARRAY(sa.Text)),
}
# Everything but the digest.
_SHOWN = sa.select(*(column for column in api_keys.c if column.name != "digest"), pools.c.name.label("pool_name")).join(
    pools, pools.c.id == api_keys.c.pool_id
)

LIST = Query(
    _SHOWN.where(among_visible(api_keys.c.pool_id)).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
)
ONE = Query(_SHOWN.where(_KEY_ID))
LOCK = Query(_SHOWN.where(_KEY_ID).with_for_update(of=api_keys))

INSERT = Query(
    sa.insert(api_keys).values(
        id=sa.bindparam("id", type_=sa.Uuid),
        pool_id=sa.bindparam("pool_id", type_=sa.Uuid),
        **_EDITABLE,
        **_MATERIAL,
    )
)
UPDATE = Query(sa.update(api_keys).where(_KEY_ID).values(**_EDITABLE, **_CHANGED))
ROTATE = Query(
    sa.update(api_keys).where(_KEY_ID).values(revoked_epoch=api_keys.c.revoked_epoch + 1, **_MATERIAL, **_CHANGED)
)
SET_STATUS = Query(
    sa.update(api_keys)
    .where(_KEY_ID)
    .values(status=sa.bindparam("status"), revoked_epoch=api_keys.c.revoked_epoch + 1, **_CHANGED)
)
DELETE = Query(sa.delete(api_keys).where(_KEY_ID))
