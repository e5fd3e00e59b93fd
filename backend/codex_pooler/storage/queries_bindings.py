"""Bindings of sessions and responses to accounts: written behind in batches, read back at start and by other
processes."""

from __future__ import annotations

import sqlalchemy as sa

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import session_bindings

# Parallel arrays, one element a binding.  Configuration may have been deleted since: such rows are left out.  An
# older process's view never replaces a newer one.
STORE = """
INSERT INTO session_bindings AS b (digest, pool_id, account_id, kind, seen_at)
SELECT x.digest, x.pool_id, x.account_id, x.kind, to_timestamp(x.seen)
FROM unnest(%(digests)s::bytea[], %(pool_ids)s::uuid[], %(account_ids)s::uuid[], %(kinds)s::text[],
    %(seen)s::float8[]) AS x(digest, pool_id, account_id, kind, seen)
JOIN pools ON pools.id = x.pool_id
JOIN accounts ON accounts.id = x.account_id
ON CONFLICT (digest) DO UPDATE SET pool_id = EXCLUDED.pool_id, account_id = EXCLUDED.account_id,
    kind = EXCLUDED.kind, seen_at = EXCLUDED.seen_at
WHERE b.seen_at < EXCLUDED.seen_at
"""

# What was bound to these accounts up to the moment of the release.
RELEASE = """
DELETE FROM session_bindings b USING unnest(%(account_ids)s::uuid[], %(seen)s::float8[]) AS x(account_id, seen)
WHERE b.account_id = x.account_id AND b.seen_at <= to_timestamp(x.seen)
"""

# The newest since a moment, the newest first.
SINCE = Query(
    sa.select(
        session_bindings.c.digest,
        session_bindings.c.pool_id,
        session_bindings.c.account_id,
        session_bindings.c.kind,
        sa.cast(sa.extract("epoch", session_bindings.c.seen_at), sa.Float).label("seen"),
    )
    .where(session_bindings.c.seen_at > sa.func.to_timestamp(sa.bindparam("since", type_=sa.Float)))
    .order_by(session_bindings.c.seen_at.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)

EXPIRE = Query(
    sa.delete(session_bindings).where(
        session_bindings.c.seen_at < sa.func.to_timestamp(sa.bindparam("before", type_=sa.Float))
    )
)
