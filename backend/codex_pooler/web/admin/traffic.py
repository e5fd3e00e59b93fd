"""The traffic chart of one pool or of all the caller sees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from codex_pooler.storage.queries_usage import traffic
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.schemas.requests import Traffic, TrafficQuery

api = Api("traffic")


@api.endpoint("GET", "/traffic", needs="stats:read", query=TrafficQuery, returns=Traffic, errors=(404,))
async def get_traffic(call: Call) -> Any:
    """Requests, errors, tokens and time to first token per step; the last 24 hours unless told otherwise."""
    pool_id, chosen = call.query.get("pool_id"), call.query.get("range", "24h")
    async with call.context.database.session() as session:
        if pool_id is not None:
            await require_pool(call, session, pool_id, "pool_id")
        pools = call.caller.scope.visible if pool_id is None else [pool_id]
        return {"pool_id": pool_id, **await traffic(session, chosen, pools, datetime.now(UTC))}
