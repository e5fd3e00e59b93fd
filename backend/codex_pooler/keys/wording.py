"""What a key's holder reads when a limit is reached: what happened, to which key, and when or how it goes on."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from codex_pooler.snapshot.model import Key, Limit

AT_ONCE = "at_once"  # the window of the limit that bounds requests in flight
UNITS = {"requests": "requests", "tokens": "tokens", "cost_micros": "US dollars"}
PER = {"minute": "per minute", "day": "per day (UTC)", "week": "per 7 days", "month": "per month (UTC)"}
MICROS = 1_000_000


def refusal_text(key: Key, limit: Limit, used: int, attempted: int, retry_after: float, resets_at: float) -> str:
    """One sentence; where waiting seconds helps it ends as Codex looks for it: ``try again in 12s``."""
    if limit.window == AT_ONCE:
        return (
            f"the key {key.name!r} has {used} requests in flight, as many as it may have;"
            f" let one finish, or try again in {math.ceil(retry_after)}s"
        )
    allowance = f"{_amount(limit.metric, limit.maximum)} {UNITS[limit.metric]} {PER[limit.window]}"
    allowance += f" for the model {limit.model!r}" if limit.model else ""
    if attempted > limit.maximum:
        needs = f"this request alone needs about {_amount(limit.metric, attempted)}"
        return f"the key {key.name!r} is limited to {allowance}, and {needs}; shorten it, or ask an operator for more"
    sized = attempted and limit.metric != "requests"
    needs = f", and this request needs about {_amount(limit.metric, attempted)}" if sized else ""
    so_far = f"the key {key.name!r} has used {_amount(limit.metric, used)} of its {allowance}{needs}"
    if limit.window == "minute":
        return f"{so_far}; try again in {math.ceil(retry_after)}s"
    return f"{so_far}; wait until {_date(resets_at)}, or ask an operator to raise the limit"


def duration(seconds: float) -> str:
    """``1m30s`` as rate-limit headers write it, in whole seconds, rounded up."""
    whole = max(0, math.ceil(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if whole >= 60 else "") + f"{rest}s"


def _amount(metric: str, amount: int) -> str:
    return f"{amount / MICROS:.2f}" if metric == "cost_micros" else f"{amount:,}"


def _date(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
