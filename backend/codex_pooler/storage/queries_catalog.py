"""What each account's model catalogue says, and the lock that lets one process at a time fetch them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on, insert

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import account_models, accounts

_LOCK = 0x6D6F64656C73  # "models"

# a session's lock: it goes with the connection that holds it
TRY_LOCK = Query(sa.select(sa.func.pg_try_advisory_lock(_LOCK).label("taken")))
UNLOCK = Query(sa.select(sa.func.pg_advisory_unlock(_LOCK).label("released")))

FETCHED = Query(
    sa.select(
        account_models.c.account_id,
        account_models.c.digest,
        account_models.c.etag,
        account_models.c.fetched_at,
        account_models.c.missing,
    )
)

OFFERS = Query(sa.select(account_models.c.account_id, account_models.c.slugs, account_models.c.digest))

ENTRIES = Query(
    sa.select(account_models.c.digest, account_models.c.entries)
    .ext(distinct_on(account_models.c.digest))
    .where(account_models.c.digest == sa.any_(sa.bindparam("digests", type_=ARRAY(sa.Text))))
)

_new = sa.select(
    accounts.c.id,
    sa.bindparam("slugs", type_=ARRAY(sa.Text)),
    sa.bindparam("entries", type_=sa.LargeBinary),
    sa.bindparam("digest", type_=sa.Text),
    sa.bindparam("etag", type_=sa.Text),
    sa.func.now(),
    sa.bindparam("missing", type_=JSONB),
).where(accounts.c.id == sa.bindparam("account_id", type_=sa.Uuid))
_columns = ["account_id", "slugs", "entries", "digest", "etag", "fetched_at", "missing"]
_insert = insert(account_models).from_select(_columns, _new)

# does nothing for an account that was deleted meanwhile
STORE = Query(
    _insert.on_conflict_do_update(
        index_elements=[account_models.c.account_id],
        set_={name: _insert.excluded[name] for name in _columns[1:]},
    )
)

UNCHANGED = Query(
    sa.update(account_models)
    .where(account_models.c.account_id == sa.bindparam("account", type_=sa.Uuid))
    .values(fetched_at=sa.func.now(), etag=sa.bindparam("tag", type_=sa.Text))
)
