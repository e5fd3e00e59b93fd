"""Statements about quotas as the backend makes them, for tests to vary."""

from __future__ import annotations

import json
from typing import Any

from codex_pooler.quota.evidence import from_event, from_headers, from_usage
from codex_pooler.quota.facts import Observation

NOW = 1_795_000_000.0
HOUR, DAY = 3_600.0, 86_400.0


def head(
    used: float, weekly: float | None = None, at: float = NOW, *, resets_in: float | None = HOUR, **more: str
) -> Observation:
    """A response head with a five-hour window, and a weekly one where given, which resets in five days."""
    fields = {"x-codex-primary-used-percent": f"{used:g}", "x-codex-primary-window-minutes": "300"}
    if resets_in is not None:
        fields["x-codex-primary-reset-at"] = f"{NOW + resets_in:.0f}"
    if weekly is not None:
        fields |= {"x-codex-secondary-used-percent": f"{weekly:g}", "x-codex-secondary-window-minutes": "10080"}
        fields["x-codex-secondary-reset-at"] = f"{NOW + 5 * DAY:.0f}"
    seen = from_headers([*fields.items(), *more.items()], at)
    assert seen is not None
    return seen


def event(used: float, at: float = NOW, **more: Any) -> Observation:
    """A ``codex.rate_limits`` event with a five-hour window."""
    primary = {"used_percent": used, "window_minutes": 300, "reset_at": int(NOW + HOUR)}
    body = {"type": "codex.rate_limits", "rate_limits": {"primary": primary, "secondary": None}, **more}
    seen = from_event(json.dumps(body).encode(), at)
    assert seen is not None
    return seen


def window(used: float, minutes: int = 300, resets_in: float = HOUR) -> dict[str, Any]:
    """One window of a usage answer; no ``reset_after_seconds``, so that it can be seen at any time."""
    return {"used_percent": used, "limit_window_seconds": minutes * 60, "reset_at": int(NOW + resets_in)}


def poll(used: float | None = None, at: float = NOW, *, weekly: float | None = None, **more: Any) -> Observation:
    """A usage answer with a five-hour window and a weekly one, where given."""
    full = max(used or 0, weekly or 0) >= 100
    rate_limit = {
        "allowed": not full,
        "limit_reached": full,
        "primary_window": None if used is None else window(used),
        "secondary_window": None if weekly is None else window(weekly, 10_080, 5 * DAY),
    }
    return usage({"plan_type": "plus", "rate_limit": rate_limit, **more}, at)


def usage(body: dict[str, Any], at: float = NOW) -> Observation:
    """A usage answer."""
    return from_usage(json.dumps(body).encode(), at)


def metered(used: float = 32, reached: bool = False, at: float = NOW, **more: Any) -> Observation:
    """A usage answer of a plan that is paid by use and has no windows."""
    limit = {
        "source": "workspace_spend_controls",
        "limit": "25000",
        "used": "8000",
        "remaining": "17000",
        "used_percent": used,
        "remaining_percent": 100 - used,
        "reset_at": int(NOW + 12 * HOUR),
    }
    body = {
        "plan_type": "self_serve_business_usage_based",
        "rate_limit": None,
        "additional_rate_limits": None,
        "credits": {"has_credits": True, "unlimited": False, "overage_limit_reached": False, "balance": None},
        "spend_control": {"reached": reached, "individual_limit": limit},
        "rate_limit_reached_type": None,
    }
    return usage(body | more, at)
