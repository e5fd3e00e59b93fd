"""Pool API keys as operators manage them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible
from codex_pooler.storage.tables import api_keys, pools, requests, usage_hourly

_KEY_ID = api_keys.c.id == sa.bindparam("api_key_id", type_=sa.Uuid)
_CHANGED = {"version": api_keys.c.version + 1, "updated_at": sa.func.now()}
_MATERIAL = {"prefix": sa.bindparam("prefix"), "digest": sa.bindparam("digest", type_=sa.LargeBinary)}
_EDITABLE = {
    name: sa.bindparam(name, type_=api_keys.c[name].type)
    for name in (
        "name",
        "notes",
        "expires_at",
        "allowed_networks",
        "allowed_models",
        "enforced_model",
        "enforced_effort",
        "maximum_effort",
        "enforced_service_tier",
        "max_input_tokens",
        "max_output_tokens",
        "max_concurrency",
        "limits",
    )
}
_ENDING = {"revoked_epoch": api_keys.c.revoked_epoch + 1}  # open sockets of the key are closed
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
END_SOCKETS = Query(sa.update(api_keys).where(_KEY_ID).values(**_ENDING))
ROTATE = Query(sa.update(api_keys).where(_KEY_ID).values(**_MATERIAL, **_CHANGED, **_ENDING))
SET_STATUS = Query(sa.update(api_keys).where(_KEY_ID).values(status=sa.bindparam("status"), **_CHANGED, **_ENDING))
MOVE = Query(
    sa.update(api_keys).where(_KEY_ID).values(pool_id=sa.bindparam("pool_id", type_=sa.Uuid), **_CHANGED, **_ENDING)
)
DELETE = Query(sa.delete(api_keys).where(_KEY_ID))


# What keys have used since three moments: one row per key and model.  Neither what was rejected nor what needs no
# model (files, helper routes) is a use of a key that limits count.
_sought = (
    sa.func.unnest(
        sa.bindparam("ids", type_=ARRAY(sa.Uuid)), sa.bindparam("since", type_=ARRAY(sa.DateTime(timezone=True)))
    )
    .table_valued(sa.column("id", sa.Uuid), sa.column("since", sa.DateTime(timezone=True)), name="sought")
    .render_derived()
)
_hour = usage_hourly.c
_COUNTED = {
    "requests": _hour.requests - _hour.rejected,
    "tokens": _hour.input_tokens + _hour.output_tokens,
    "cost_micros": _hour.cost_micros,
}
USED_WINDOWS = ("day", "week", "month")


def _in_window(name: str) -> sa.ColumnElement[bool]:
    return _hour.hour >= sa.bindparam(name, type_=sa.DateTime(timezone=True))


USED = Query(
    sa.select(
        _hour.api_key_id,
        sa.func.lower(_hour.model).label("model"),
        sa.func.min(_hour.hour).filter(_in_window("week")).label("week_oldest"),
        *(
            sa.cast(sa.func.coalesce(sa.func.sum(counted).filter(_in_window(window)), 0), sa.BigInteger).label(
                f"{window}_{metric}"
            )
            for window in USED_WINDOWS
            for metric, counted in _COUNTED.items()
        ),
    )
    .join(_sought, sa.and_(_hour.api_key_id == _sought.c.id, _hour.hour >= _sought.c.since))
    .where(_hour.model != "")
    .group_by(_hour.api_key_id, sa.func.lower(_hour.model))
)

# The turns that were admitted since a moment and have ended, one by one: for windows of a minute.
_turn = requests.c
LATELY = Query(
    sa.select(
        _turn.api_key_id,
        sa.func.lower(_turn.model).label("model"),
        _turn.admitted_at,
        (sa.func.coalesce(_turn.input_tokens, 0) + sa.func.coalesce(_turn.output_tokens, 0)).label("tokens"),
        sa.func.coalesce(_turn.cost_micros, 0).label("cost_micros"),
    )
    .where(
        _turn.api_key_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))),
        _turn.admitted_at > sa.bindparam("since", type_=sa.DateTime(timezone=True)),
        _turn.status != "rejected",
        _turn.model != "",
    )
    .order_by(_turn.admitted_at)
)
