"""How long pools last at their present burn, with and without each of their accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from codex_pooler.quota.forecast import Outlook
from codex_pooler.quota.pool_view import window_weight
from codex_pooler.quota.record import Record
from codex_pooler.quota.runway import Runway, Tank, runway
from codex_pooler.quota.windows import ACCOUNT, SPEND, Window
from codex_pooler.storage.queries_watching import SERVING
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.evidence import all_windows
from codex_pooler.web.admin.outlooks import outlooks_of
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.schemas.cockpit import ForecastQuery, QuotaForecast
from codex_pooler.web.admin.schemas.common import ref
from codex_pooler.web.admin.windows import Outlooks, moment, window_key, window_label

api = Api("stats")
BINDING = (ACCOUNT, SPEND)  # the limits that keep any turn away
Place = tuple[str, str]


class Share(NamedTuple):
    """One account's window in its pool."""

    account: Any
    window: Window
    tank: Tank
    outlook: Outlook


@api.endpoint(
    "GET", "/stats/quota-forecast", needs="stats:read", query=ForecastQuery, returns=QuotaForecast, errors=(404,)
)
async def get_quota_forecast(call: Call) -> Any:
    """When pools are used up if they go on as they do now, and when without one of their accounts."""
    now, pool_id = datetime.now(UTC), call.query.get("pool_id")
    async with call.context.database.session() as session:
        if pool_id is not None:
            await require_pool(call, session, pool_id, "pool_id")
        rows = await session.fetch(SERVING, **seen(call.caller.scope.visible if pool_id is None else [pool_id]))
        records = {row.account_id: call.context.live.record(row.account_id) for row in rows if row.account_id}
        windows = {account_id: binding_windows(record) for account_id, record in records.items()}
        outlooks = await outlooks_of(session, windows, now)
    by_pool: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_pool[row.pool_id].append(row)
    return {
        "evaluated_at": now,
        "items": [pool_forecast(members, records, outlooks, now.timestamp()) for members in by_pool.values()],
    }


def binding_windows(record: Record | None) -> list[Window]:
    """The windows whose end keeps every turn away."""
    return [window for window in all_windows(record) if window.limit_key in BINDING]


def pool_forecast(
    rows: Sequence[Any], records: Mapping[UUID, Record | None], outlooks: Mapping[UUID, Outlooks], now: float
) -> dict[str, Any]:
    """One pool's rows of ``SERVING`` in the shape schemas.cockpit.PoolForecast.

    The pool is used up when windows of one kind are that every account has; while one has none, it goes on.
    """
    members = [row for row in rows if row.account_id]
    shares: dict[Place, list[Share]] = defaultdict(list)
    for member in members:
        for window in binding_windows(records[member.account_id]):
            place = window.limit_key, window.kind
            found = outlooks[member.account_id][place]
            shares[place].append(Share(member, window, _tank(member, window, records, found, now), found))
    views = {place: _window_view(place, each, now) for place, each in sorted(shares.items(), key=_by_length)}
    known = {share.account.account_id for each in shares.values() for share in each}
    ends = [views[place]["exhausts_at"] for place, each in shares.items() if len(each) == len(members)]
    return {
        "pool": ref(rows[0].pool_id, rows[0].pool_name),
        "exhausts_at": min((end for end in ends if end), default=None),
        "unknown_accounts": len(members) - len(known),
        "windows": list(views.values()),
    }


def _by_length(entry: tuple[Place, list[Share]]) -> tuple[bool, int]:
    (limit_key, _), shares = entry
    return limit_key != ACCOUNT, shares[0].window.minutes


def _tank(member: Any, window: Window, records: Mapping[UUID, Record | None], found: Outlook, now: float) -> Tank:
    record = records[member.account_id]
    spend = record.spend if record and window.limit_key == SPEND else None
    plan = member.plan_type or (record.plan_type if record else None)
    return Tank(
        account_id=member.account_id,
        capacity=(spend.limit if spend else None) or window_weight(plan, window),
        used_percent=window.used_at(now),
        burn=found.burn or 0.0,
        reset_at=window.reset_at,
    )


def _window_view(place: Place, shares: Sequence[Share], now: float) -> dict[str, Any]:
    longest = max(share.window.minutes for share in shares) * 60
    found = runway([share.tank for share in shares], now, longest)
    return {
        "key": window_key(*place),
        "label": window_label(*place),
        "window_seconds": longest,
        "remaining_percent": round(found.remaining, 1),
        "burn_percent_per_hour": round(found.burn, 2),
        "exhausts_at": moment(found.exhausts_at),
        "accounts": [_account_view(share, found, now) for share in shares],
    }


def _account_view(share: Share, found: Runway, now: float) -> dict[str, Any]:
    window = share.window
    return {
        "account": ref(share.account.account_id, share.account.account_label),
        "used_percent": window.used_at(now),
        "burn_percent_per_hour": None if share.outlook.burn is None else round(share.outlook.burn, 2),
        "resets_at": None if window.is_over(now) else moment(window.reset_at),
        "exhausts_at": moment(share.outlook.exhausts_at),
        "pool_exhausts_at_without": moment(found.without[share.account.account_id]),
    }
