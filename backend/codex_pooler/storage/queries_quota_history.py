"""How full usage windows were over time: samples written, thinned out for forecasts and charts, and forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from codex_pooler.storage.database import Session

# Parameters: ``samples``, a JSON array of objects, and by how much (``percent``, ``reset_seconds``) or how long after
# the newest before it (``seconds``) a sample is news.  Others are left out: another process has seen the same.
STORE_SAMPLES = """
INSERT INTO quota_samples (account_id, limit_key, kind, observed_at, used_percent, reset_at)
SELECT x.account_id, x.limit_key, x.kind, x.observed_at, x.used_percent, x.reset_at
FROM jsonb_to_recordset(%(samples)s::jsonb) AS x(account_id uuid, limit_key text, kind text,
    observed_at timestamptz, used_percent float8, reset_at timestamptz)
JOIN accounts a ON a.id = x.account_id
LEFT JOIN LATERAL (
    SELECT s.observed_at, s.used_percent, s.reset_at FROM quota_samples s
    WHERE s.account_id = x.account_id AND s.limit_key = x.limit_key AND s.kind = x.kind
        AND s.observed_at <= x.observed_at
    ORDER BY s.observed_at DESC LIMIT 1
) s ON true
WHERE s.observed_at IS NULL
    OR s.observed_at <= x.observed_at - make_interval(secs => %(seconds)s)
    OR abs(s.used_percent - x.used_percent) >= %(percent)s
    OR (s.used_percent + x.used_percent > 0 AND ((s.reset_at IS NULL) <> (x.reset_at IS NULL)
        OR abs(extract(epoch FROM s.reset_at - x.reset_at)) > %(reset_seconds)s))
ON CONFLICT DO NOTHING
"""

# Parameters ``before`` and ``many``: one batch of the oldest, so that no statement takes long.
FORGET_SAMPLES = """
DELETE FROM quota_samples WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM quota_samples WHERE observed_at < %(before)s ORDER BY observed_at LIMIT %(many)s))
"""


class Wanted(NamedTuple):
    """One window's history since a moment, one sample per ``step_seconds``."""

    account_id: UUID
    limit_key: str
    kind: str
    since: datetime
    step_seconds: float


class Seen(NamedTuple):
    """A stored sample."""

    account_id: UUID
    limit_key: str
    kind: str
    observed_at: datetime
    used_percent: float
    reset_at: datetime | None


# One range of the primary key per window, however long its history is.
_RECENT = """
SELECT w.account_id::text, w.limit_key, w.kind, s.observed_at, s.used_percent, s.reset_at
FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w(account_id uuid, limit_key text, kind text, since timestamptz,
    step_seconds float8)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (floor(extract(epoch FROM q.observed_at) / w.step_seconds))
        q.observed_at, q.used_percent, q.reset_at
    FROM quota_samples q
    WHERE q.account_id = w.account_id AND q.limit_key = w.limit_key AND q.kind = w.kind AND q.observed_at >= w.since
    ORDER BY floor(extract(epoch FROM q.observed_at) / w.step_seconds), q.observed_at DESC
) s
"""


async def recent_samples(session: Session, wanted: Sequence[Wanted]) -> list[Seen]:
    """The last sample of every step of each wanted window."""
    if not wanted:
        return []
    rows = [{**each._asdict(), "account_id": str(each.account_id)} for each in wanted]
    await session.run(_RECENT, {"wanted": orjson.dumps(rows).decode()})
    return [Seen(UUID(account), *rest) for account, *rest in await session.cursor.fetchall()]


# The last figure of every step, and the last reset in it: the one that was named has passed, or the figure fell while
# another reset was named.
_CHART = """
WITH seen AS (
    SELECT limit_key, kind, observed_at, used_percent,
        lag(used_percent) OVER earlier > 0
        AND (lag(reset_at) OVER earlier <= observed_at
            OR (used_percent < lag(used_percent) OVER earlier - 1 AND reset_at <> lag(reset_at) OVER earlier)) AS anew
    FROM quota_samples
    WHERE account_id = %(account_id)s AND observed_at >= %(since)s AND observed_at <= %(until)s
    WINDOW earlier AS (PARTITION BY limit_key, kind ORDER BY observed_at)
)
SELECT limit_key, kind, floor(extract(epoch FROM observed_at) / %(step)s)::bigint * %(step)s AS t,
    (array_agg(used_percent ORDER BY observed_at DESC))[1] AS used_percent,
    extract(epoch FROM max(observed_at) FILTER (WHERE anew))::bigint AS reset_at
FROM seen GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


class Step(NamedTuple):
    """One step of a window's chart; ``t`` and ``reset_at`` in unix seconds."""

    limit_key: str
    kind: str
    t: int
    used_percent: float
    reset_at: int | None


async def chart(session: Session, account_id: UUID, since: datetime, until: datetime, step: int) -> list[Step]:
    """How full an account's windows were, by steps of so many seconds in order of time; empty ones are absent."""
    values: dict[str, Any] = {"account_id": str(account_id), "since": since, "until": until, "step": step}
    await session.run(_CHART, values)
    return [Step(*row) for row in await session.cursor.fetchall()]
