"""Reads and writes of the files clients gave to accounts: ids, sizes, states and times, never bytes or addresses."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import files

MOST_LISTED = 1_000  # of one pool, the newest
CHANGED = "codex_pooler_files"  # the NOTIFY channel; its payload is a JSON array of ids

SHAPE = (
    "id text, pool_id uuid, api_key_id uuid, account_id uuid, name text, bytes bigint, purpose text, status text, "
    "created_at timestamptz, expires_at timestamptz"
)
ORDER = "array_position(ARRAY['pending', 'uploaded', 'abandoned', 'deleted'], {}.status)"

# Parameter ``rows``: a JSON array of objects of this shape; ``ids``: the payload for the other processes.  Pools, keys
# and accounts may have been deleted meanwhile; a status that has moved on stays.
STORE = f"""
WITH x AS (SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS x({SHAPE})),
stored AS (
    INSERT INTO files (id, pool_id, api_key_id, account_id, name, bytes, purpose, status, created_at, expires_at)
    SELECT x.id, p.id, k.id, a.id, x.name, x.bytes, x.purpose, x.status, x.created_at, x.expires_at
    FROM x JOIN pools p ON p.id = x.pool_id JOIN accounts a ON a.id = x.account_id
        LEFT JOIN api_keys k ON k.id = x.api_key_id
    ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status
        WHERE {ORDER.format("files")} < {ORDER.format("EXCLUDED")})
SELECT pg_notify('{CHANGED}', %(ids)s)
"""

_all = sa.select(*files.c)
# expired ones stay for a day, so that "expired" can be told from "never was"
FRESH = Query(_all.where(files.c.created_at > sa.bindparam("since", type_=sa.DateTime(timezone=True))))
BY_IDS = Query(_all.where(files.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Text)))))
OF_POOL = Query(
    _all.where(files.c.pool_id == sa.bindparam("pool_id", type_=sa.Uuid))
    .order_by(files.c.created_at.desc(), files.c.id.desc())
    .limit(MOST_LISTED)
)
SWEEP = Query(sa.delete(files).where(files.c.expires_at < sa.bindparam("before", type_=sa.DateTime(timezone=True))))
