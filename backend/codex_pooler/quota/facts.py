"""What else is known of an account's quota besides windows, and one observation of it all as one source stated it.

Facts are equal when they say the same, whenever that was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codex_pooler.quota.windows import MONTH, SPEND, Window

STALE_SECONDS = 1_800.0  # a statement without an end of its own is believed for so long

HEADERS, EVENT, USAGE = "headers", "event", "usage"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the backend itself says that a limit family may be used.

    ``reset_at`` (unix seconds) is when the full windows that came with a refusal start anew, where they said so.
    """

    limit_key: str
    allowed: bool | None
    reached: bool | None
    observed_at: float = field(compare=False)
    reset_at: float | None = None

    @property
    def until(self) -> float:
        """How long a refusal is believed."""
        return self.reset_at or self.observed_at + STALE_SECONDS

    @property
    def refuses(self) -> bool:
        """True unless everything said is favourable."""
        return self.allowed is False or self.reached is True


@dataclass(frozen=True, slots=True)
class Credits:
    """Prepaid credits beyond the plan.  ``balance`` is None where it is not told."""

    has_credits: bool
    unlimited: bool
    balance: float | None
    overage_reached: bool | None
    observed_at: float = field(compare=False)

    @property
    def cover(self) -> bool:
        """Turns beyond the plan are paid for."""
        if self.overage_reached:
            return False
        return self.unlimited or (self.has_credits if self.balance is None else self.balance > 0)


@dataclass(frozen=True, slots=True)
class Spend:
    """A workspace's spending limit, in credits, for accounts that are metered instead of having windows."""

    reached: bool
    observed_at: float = field(compare=False)
    limit: float | None = None
    used: float | None = None
    remaining: float | None = None
    used_percent: float | None = None
    reset_at: float | None = None

    def as_window(self) -> Window | None:
        """The same as a window of a month; None where nobody says how much of it is used."""
        if self.used_percent is None:
            return None
        return Window(SPEND, MONTH, self.used_percent, self.observed_at, USAGE, self.reset_at)


@dataclass(frozen=True, slots=True)
class ModelGate:
    """A model that the account may not use, until ``available_at`` where that was named."""

    model: str
    observed_at: float = field(compare=False)
    available_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """The kind of limit that the backend says was reached, empty when none; the only stop signal of some plans."""

    kind: str
    observed_at: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one head, event or usage answer said.  None everywhere means that it did not speak of that.

    ``gates`` lists the models that may not be used; an empty one says that all may.
    """

    source: str
    observed_at: float
    plan_type: str | None = None
    windows: tuple[Window, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    credits: Credits | None = None
    spend: Spend | None = None
    gates: tuple[ModelGate, ...] | None = None
    reached: Reached | None = None
    saved_resets: int | None = None

    def windows_of(self, limit_key: str) -> list[Window]:
        """The windows of one family."""
        return [window for window in self.windows if window.limit_key == limit_key]

    def verdict_of(self, limit_key: str) -> Verdict | None:
        """The verdict on one family."""
        return next((verdict for verdict in self.verdicts if verdict.limit_key == limit_key), None)
