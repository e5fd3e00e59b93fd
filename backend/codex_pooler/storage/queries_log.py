"""Moves finished turns into the log, its hourly rollup and the keys' last use: one statement, safe to repeat."""

from __future__ import annotations

import re
from datetime import date, timedelta

COLUMNS = {
    "id": "uuid",
    "admitted_at": "timestamptz",
    "completed_at": "timestamptz",
    "pool_id": "uuid",
    "pool_name": "text",
    "api_key_id": "uuid",
    "api_key_name": "text",
    "account_id": "uuid",
    "account_label": "text",
    "route": "text",
    "transport": "text",
    "client": "text",
    "model": "text",
    "requested_model": "text",
    "served_model": "text",
    "effort": "text",
    "service_tier": "text",
    "status": "text",
    "http_status": "int",
    "error_code": "text",
    "ttft_ms": "int",
    "duration_ms": "int",
    "input_tokens": "bigint",
    "cached_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "cost_micros": "bigint",
    "pricing_status": "text",
    "request_bytes": "bigint",
    "response_bytes": "bigint",
    "attempts": "jsonb",
    "excluded": "jsonb",
    "routing": "jsonb",
    "session": "text",
    "client_ip": "text",
}
REFERENCES = {"pool_id": "pools", "api_key_id": "api_keys", "account_id": "accounts"}

_names = ", ".join(COLUMNS)
_shape = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
# configuration may have been deleted since the turn ran: then the row keeps the name and loses the id
_values = ", ".join(
    f"(SELECT id FROM {REFERENCES[name]} WHERE id = x.{name})" if name in REFERENCES else f"x.{name}"
    for name in COLUMNS
)

_NOBODY = "'00000000-0000-0000-0000-000000000000'"
_DIMENSIONS = {
    "hour": "date_trunc('hour', admitted_at, 'UTC')",
    "pool_id": f"COALESCE(pool_id, {_NOBODY})",
    "api_key_id": f"COALESCE(api_key_id, {_NOBODY})",
    "account_id": f"COALESCE(account_id, {_NOBODY})",
    "model": "COALESCE(model, '')",
    "service_tier": "COALESCE(service_tier, '')",
}
_COUNTERS = {
    "requests": "count(*)",
    "succeeded": "count(*) FILTER (WHERE status = 'succeeded')",
    "failed": "count(*) FILTER (WHERE status IN ('failed', 'interrupted'))",
    "rejected": "count(*) FILTER (WHERE status = 'rejected')",
    "cancelled": "count(*) FILTER (WHERE status = 'cancelled')",
    "input_tokens": "COALESCE(sum(input_tokens), 0)",
    "cached_tokens": "COALESCE(sum(cached_tokens), 0)",
    "cache_write_tokens": "COALESCE(sum(cache_write_tokens), 0)",
    "output_tokens": "COALESCE(sum(output_tokens), 0)",
    "reasoning_tokens": "COALESCE(sum(reasoning_tokens), 0)",
    "cost_micros": "COALESCE(sum(cost_micros), 0)",
    "unpriced": "count(*) FILTER (WHERE starts_with(pricing_status, 'unpriced'))",
    "duration_ms": "sum(duration_ms)",
    "ttft_ms": "COALESCE(sum(ttft_ms), 0)",
    "ttft_count": "count(ttft_ms)",
}
_rollup = {**_DIMENSIONS, **_COUNTERS}
_added = ", ".join(f"{name} = u.{name} + EXCLUDED.{name}" for name in _COUNTERS)

# Parameter ``rows``: a JSON array of objects with these columns.  Replaying a row changes nothing, neither here nor
# in the rollup, because the rollup counts only what this statement really inserted.
STORE = f"""
WITH x AS (SELECT * FROM json_to_recordset(%(rows)s::json) AS x({_shape})),
stored AS (INSERT INTO requests ({_names}) SELECT {_values} FROM x ON CONFLICT DO NOTHING RETURNING id),
counted AS (SELECT x.* FROM x JOIN stored USING (id)),
used AS (UPDATE api_keys k SET last_used_at = n.at
    FROM (SELECT api_key_id, max(admitted_at) AS at FROM counted GROUP BY api_key_id) n
    WHERE k.id = n.api_key_id AND (k.last_used_at IS NULL OR k.last_used_at < n.at))
INSERT INTO usage_hourly AS u ({", ".join(_rollup)})
SELECT {", ".join(_rollup.values())}
FROM counted GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT ({", ".join(_DIMENSIONS)}) DO UPDATE SET {_added}
"""

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'requests'::regclass"

# Parameters ``before`` and ``many``: one batch of the oldest hours, so that no statement takes long.
FORGET_HOURS = """
DELETE FROM usage_hourly WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM usage_hourly WHERE hour < %(before)s ORDER BY hour LIMIT %(many)s))
"""


def partition_name(day: date) -> str:
    return f"requests_{day:%Y%m%d}"


def partition_day(name: str) -> date | None:
    """The UTC day whose turns a partition holds; None for a table that is not one of ours."""
    found = re.fullmatch(r"(?:\w+\.)?requests_(\d{4})(\d{2})(\d{2})", name)
    return date(*map(int, found.groups())) if found else None


def create_partition(day: date) -> str:
    """The statement for one UTC day; harmless when the partition is there."""
    upper = day + timedelta(days=1)
    return (
        f"CREATE TABLE IF NOT EXISTS {partition_name(day)} PARTITION OF requests "
        f"FOR VALUES FROM ('{day} 00:00+00') TO ('{upper} 00:00+00')"
    )
