"""How much each ChatGPT plan may use: what ten percent of an account's window are worth."""

from __future__ import annotations

from typing import NamedTuple


class Capacity(NamedTuple):
    """Credits per five hours, per week and per month."""

    short: float
    weekly: float
    monthly: float


_FREE = Capacity(0.0, 1_134.0, 1_134.0)
_PLUS = Capacity(225.0, 7_560.0, 30_240.0)
_PRO_LITE = Capacity(1_125.0, 37_800.0, 151_200.0)
_PRO = Capacity(1_500.0, 50_400.0, 201_600.0)

PLANS = {
    "free": _FREE,
    "plus": _PLUS,
    "business": _PLUS,
    "self_serve_business_usage_based": _PLUS,
    "team": _PLUS,
    "edu": _PLUS,
    "prolite": _PRO_LITE,
    "pro": _PRO,
    "enterprise": _PRO,
}


def capacity(plan_type: str | None) -> Capacity:
    """What a plan may use; one that is not known counts as free."""
    return PLANS.get((plan_type or "").strip().lower(), _FREE)


def weight(plan_type: str | None) -> float:
    """Weekly capacity in units of the Plus plan."""
    return capacity(plan_type).weekly / _PLUS.weekly
