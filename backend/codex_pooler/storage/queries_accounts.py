"""Upstream accounts, their sealed secrets, and the pools they are in."""

from __future__ import annotations

from datetime import timedelta

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
    "credential_kind",
    "is_fedramp",
    "access_expires_at",
    "last_refresh_at",
)
_CHANGED = {"version": accounts.c.version + 1, "updated_at": sa.func.now()}
_NO_FAILURE = {
    "refresh_failures": 0,
    "refresh_failed_at": sa.null(),
    "refresh_error": sa.null(),
    "refresh_refused": sa.false(),
    "refresh_leased_until": sa.null(),
}

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
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in ("id", "label", "onboarding", *_LOGIN)}
    )
)
# A pause is the operator's will and survives a new login; a needed login does not.
_STAYS = sa.or_(*(accounts.c.state == state for state in ("paused", "draining", "disabled")))
REPLACE_LOGIN = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID)
    .values(
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in _LOGIN}
        | _CHANGED
        | {
            "state": sa.case((_STAYS, accounts.c.state), else_="active"),
            "state_reason": sa.case((_STAYS, accounts.c.state_reason), else_=None),
            "state_changed_at": sa.case(
                (sa.or_(_STAYS, accounts.c.state == "active"), accounts.c.state_changed_at), else_=sa.func.now()
            ),
            "credential_epoch": accounts.c.credential_epoch + 1,
            "checked_at": sa.null(),
        }
        | _NO_FAILURE
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
# A login of another kind leaves none of its predecessor's tokens behind.
DROP_TOKENS = Query(
    sa.delete(account_secrets).where(
        account_secrets.c.account_id == sa.bindparam("account_id", type_=sa.Uuid),
        sa.or_(*(account_secrets.c.kind == kind for kind in ("access", "refresh", "id"))),
    )
)
EGRESS = Query(
    sa.select(account_secrets.c.sealed).where(
        account_secrets.c.account_id == sa.bindparam("account_id", type_=sa.Uuid), account_secrets.c.kind == "egress"
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

EDIT = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID)
    .values({name: sa.bindparam(name, type_=accounts.c[name].type) for name in ("label", "notes", "tags")} | _CHANGED)
)
DROP_EGRESS = Query(
    sa.delete(account_secrets).where(
        account_secrets.c.account_id == sa.bindparam("account_id", type_=sa.Uuid), account_secrets.c.kind == "egress"
    )
)
# the proxies of many accounts at once
EGRESSES = Query(
    sa.select(account_secrets.c.account_id, account_secrets.c.sealed).where(
        account_secrets.c.account_id == id_list("account_ids"), account_secrets.c.kind == "egress"
    )
)
SET_STATE = Query(
    sa.update(accounts)
    .where(_ACCOUNT_ID)
    .values(
        state=sa.bindparam("state"),
        state_reason=sa.bindparam("reason", type_=sa.Text),
        state_changed_at=sa.func.now(),
        **_CHANGED,
    )
)
DELETE = Query(sa.delete(accounts).where(_ACCOUNT_ID))

# -- renewing logins.  credential_epoch counts logins and renewals: a result is written only onto the epoch that it
# replaces, so that one that comes late never overwrites a newer login.

# Longer than an exchange can take, and long enough for a process that got its answer while the database was away to
# store it before another process spends the same token.
LEASE = timedelta(minutes=5)
_LEASED = sa.func.coalesce(accounts.c.refresh_leased_until > sa.func.now(), sa.false()).label("leased")
_RENEWAL_COLUMNS = (
    accounts.c.id,
    accounts.c.label,
    accounts.c.state,
    accounts.c.credential_kind,
    accounts.c.credential_epoch,
    accounts.c.access_expires_at,
    accounts.c.last_refresh_at,
    accounts.c.created_at,
    accounts.c.refresh_failures,
    accounts.c.refresh_failed_at,
    accounts.c.refresh_error,
    accounts.c.refresh_refused,
)
_access, _refresh, _egress = (account_secrets.alias(kind) for kind in ("access", "refresh", "egress"))
_with_secrets = (
    accounts.outerjoin(_access, sa.and_(_access.c.account_id == accounts.c.id, _access.c.kind == "access"))
    .outerjoin(_refresh, sa.and_(_refresh.c.account_id == accounts.c.id, _refresh.c.kind == "refresh"))
    .outerjoin(_egress, sa.and_(_egress.c.account_id == accounts.c.id, _egress.c.kind == "egress"))
)
LOGIN = Query(
    sa.select(
        *_RENEWAL_COLUMNS,
        _LEASED,
        _access.c.sealed.label("access_sealed"),
        _refresh.c.sealed.label("refresh_sealed"),
        _egress.c.sealed.label("egress_sealed"),
    )
    .select_from(_with_secrets)
    .where(_ACCOUNT_ID)
)
RENEWABLE = Query(
    sa.select(*_RENEWAL_COLUMNS)
    .select_from(_with_secrets)
    .where(
        _refresh.c.sealed.is_not(None),
        sa.not_(accounts.c.refresh_refused),
        sa.not_(_LEASED.element),
        accounts.c.state != "disabled",  # somebody else may be renewing it now
    )
)
TAKE_LEASE = Query(sa.update(accounts).where(_ACCOUNT_ID).values(refresh_leased_until=sa.func.now() + LEASE))

_SAME_EPOCH = sa.and_(_ACCOUNT_ID, accounts.c.credential_epoch == sa.bindparam("epoch", type_=sa.BigInteger))
_NEEDS_NO_LOGIN = accounts.c.state != "reauth_required"
STORE_RENEWAL = Query(
    sa.update(accounts)
    .where(_SAME_EPOCH)
    .values(
        {
            "credential_epoch": accounts.c.credential_epoch + 1,
            "access_expires_at": sa.bindparam("access_expires_at", type_=accounts.c.access_expires_at.type),
            "last_refresh_at": sa.bindparam("renewed_at", type_=accounts.c.last_refresh_at.type),
            "plan_type": sa.func.coalesce(sa.bindparam("plan_type", type_=sa.Text), accounts.c.plan_type),
            "state": sa.case((_NEEDS_NO_LOGIN, accounts.c.state), else_="active"),
            "state_reason": sa.case((_NEEDS_NO_LOGIN, accounts.c.state_reason), else_=None),
            "updated_at": sa.func.now(),
        }
        | _NO_FAILURE
    )
)
_FAILED = {
    "refresh_failures": accounts.c.refresh_failures + 1,
    "refresh_failed_at": sa.bindparam("failed_at", type_=accounts.c.refresh_failed_at.type),
    "refresh_error": sa.bindparam("code", type_=sa.Text),
    "refresh_leased_until": sa.null(),
}
RECORD_FAILURE = Query(sa.update(accounts).where(_SAME_EPOCH).values(_FAILED | {"updated_at": sa.func.now()}))
# A pause stays a pause; reactivating then leads to the login that is needed.
RECORD_REFUSAL = Query(
    sa.update(accounts)
    .where(_SAME_EPOCH)
    .values(
        _FAILED
        | _CHANGED
        | {
            "refresh_refused": sa.true(),
            "state": sa.case((accounts.c.state == "active", "reauth_required"), else_=accounts.c.state),
            "state_reason": sa.case((_STAYS, accounts.c.state_reason), else_=sa.bindparam("code", type_=sa.Text)),
            "state_changed_at": sa.case(
                (accounts.c.state == "active", sa.func.now()), else_=accounts.c.state_changed_at
            ),
        }
    )
)
