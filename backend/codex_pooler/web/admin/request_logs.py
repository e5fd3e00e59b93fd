"""The request log: list, detail, facets and histogram under the same filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from codex_pooler.storage import queries_requests as queries
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.cursors import decode_cursor, encode_cursor
from codex_pooler.web.admin.problems import Problem, not_found
from codex_pooler.web.admin.schemas.common import past_ref
from codex_pooler.web.admin.schemas.requests import (
    RequestFacets,
    RequestFilter,
    RequestHistogram,
    RequestListQuery,
    RequestLogDetail,
    RequestLogPage,
)
from codex_pooler.web.admin.usage import usd

api = Api("request-logs")
DEFAULT_LIMIT = 50
DEFAULT_SPAN = timedelta(hours=24)
REFERENCES = (
    ("pool", "pool_id", "pool_name"),
    ("api_key", "api_key_id", "api_key_name"),
    ("account", "account_id", "account_label"),
)


@api.endpoint("GET", "/request-logs", needs="requests:read", query=RequestListQuery, returns=RequestLogPage)
async def list_request_logs(call: Call) -> Any:
    """Turns, newest first; follow ``next_cursor`` for older ones."""
    limit, filters = call.query.get("limit", DEFAULT_LIMIT), _filters(call)
    cursor = queries.Position(*decode_cursor(call.query["cursor"])) if "cursor" in call.query else None
    async with call.context.database.session() as session:
        rows = await queries.newest(session, filters, limit + 1, cursor)
        total = None if cursor else await queries.estimate(session, filters)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [log_view(row) for row in rows[:limit]],
        "page": {
            "limit": limit,
            "next_cursor": encode_cursor(last.admitted_at, last.id) if last else None,
            "total_estimate": total,
        },
    }


@api.endpoint("GET", "/request-logs/facets", needs="requests:read", query=RequestFilter, returns=RequestFacets)
async def get_request_log_facets(call: Call) -> Any:
    """Which values the matching turns have, and how many each."""
    async with call.context.database.session() as session:
        found = await queries.facets(session, _filters(call))
    return {
        name: [{"value": str(value), "label": label or str(value), "count": count} for value, label, count in values]
        for name, values in found.items()
    }


@api.endpoint("GET", "/request-logs/histogram", needs="requests:read", query=RequestFilter, returns=RequestHistogram)
async def get_request_log_histogram(call: Call) -> Any:
    """Matching turns per step of time, at most 120 steps; the last 24 hours unless told otherwise."""
    until = call.query.get("until", datetime.now(UTC))
    since = call.query.get("since", until - DEFAULT_SPAN)
    if since >= until:
        raise Problem(400, "invalid_filter", "from must be before to.")
    async with call.context.database.session() as session:
        return await queries.histogram(session, {**_filters(call), "since": since, "until": until})


@api.endpoint("GET", "/request-logs/{request_id}", needs="requests:read", returns=RequestLogDetail)
async def get_request_log(call: Call) -> Any:
    """One turn with its attempts."""
    async with call.context.database.session() as session:
        row = await session.one(queries.ONE, request_id=call.ids["request_id"])
    if row is None or not call.caller.scope.sees(row.pool_id):
        raise not_found()
    return {
        **log_view(row),
        "attempt_log": [_attempt_view(number, entry) for number, entry in enumerate(row.attempt_log, 1)],
        "excluded": [{"reason": reason, "accounts": accounts} for reason, accounts in sorted(row.excluded.items())],
        "routing": _routing_view(row.routing),
        "session": row.session,
        "client_ip": row.client_ip,
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
    }


def _filters(call: Call) -> dict[str, Any]:
    """The filters of the query string, narrowed to the caller's pools."""
    chosen = {name: value for name, value in call.query.items() if name not in ("cursor", "limit") and value}
    if not call.caller.scope.all:
        chosen["visible"] = call.caller.scope.visible
    return chosen


def log_view(row: Any) -> dict[str, Any]:
    plain: dict[str, Any] = row._asdict()
    for name, identity, label in REFERENCES:
        plain[name] = past_ref(plain.pop(identity), plain.pop(label))
    plain["usage"] = _usage_view(row)
    plain["cost"] = _cost_view(row)
    return plain


def _usage_view(row: Any) -> dict[str, Any] | None:
    """Null for a turn that never reached a backend; ``missing`` when the backend reported nothing."""
    if row.status == "rejected":
        return None
    spent = {
        "input": row.input_tokens or 0,
        "cached_input": row.cached_tokens or 0,
        "cache_write": row.cache_write_tokens or 0,
        "output": row.output_tokens or 0,
        "reasoning": row.reasoning_tokens or 0,
    }
    state = "missing" if row.input_tokens is None else "final"
    return {"state": state, **spent, "total": spent["input"] + spent["output"]}


def _cost_view(row: Any) -> dict[str, Any] | None:
    """Null for a turn that never reached a backend, as for its usage."""
    if row.status == "rejected":
        return None
    status = row.pricing_status or ""
    state = "priced" if row.cost_micros is not None else "unpriced" if status.startswith("unpriced") else "unknown"
    return {"usd": usd(row.cost_micros), "state": state, "pricing_status": row.pricing_status}


def _routing_view(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What routing/explain.py wrote into the row; null where nothing was decided."""
    if told is None:
        return None
    left_out = [{**out, "until": _moment(out.get("until"))} for out in told.get("left_out", ())]
    return {
        "strategy": told.get("strategy", ""),
        "affinity": told.get("affinity", "none"),
        "ranked": told.get("ranked", ()),
        "left_out": left_out,
        "more_left_out": told.get("more_left_out", 0),
    }


def _moment(unix: float | None) -> datetime | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


def _attempt_view(number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": entry.get("number", number),
        "account": past_ref(entry.get("account_id"), entry.get("account_label")),
        "started_ms": entry.get("started_ms", 0),
        "duration_ms": entry.get("duration_ms", 0),
        "outcome": entry.get("outcome", "failed"),
        "http_status": entry.get("http_status"),
        "error_code": entry.get("error_code"),
        "reason": entry.get("reason"),
    }
