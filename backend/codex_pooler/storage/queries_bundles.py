"""What a bundle takes along of accounts, and what it leaves behind."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import id_list
from codex_pooler.storage.tables import account_secrets, accounts

_CHOSEN = sa.or_(sa.bindparam("all_of_them", type_=sa.Boolean), accounts.c.id == id_list("account_ids"))

# Locked, so that no renewal begins to spend a token between its reading and the end of the transaction.
CHOSEN = Query(
    sa.select(accounts, sa.func.coalesce(accounts.c.refresh_leased_until > sa.func.now(), sa.false()).label("leased"))
    .where(_CHOSEN)
    .order_by(accounts.c.id)
    .with_for_update(of=accounts)
)
SECRETS = Query(sa.select(account_secrets).where(account_secrets.c.account_id == id_list("account_ids")))
LEAVE_TO_ANOTHER = Query(
    sa.update(accounts)
    .where(accounts.c.id == id_list("account_ids"))
    .values(
        state="disabled",
        state_reason="exported",
        state_changed_at=sa.func.now(),
        version=accounts.c.version + 1,
        updated_at=sa.func.now(),
    )
)
BY_IDENTITY = Query(sa.select(accounts).where(accounts.c.identity_key == sa.bindparam("identity_key")))
DESCRIBE = Query(
    sa.update(accounts)
    .where(accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid))
    .values(
        {name: sa.bindparam(name, type_=accounts.c[name].type) for name in ("notes", "tags", "reset_policy")}
        | {"max_concurrency": sa.bindparam("max_concurrency", type_=sa.Integer)}
    )
)
