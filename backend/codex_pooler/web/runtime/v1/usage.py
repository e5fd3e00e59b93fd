"""``GET /v1/usage``: what a key has used, how far its own limits are used up, and how full the pool is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.keys.tally import Consumption
from codex_pooler.protocol.dialects import OPENAI
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.storage.queries_usage import Total, key_total
from codex_pooler.web.context import CONTEXT
from codex_pooler.web.errors import refused
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.v1.entry import entered

ROUTE = "/v1/usage"
AWAY = Failure(
    503, "database_unavailable", "what was used is not known at the moment; try again shortly", retry_after=2
)
MICROS = 1_000_000
# metric of a limit -> (what it is called here, by how much its values are divided)
METRICS = {"requests": ("requests", 1), "tokens": ("total_tokens", 1), "cost_micros": ("cost_usd", MICROS)}
WINDOWS = {"minute": "minute", "day": "daily", "week": "weekly", "month": "monthly"}
OWN, UPSTREAM = "api_key_limit", "upstream_usage"


def add_usage_route(app: web.Application) -> None:
    """Register the path of this module."""
    app.router.add_get(ROUTE, usage)


async def usage(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD``, without any query."""
    return await entered(request, _usage)


async def _usage(request: web.Request, caller: Caller) -> web.StreamResponse:
    if named := next(iter(request.query), None):
        told = f"this route takes no query; leave out {named}"
        raise BadRequest(told, named, UNSUPPORTED)
    try:
        async with request.app[CONTEXT].database.session() as session:
            total = await key_total(session, caller.key.id)
    except UNAVAILABLE:
        return refused(AWAY, OPENAI)
    consumed = caller.house.limits.usage(caller.key, caller.admitted)
    document = {**_totals(total), "limits": [_limit(each) for each in consumed], "upstream_limits": [*_of_pool(caller)]}
    headers = {"cache-control": "no-store"}
    return web.Response(body=orjson.dumps(document), headers=headers, content_type="application/json")


def _totals(total: Total) -> dict[str, Any]:
    """Turns whose price nobody knows are not in the cost; the status says that there are some."""
    return {
        "request_count": total.requests,
        "total_tokens": total.tokens,
        "cached_input_tokens": total.cached_tokens,
        "total_cost_usd": total.cost_micros / MICROS,
        "total_cost_status": "unpriced" if total.unpriced else "priced",
    }


def _limit(consumed: Consumption) -> dict[str, Any]:
    limit = consumed.limit
    called, scale = METRICS[limit.metric]
    left = max(0, limit.maximum - consumed.used)
    values = {"max_value": limit.maximum, "current_value": consumed.used, "remaining_value": left}
    return {
        "limit_type": called,
        "limit_window": WINDOWS[limit.window],
        **({name: value / scale for name, value in values.items()} if scale != 1 else values),
        "model_filter": limit.model,
        "reset_at": _moment(consumed.resets_at),
        "source": OWN,
    }


def _of_pool(caller: Caller) -> Iterator[dict[str, Any]]:
    """The windows of the pool's plans, in percent, where its operators let keys see them."""
    pool, house, now = caller.key.pool, caller.house, caller.admitted.wall
    if not pool.switches.show_quota_to_keys:
        return
    view = house.known.quotas.pool_view((member.account for member in pool.fit), None, now, key=pool.id)
    for window in (view.account.primary, view.account.secondary) if view.observed else ():
        if window is None:
            continue
        used = int(window.used_percent)
        yield {
            "limit_type": "percent",
            "limit_window": span(window.minutes),
            "max_value": 100,
            "current_value": used,
            "remaining_value": max(0, 100 - used),
            "model_filter": None,
            "reset_at": _moment(window.reset_at),
            "source": UPSTREAM,
        }


def span(minutes: int) -> str:
    """``5h``, ``7d``, ``90m``."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _moment(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else None
