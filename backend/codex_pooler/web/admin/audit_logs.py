"""The audit trail: who did what, and what happened by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from codex_pooler.storage import queries_audit as queries
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.cursors import decode_cursor, encode_cursor
from codex_pooler.web.admin.schemas.audit import AuditPage, AuditQuery
from codex_pooler.web.admin.schemas.common import page, ref

api = Api("audit-logs")
DEFAULT_LIMIT = 50


@api.endpoint("GET", "/audit-logs", needs="audit:read", query=AuditQuery, returns=AuditPage)
async def list_audit_logs(call: Call) -> Any:
    """Events, newest first; who does not see all pools sees those of their own pools only."""
    limit = call.query.get("limit", DEFAULT_LIMIT)
    filters = {name: value for name, value in call.query.items() if name not in ("cursor", "limit") and value}
    if not call.caller.scope.all:
        filters["visible"] = call.caller.scope.visible
    below = queries.Position(*decode_cursor(call.query["cursor"])) if "cursor" in call.query else None
    async with call.context.database.session() as session:
        rows = await queries.newest(session, filters, limit + 1, below)
        shown = {pool for row in rows for pool in row.pool_ids if call.caller.scope.sees(pool)}
        names = {pool.id: pool.name for pool in await session.fetch(queries.POOL_NAMES, pool_ids=list(shown))}
    last = rows[limit - 1] if len(rows) > limit else None
    cursor = encode_cursor(last.occurred_at, last.id) if last else None
    return page([_view(row, names) for row in rows[:limit]], limit=limit, next_cursor=cursor)


def _view(row: Any, pools: Mapping[UUID, str]) -> dict[str, Any]:
    details = dict(row.details)
    changes, request_id = details.pop("changes", []), details.pop("request_id", None)
    return {
        **{name: getattr(row, name) for name in ("id", "occurred_at", "action", "outcome", "reason", "client_ip")},
        "actor": {"type": row.actor_type, "id": row.actor_id, "label": row.actor_label},
        "target": {"type": row.target_type, "id": row.target_id, "label": row.target_label},
        "pools": [ref(pool, pools[pool]) for pool in row.pool_ids if pool in pools],
        "request_id": request_id,
        "changes": [_change(change) for change in changes],
        "details": details,
    }


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": change["field"],
        "shown": "after" in change,
        "before": change.get("before"),
        "after": change.get("after"),
    }
