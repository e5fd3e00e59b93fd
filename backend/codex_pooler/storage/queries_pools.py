"""Pools and their members."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible, id_list
from codex_pooler.storage.tables import accounts, api_keys, pool_accounts, pools

POOL_DEFAULTS: dict[str, Any] = {
    "description": None,
    "strategy": "capacity_weighted",
    "max_attempts": 4,
    "switches": {},
    "model_aliases": [],
}
MEMBER_DEFAULTS: dict[str, Any] = {
    "enabled": True,
    "priority": 0,
    "weight": 1.0,
    "max_concurrency": None,
    "max_primary_percent": None,
    "max_secondary_percent": None,
}

_POOL_ID = pools.c.id == sa.bindparam("pool_id", type_=sa.Uuid)
_EDITABLE = ("name", "slug", "description", "strategy", "max_attempts", "switches", "model_aliases", "status")
_MEMBER_EDITABLE = tuple(MEMBER_DEFAULTS)

LIST = Query(sa.select(pools).where(among_visible(pools.c.id)).order_by(sa.func.lower(pools.c.name), pools.c.id))
ONE = Query(sa.select(pools).where(_POOL_ID))
LOCK = Query(sa.select(pools).where(_POOL_ID).with_for_update())
SLUG_USED = Query(sa.select(pools.c.id).where(pools.c.slug == sa.bindparam("slug")))
SLUGS_LIKE = Query(sa.select(pools.c.slug).where(pools.c.slug.like(sa.bindparam("pattern"))))

INSERT = Query(
    insert(pools)
    .values(
        {
            name: sa.bindparam(name, type_=pools.c[name].type)
            for name in ("id", "name", "slug", "description", "strategy", "max_attempts", "switches", "model_aliases")
        }
    )
    .on_conflict_do_nothing(index_elements=[pools.c.slug])
    .returning(pools.c.id)
)
UPDATE = Query(
    sa.update(pools)
    .where(_POOL_ID)
    .values(
        {name: sa.bindparam(name, type_=pools.c[name].type) for name in _EDITABLE}
        | {"version": pools.c.version + 1, "updated_at": sa.func.now()}
    )
)
DELETE = Query(sa.delete(pools).where(_POOL_ID))

MEMBERS = Query(
    sa.select(
        pool_accounts.c.pool_id,
        pool_accounts.c.account_id,
        pool_accounts.c.enabled,
        pool_accounts.c.priority,
        pool_accounts.c.weight,
        pool_accounts.c.max_concurrency,
        pool_accounts.c.max_primary_percent,
        pool_accounts.c.max_secondary_percent,
        accounts.c.label,
        accounts.c.state,
        accounts.c.access_expires_at,
    )
    .join(accounts, accounts.c.id == pool_accounts.c.account_id)
    .where(pool_accounts.c.pool_id == id_list("pool_ids"))
    .order_by(pool_accounts.c.priority.desc(), sa.func.lower(accounts.c.label), accounts.c.id)
)
KEY_COUNTS = Query(
    sa.select(
        api_keys.c.pool_id,
        sa.func.count().label("total"),
        sa.func.count()
        .filter(
            api_keys.c.status == "active",
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > sa.func.now()),
        )
        .label("active"),
    )
    .where(api_keys.c.pool_id == id_list("pool_ids"))
    .group_by(api_keys.c.pool_id)
)

_MEMBER = sa.and_(
    pool_accounts.c.pool_id == sa.bindparam("pool_id", type_=sa.Uuid),
    pool_accounts.c.account_id == sa.bindparam("account_id", type_=sa.Uuid),
)
ACCOUNT_EXISTS = Query(sa.select(accounts.c.id).where(accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid)))
MEMBER = Query(sa.select(pool_accounts).where(_MEMBER))
INSERT_MEMBER = Query(
    insert(pool_accounts)
    .values(
        {
            name: sa.bindparam(name, type_=pool_accounts.c[name].type)
            for name in ("pool_id", "account_id", *_MEMBER_EDITABLE)
        }
    )
    .on_conflict_do_nothing()
    .returning(pool_accounts.c.account_id)
)
UPDATE_MEMBER = Query(
    sa.update(pool_accounts)
    .where(_MEMBER)
    .values({name: sa.bindparam(name, type_=pool_accounts.c[name].type) for name in _MEMBER_EDITABLE})
)
DELETE_MEMBER = Query(sa.delete(pool_accounts).where(_MEMBER))
