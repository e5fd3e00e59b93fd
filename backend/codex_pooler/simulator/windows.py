"""Usage windows of one account: tokens spent against a budget that starts anew at a moving reset time."""

from dataclasses import dataclass
from typing import Any

PRIMARY_MINUTES = 300
SECONDARY_MINUTES = 10_080

PLAN_CREDITS = {
    "free": (0, 1_134),
    "plus": (225, 7_560),
    "business": (225, 7_560),
    "team": (225, 7_560),
    "edu": (225, 7_560),
    "prolite": (1_125, 37_800),
    "pro": (1_500, 50_400),
    "enterprise": (1_500, 50_400),
}
"""Credits per five hours and per week. A plan with none per five hours reports one weekly window in the first slot."""


@dataclass(slots=True)
class Window:
    """One limit: `budget_tokens` per `minutes`, `spent` of them so far, anew at `reset_at` (unix seconds)."""

    minutes: int
    budget_tokens: int
    reset_at: float
    spent: float = 0.0

    def roll(self, now: float) -> None:
        """Begin the window anew when its reset time has passed."""
        if now < self.reset_at:
            return
        self.spent = 0.0
        self.reset_at = now + self.minutes * 60

    @property
    def used_percent(self) -> float:
        """How much of the budget is spent, 0 to 100."""
        return min(100.0, 100.0 * self.spent / self.budget_tokens)

    def set_used(self, percent: float) -> None:
        """Put the window at `percent` used."""
        self.spent = self.budget_tokens * percent / 100

    def as_usage(self, now: float) -> dict[str, Any]:
        """The window as the usage endpoint reports it."""
        return {
            "used_percent": int(self.used_percent),
            "limit_window_seconds": self.minutes * 60,
            "reset_after_seconds": max(0, int(self.reset_at - now)),
            "reset_at": int(self.reset_at),
        }

    def as_event(self, now: float) -> dict[str, Any]:
        """The window as a `codex.rate_limits` event reports it."""
        return {
            "used_percent": round(self.used_percent, 2),
            "window_minutes": self.minutes,
            "reset_after_seconds": max(0, int(self.reset_at - now)),
            "reset_at": int(self.reset_at),
        }

    def as_headers(self, slot: str, now: float) -> dict[str, str]:
        """The window as `x-codex-<slot>-*` response headers."""
        return {
            f"x-codex-{slot}-used-percent": f"{self.used_percent:g}" if self.spent else "0",
            f"x-codex-{slot}-window-minutes": str(self.minutes),
            f"x-codex-{slot}-reset-at": str(int(self.reset_at)),
            f"x-codex-{slot}-reset-after-seconds": str(max(0, int(self.reset_at - now))),
        }


def windows_for(plan: str, tokens_per_credit: int, now: float) -> dict[str, Window]:
    """The fresh windows of a plan by slot; an unknown plan is a free one."""
    five_hours, week = PLAN_CREDITS.get(plan, PLAN_CREDITS["free"])
    weekly = Window(SECONDARY_MINUTES, week * tokens_per_credit, now + SECONDARY_MINUTES * 60)
    if not five_hours:
        return {"primary": weekly}
    primary = Window(PRIMARY_MINUTES, five_hours * tokens_per_credit, now + PRIMARY_MINUTES * 60)
    return {"primary": primary, "secondary": weekly}
