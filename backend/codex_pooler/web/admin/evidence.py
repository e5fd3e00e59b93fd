"""What is known of an account's quota beside its windows: the backend's own verdict, credits and spending limit."""

from __future__ import annotations

from typing import Any

from codex_pooler.quota.forecast import NOTHING_KNOWN
from codex_pooler.quota.record import Record
from codex_pooler.quota.standing import ON_CREDITS, assess
from codex_pooler.quota.windows import ACCOUNT, SPEND, Window
from codex_pooler.web.admin.windows import NO_OUTLOOKS, UNKNOWN, Outlooks, freshness, moment

NOTHING = {"freshness": UNKNOWN, "observed_at": None, "provider_status": None, "credits": None, "spend": None}


def all_windows(record: Record | None) -> list[Window]:
    """The account's windows, and its spending limit as one."""
    if record is None:
        return []
    spend = record.spend.as_window() if record.spend else None
    return [*record.shown_windows(), *([spend] if spend else [])]


def quota_view(record: Record | None, now: float, outlooks: Outlooks = NO_OUTLOOKS) -> dict[str, Any]:
    """What an account's ``record`` says at ``now`` (unix seconds), in the shape schemas.upstreams.Quota."""
    if record is None or not record.observed_at:
        return NOTHING
    return {
        "freshness": freshness(record.observed_at, now),
        "observed_at": moment(record.observed_at),
        "provider_status": _status(record),
        "credits": _credits(record, now),
        "spend": _spend(record, now, outlooks),
    }


def _status(record: Record) -> dict[str, Any] | None:
    verdict, reached = record.verdicts.get(ACCOUNT), record.reached
    if verdict is None and not (reached and reached.kind):
        return None
    return {
        "allowed": verdict.allowed if verdict else None,
        "limit_reached": verdict.reached if verdict else None,
        "reached_type": reached.kind or None if reached else None,
    }


def _credits(record: Record, now: float) -> dict[str, Any] | None:
    credits = record.credits
    if credits is None:
        return None
    return {
        "has_credits": credits.has_credits,
        "unlimited": credits.unlimited,
        "balance": credits.balance,
        "overage_reached": credits.overage_reached,
        "burning": assess(record, "", now).grade == ON_CREDITS,
    }


def _spend(record: Record, now: float, outlooks: Outlooks) -> dict[str, Any] | None:
    spend = record.spend
    if spend is None:
        return None
    window = spend.as_window()
    found = outlooks.get((SPEND, window.kind), NOTHING_KNOWN) if window else NOTHING_KNOWN
    over = spend.reset_at is not None and spend.reset_at <= now
    return {
        "reached": spend.reached and not over,
        "limit": spend.limit,
        "used": 0.0 if over else spend.used,
        "remaining": spend.limit if over else spend.remaining,
        "used_percent": 0.0 if over else spend.used_percent,
        "resets_at": None if over else moment(spend.reset_at),
        "burn_percent_per_hour": None if found.burn is None else round(found.burn, 2),
        "exhausts_at": moment(found.exhausts_at),
    }
