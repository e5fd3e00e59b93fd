"""Moves finished turns into the log, its hourly rollup and the keys' last use: one statement, safe to repeat."""

from __future__ import annotations

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
    "effort": "text",
    "service_tier": "text",
    "status": "text",
    "http_status": "int",
    "error_code": "text",
    "ttft_ms": "int",
    "duration_ms": "int",
    "input_tokens": "bigint",
    "cached_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "request_bytes": "bigint",
    "response_bytes": "bigint",
    "attempts": "jsonb",
    "excluded": "jsonb",
}
REFERENCES = {"pool_id": "pools", "api_key_id": "api_keys", "account_id": "accounts"}

_names = ", ".join(COLUMNS)
_shape = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
# configuration may have been deleted since the turn ran: then the row keeps the name and loses the id
_values = ", ".join(
    f"(SELECT id FROM {REFERENCES[name]} WHERE id = x.{name})" if name in REFERENCES else f"x.{name}"
    for name in COLUMNS
)

# Parameter ``rows``: a JSON array of objects with these columns.  Replaying a row changes nothing, neither here nor
# in the rollup, because the rollup counts only what this statement really inserted.
STORE = f"""
WITH x AS (SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS x({_shape})),
stored AS (INSERT INTO requests ({_names}) SELECT {_values} FROM x ON CONFLICT DO NOTHING RETURNING id),
counted AS (SELECT x.* FROM x JOIN stored USING (id)),
used AS (UPDATE api_keys k SET last_used_at = n.at
    FROM (SELECT api_key_id, max(admitted_at) AS at FROM counted GROUP BY api_key_id) n
    WHERE k.id = n.api_key_id AND (k.last_used_at IS NULL OR k.last_used_at < n.at))
INSERT INTO usage_hourly AS u (hour, pool_id, api_key_id, account_id, model, service_tier,
    requests, succeeded, failed, rejected, cancelled,
    input_tokens, cached_tokens, output_tokens, reasoning_tokens, duration_ms, ttft_ms, ttft_count)
SELECT date_trunc('hour', admitted_at, 'UTC'), COALESCE(pool_id, '00000000-0000-0000-0000-000000000000'),
    COALESCE(api_key_id, '00000000-0000-0000-0000-000000000000'),
    COALESCE(account_id, '00000000-0000-0000-0000-000000000000'), COALESCE(model, ''), COALESCE(service_tier, ''),
    count(*), count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status IN ('failed', 'interrupted')),
    count(*) FILTER (WHERE status = 'rejected'), count(*) FILTER (WHERE status = 'cancelled'),
    COALESCE(sum(input_tokens), 0), COALESCE(sum(cached_tokens), 0), COALESCE(sum(output_tokens), 0),
    COALESCE(sum(reasoning_tokens), 0), sum(duration_ms), COALESCE(sum(ttft_ms), 0), count(ttft_ms)
FROM counted GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (hour, pool_id, api_key_id, account_id, model, service_tier) DO UPDATE SET
    requests = u.requests + EXCLUDED.requests, succeeded = u.succeeded + EXCLUDED.succeeded,
    failed = u.failed + EXCLUDED.failed, rejected = u.rejected + EXCLUDED.rejected,
    cancelled = u.cancelled + EXCLUDED.cancelled, input_tokens = u.input_tokens + EXCLUDED.input_tokens,
    cached_tokens = u.cached_tokens + EXCLUDED.cached_tokens, output_tokens = u.output_tokens + EXCLUDED.output_tokens,
    reasoning_tokens = u.reasoning_tokens + EXCLUDED.reasoning_tokens,
    duration_ms = u.duration_ms + EXCLUDED.duration_ms,
    ttft_ms = u.ttft_ms + EXCLUDED.ttft_ms, ttft_count = u.ttft_count + EXCLUDED.ttft_count
"""

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'requests'::regclass"


def partition_name(day: date) -> str:
    return f"requests_{day:%Y%m%d}"


def create_partition(day: date) -> str:
    """The statement for one UTC day; harmless when the partition is there."""
    upper = day + timedelta(days=1)
    return (
        f"CREATE TABLE IF NOT EXISTS {partition_name(day)} PARTITION OF requests "
        f"FOR VALUES FROM ('{day} 00:00+00') TO ('{upper} 00:00+00')"
    )
