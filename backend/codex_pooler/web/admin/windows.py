"""How an account's usage windows are shown: which of them, in which order and under which names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from codex_pooler.quota.windows import ACCOUNT, DAY_MINUTES, Window

KINDS = {"5h": "5 h", "7d": "Weekly", "30d": "Monthly"}


def windows_view(windows: Iterable[Window], now: datetime) -> list[dict[str, Any]]:
    """The account's own windows first, then narrower limits; the shortest first.  A window that is over is unused."""
    ordered = sorted(windows, key=lambda window: (window.limit_key != ACCOUNT, window.limit_key, window.minutes))
    return [_view(window, now.timestamp()) for window in ordered]


def _view(window: Window, now: float) -> dict[str, Any]:
    upcoming = window.reset_at is not None and not window.is_over(now)
    return {
        "key": f"{window.limit_key}:{window.kind}",
        "label": _label(window),
        "window_seconds": window.minutes * 60,
        "used_percent": window.used_at(now),
        "resets_at": datetime.fromtimestamp(window.reset_at, UTC) if upcoming and window.reset_at else None,
    }


def _label(window: Window) -> str:
    span = KINDS.get(window.kind, window.kind)
    if window.limit_key == ACCOUNT:
        return span
    name = window.label or window.limit_key.replace("_", " ").capitalize()
    return f"{name}, {span.lower() if window.minutes >= DAY_MINUTES else span}"
