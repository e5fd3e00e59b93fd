"""Upstream accounts, their sealed secrets, and the pools they are in."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import among_visible, id_list
from codex_pooler.storage.tables import account_secrets, accounts, pool_accounts, pools, requests

_ACCOUNT_ID = accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid)
_VISIBLE = sa.or_(
    sa.bindparam("everything", type_=sa.Boolean),
    sa.exists().where(pool_accounts.c.account_id == accounts.c.id, pool_accounts.c.pool_id == id_list("visible")),
)
_LOGIN = (
    "chatgpt_account_id",
    "chatgpt_user_id",
    "workspace_id",
    "workspace_label",
    "email",
    "plan_type",
    "residency",
    "identity_key",
    "access_expires_at",
    "last_refresh_at",
)
_CHANGED = {"version": accounts.c.version + 1, "updated_at": sa.func.now()}

LIST = Query(sa.select(accounts).where(_VISIBLE).order_by(sa.func.lower(accounts.c.label), accounts.c.id))
ONE = Query(sa.select(accounts).where(_ACCOUNT_ID, _VISIBLE))
LOCK = Query(sa.select(accounts).where(_ACCOUNT_ID).with_for_update())

MEMBERSHIPS = Query(
    sa.select(
        pool_accounts.c.account_id,
        pool_accounts.c.pool_id,
        pool_accounts.c.enabled,
        pools.c.name.label("pool_name"),
        pools.c.status.label("pool_status"),
    )
    .join(pools, pools.c.id == pool_accounts.c.pool_id)
    .where(pool_accounts.c.account_id == id_list("account_ids"))
    .order_by(sa.func.lower(pools.c.name), pools.c.id)
)

# One index probe per account and partition instead of a scan of the log.
_newest = (
    sa.select(requests.c.admitted_at)
    .where(requests.c.account_id == accounts.c.id, among_visible(requests.c.pool_id))
    .order_by(requests.c.admitted_at.desc())
    .limit(1)
    .scalar_subquery()
)
LAST_USED = Query(
    sa.select(accounts.c.id.label("account_id"), _newest.label("last_used_at")).where(
        accounts.c.id == id_list("account_ids")
    )
)

# Imports of the same account wait for each other, so that two at once do not make two rows.
IDENTITY_LOCK = Query(
    sa.select(
        sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.cast(sa.bindparam("account"), sa.Text), 0)).label(
            "locked"
        )
    )
)
SAME_ACCOUNT = Query(
    sa.select(accounts)
    .where(accounts.c.chatgpt_account_id == sa.bindparam("chatgpt_account_id"))
    .order_by(accounts.c.created_at, accounts.c.id)
    .with_for_update()
)
INSERT = Query(
    sa.insert(accounts).values(
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in ("id", "label", *_LOGIN)}
    )
)
# A pause is the operator's will and survives a new login; a needed login does not.
_STAYS = sa.or_(accounts.c.state == "paused", accounts.c.state == "disabled")
REPLACE_LOGIN = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID)
    .values(
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in _LOGIN}
        | _CHANGED
        | {
            "state": sa.case((_STAYS, accounts.c.state), else_="active"),
            "state_reason": sa.case((_STAYS, accounts.c.state_reason), else_=None),
            "credential_epoch": accounts.c.credential_epoch + 1,
        }
    )
)
_secret = insert(account_secrets).values(
    account_id=sa.bindparam("account_id", type_=sa.Uuid),
    kind=sa.bindparam("kind"),
    sealed=sa.bindparam("sealed", type_=sa.LargeBinary),
)
SAVE_SECRET = Query(
    _secret.on_conflict_do_update(
        index_elements=[account_secrets.c.account_id, account_secrets.c.kind],
        set_={"sealed": _secret.excluded.sealed, "updated_at": sa.func.now()},
    )
)
JOIN_POOL = Query(
    insert(pool_accounts)
    .values(
        pool_id=sa.bindparam("pool_id", type_=sa.Uuid),
        account_id=sa.bindparam("account_id", type_=sa.Uuid),
    )
    .on_conflict_do_nothing()
)

RENAME = Query(sa.update(accounts).where(_ACCOUNT_ID).values(label=sa.bindparam("label"), **_CHANGED))
SET_STATE = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID)
    .values(
        state=sa.bindparam("state"),
        state_reason=sa.bindparam("reason", type_=sa.Text),
        state_changed_at=sa.func.now(),
        credential_epoch=accounts.c.credential_epoch + 1,
        **_CHANGED,
    )
)
DELETE = Query(sa.delete(accounts).where(_ACCOUNT_ID))
