"""How the last 24 hours of a pool, key or account appear: totals and an hourly series of 24."""

from __future__ import annotations

from typing import Any

from codex_pooler.storage.queries_usage import HOURS, Usage


def usd(micros: int | None) -> str | None:
    """Millionths of a US dollar as an exact decimal with six places; None stays None."""
    return None if micros is None else f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def usage_view(usage: Usage) -> dict[str, Any]:
    """The fields that pools, keys and accounts share."""
    return {
        "window": f"{HOURS}h",
        "requests": usage.requests,
        "failed": usage.failed,
        "tokens": usage.tokens,
        "tokens_hourly": list(usage.tokens_hourly),
        "cost_usd": usd(usage.cost_micros),
        "unpriced": usage.unpriced,
    }


def pool_usage_view(usage: Usage) -> dict[str, Any]:
    """A pool also tells its success rate, in percent of turns that succeeded or failed."""
    judged = usage.succeeded + usage.failed
    rate = round(100 * usage.succeeded / judged, 1) if judged else None
    return {**usage_view(usage), "success_rate": rate, "cached_tokens": usage.cached_tokens}
