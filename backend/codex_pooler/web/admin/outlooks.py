"""Forecasts for accounts as the console shows them: what the process knows of their windows, carried on by history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from codex_pooler.quota.forecast import STEPS, Outlook, Point, lookback_seconds, outlook
from codex_pooler.quota.history import Place
from codex_pooler.quota.windows import Window
from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_quota_history import Wanted, recent_samples


async def outlooks_of(
    session: Session, windows: Mapping[UUID, Sequence[Window]], now: datetime
) -> dict[UUID, dict[tuple[str, str], Outlook]]:
    """The outlook of every window by account, limit and kind, with one query for all of them."""
    wanted = [_wanted(account_id, window, now) for account_id, own in windows.items() for window in own]
    points: dict[Place, list[Point]] = defaultdict(list)
    for seen in await recent_samples(session, wanted):
        reset_at = seen.reset_at.timestamp() if seen.reset_at else None
        place = seen.account_id, seen.limit_key, seen.kind
        points[place].append(Point(seen.observed_at.timestamp(), seen.used_percent, reset_at))
    return {
        account_id: {
            (window.limit_key, window.kind): outlook(
                window, points[account_id, window.limit_key, window.kind], now.timestamp()
            )
            for window in own
        }
        for account_id, own in windows.items()
    }


def _wanted(account_id: UUID, window: Window, now: datetime) -> Wanted:
    back = lookback_seconds(window.minutes)
    return Wanted(account_id, window.limit_key, window.kind, now - timedelta(seconds=back), back / STEPS)
