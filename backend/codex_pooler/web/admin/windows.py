"""How an account's usage windows are shown: which of them, in which order, under which names, and where they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from codex_pooler.quota.facts import STALE_SECONDS
from codex_pooler.quota.forecast import NOTHING_KNOWN, Outlook
from codex_pooler.quota.windows import ACCOUNT, SPEND, Window

FRESH, STALE, UNKNOWN = "fresh", "stale", "unknown"
FRESHNESS = (FRESH, STALE, UNKNOWN)
SCOPES = ("account", "model", "feature")
KINDS = {"5h": "5 h", "7d": "Weekly", "30d": "Monthly"}
Outlooks = Mapping[tuple[str, str], Outlook]  # by limit and kind
NO_OUTLOOKS: Outlooks = MappingProxyType({})


def windows_view(windows: Iterable[Window], now: datetime, outlooks: Outlooks = NO_OUTLOOKS) -> list[dict[str, Any]]:
    """The account's own windows first, then narrower limits; the shortest first.  A window that is over is unused."""
    ordered = sorted(windows, key=lambda window: (window.limit_key != ACCOUNT, window.limit_key, window.minutes))
    return [_view(window, now.timestamp(), outlooks) for window in ordered]


def _view(window: Window, now: float, outlooks: Outlooks) -> dict[str, Any]:
    upcoming = window.reset_at is not None and not window.is_over(now)
    found = outlooks.get((window.limit_key, window.kind), NOTHING_KNOWN)
    return {
        "key": window_key(window.limit_key, window.kind),
        "label": window_label(window.limit_key, window.kind, window.label),
        "scope": scope_of(window),
        "model": window.model,
        "window_seconds": window.minutes * 60,
        "used_percent": window.used_at(now),
        "resets_at": moment(window.reset_at) if upcoming else None,
        "observed_at": moment(window.observed_at),
        "freshness": freshness(window.observed_at, now),
        "burn_percent_per_hour": None if found.burn is None else round(found.burn, 2),
        "exhausts_at": moment(found.exhausts_at),
    }


def window_key(limit_key: str, kind: str) -> str:
    """What a window is called on the wire."""
    return f"{limit_key}:{kind}"


def window_label(limit_key: str, kind: str, name: str | None = None) -> str:
    """What a window is called for people; ``name`` is the backend's own for a narrower limit."""
    span = KINDS.get(kind, kind)
    if limit_key == ACCOUNT:
        return span
    if limit_key == SPEND:
        return "Spending limit"
    named = name or limit_key.replace("_", " ").capitalize()
    return f"{named}, {span.lower() if kind[-1:] == 'd' else span}"


def scope_of(window: Window) -> str:
    """What a window limits: the whole account, one model, or something that turns do not need."""
    if window.limit_key == ACCOUNT:
        return "account"
    return "model" if window.model else "feature"


def freshness(observed_at: float | None, now: float) -> str:
    """One of FRESHNESS: whether figures seen at ``observed_at`` (unix seconds) still say something."""
    if not observed_at:
        return UNKNOWN
    return FRESH if now - observed_at < STALE_SECONDS else STALE


def moment(unix: float | None) -> datetime | None:
    """Unix seconds as an instant; None stays None."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC)
