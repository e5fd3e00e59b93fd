"""A pool's quota in the forms that clients read: the usage document, response headers, and an event."""

from __future__ import annotations

from typing import Any

import orjson

from codex_pooler.quota.pool_view import PoolCredits, PoolLimit, PoolQuota, PoolWindow


def usage_document(view: PoolQuota, now: float) -> dict[str, Any]:
    """What ``GET /wham/usage`` answers; ``credits`` is left out when nothing is known of them."""
    document: dict[str, Any] = {
        "plan_type": view.plan_type or "unknown",
        "rate_limit": _rate_limit(view.account, view.allowed, view.limit_reached, now),
        "additional_rate_limits": [
            {
                "quota_key": limit.limit_key,
                "limit_name": limit.label or limit.limit_key,
                "display_label": limit.label or limit.limit_key,
                "metered_feature": limit.limit_key,
                "rate_limit": _rate_limit(limit, not limit.is_reached, limit.is_reached, now),
            }
            for limit in view.additional
        ],
    }
    if view.credits:
        document["credits"] = _credits(view.credits)
    return document


def limit_headers(view: PoolQuota) -> list[tuple[str, str]]:
    """``x-codex-primary-*``, ``x-codex-secondary-*`` and ``x-codex-credits-*``, as far as known."""
    headers: list[tuple[str, str]] = []
    for slot, window in (("primary", view.account.primary), ("secondary", view.account.secondary)):
        if window is None:
            continue
        headers.append((f"x-codex-{slot}-used-percent", str(int(window.used_percent))))
        headers.append((f"x-codex-{slot}-window-minutes", str(window.minutes)))
        if window.reset_at is not None:
            headers.append((f"x-codex-{slot}-reset-at", str(int(window.reset_at))))
    if view.credits:
        headers.append(("x-codex-credits-has-credits", str(view.credits.has_credits)))
        headers.append(("x-codex-credits-unlimited", str(view.credits.unlimited)))
        headers.append(("x-codex-credits-balance", _balance(view.credits) or ""))
    return headers


def limit_event(view: PoolQuota, now: float) -> bytes:
    """The JSON of a ``codex.rate_limits`` event or websocket frame."""
    return orjson.dumps(
        {
            "type": "codex.rate_limits",
            "plan_type": view.plan_type,
            "metered_limit_name": None,
            "limit_name": None,
            "rate_limits": {
                "allowed": view.allowed,
                "limit_reached": view.limit_reached,
                "primary": _event_window(view.account.primary, now),
                "secondary": _event_window(view.account.secondary, now),
            },
            "code_review_rate_limits": None,
            "credits": _credits(view.credits) if view.credits else None,
            "promo": None,
        }
    )


def _rate_limit(limit: PoolLimit, allowed: bool, reached: bool, now: float) -> dict[str, Any]:
    return {
        "allowed": allowed,
        "limit_reached": reached,
        "primary_window": _usage_window(limit.primary, now),
        "secondary_window": _usage_window(limit.secondary, now),
    }


def _usage_window(window: PoolWindow | None, now: float) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "used_percent": int(window.used_percent),
        "limit_window_seconds": window.minutes * 60,
        **_resets(window, now),
    }


def _event_window(window: PoolWindow | None, now: float) -> dict[str, Any] | None:
    if window is None:
        return None
    return {"used_percent": round(window.used_percent, 1), "window_minutes": window.minutes, **_resets(window, now)}


def _resets(window: PoolWindow, now: float) -> dict[str, int | None]:
    if window.reset_at is None:
        return {"reset_after_seconds": None, "reset_at": None}
    return {"reset_after_seconds": max(0, round(window.reset_at - now)), "reset_at": int(window.reset_at)}


def _credits(credits: PoolCredits) -> dict[str, Any]:
    return {"has_credits": credits.has_credits, "unlimited": credits.unlimited, "balance": _balance(credits)}


def _balance(credits: PoolCredits) -> str | None:
    return str(int(credits.balance)) if credits.balance is not None else None
