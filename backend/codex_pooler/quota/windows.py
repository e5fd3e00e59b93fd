"""Usage windows of an account: told apart by their duration, never by the slot they were reported in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

MINUTE, DAY = 60.0, 86_400.0
DAY_MINUTES = 1_440

# limit families: whose windows belong together
ACCOUNT = "account"
SPEND = "spend"
CODE_REVIEW = "code_review"
SPARK = "codex_spark"

SPARK_MODEL = "gpt-5.3-codex-spark"
SPARK_NAMES = frozenset({"codex_spark", "codex_bengalfox", "gpt_5_3_codex_spark", "codex_other"})
ACCOUNT_NAMES = frozenset({"", "codex", "account"})

FIVE_HOURS, WEEK, MONTH = 300, 10_080, 43_200
USED_UP = 100.0
UNDATED_SECONDS = 300.0  # a full window that names no reset is believed for so long after it was seen
RESET_TOLERANCE = 60.0  # seconds between two statements of the same reset

# (shortest, longest, name), in minutes: backends report 299 as well as 300, and months of 28 to 31 days
KINDS = (
    (285, 315, "5h"),
    (9_576, 10_584, "7d"),
    (40_320, 44_640, "30d"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """One limit as one source stated it.  Times are unix seconds; ``reset_at`` is None when none was named or when
    the one named cannot be true (``flagged``)."""

    limit_key: str
    minutes: int
    used_percent: float
    observed_at: float
    source: str
    reset_at: float | None = None
    flagged: bool = False
    label: str | None = None
    model: str | None = None  # the model a narrower limit is for, where named

    @property
    def kind(self) -> str:
        """``5h``, ``7d``, ``30d``, or the duration in its largest whole unit."""
        return kind_of(self.minutes)

    @property
    def is_long(self) -> bool:
        """A day or more: weekly and monthly windows."""
        return self.minutes >= DAY_MINUTES

    def is_over(self, now: float) -> bool:
        """Its reset has passed: nothing is used, and the next reset is not known yet."""
        return self.reset_at is not None and self.reset_at <= now

    def used_at(self, now: float) -> float:
        """Percent used, 0 once the window is over."""
        return 0.0 if self.is_over(now) else self.used_percent

    def says_the_same(self, other: Window) -> bool:
        """Equal but for the time it was seen, and for seconds of difference in the reset."""
        return (
            self.used_percent == other.used_percent
            and self.minutes == other.minutes
            and self.model == other.model
            and same_reset(self.reset_at, other.reset_at)
        )


def kind_of(minutes: int) -> str:
    """The name of a window of this duration."""
    for shortest, longest, name in KINDS:
        if shortest <= minutes <= longest:
            return name
    for unit, name in ((DAY_MINUTES, "d"), (60, "h")):
        if minutes % unit == 0:
            return f"{minutes // unit}{name}"
    return f"{minutes}m"


def same_reset(one: float | None, other: float | None) -> bool:
    """Two statements of one reset; both may be missing."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= RESET_TOLERANCE


def horizon(minutes: int) -> float:
    """How far ahead a reset of such a window may lie, in seconds."""
    return 8 * DAY if minutes <= KINDS[1][1] else 32 * DAY


def believable(reset_at: float, observed_at: float, minutes: int) -> bool:
    """A reset lies ahead, and not further than its window can reach."""
    return observed_at < reset_at <= observed_at + horizon(minutes)


@lru_cache(maxsize=1024)
def limit_key_of(*names: str | None) -> str:
    """The family of a limit that the backend calls by these names; the first that says something counts."""
    plain = [_plain(name) for name in names if name]
    if any(name in SPARK_NAMES for name in plain):
        return SPARK
    return next((ACCOUNT if name in ACCOUNT_NAMES else name for name in plain), ACCOUNT)


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(".", "_").replace(" ", "_")[:64]
