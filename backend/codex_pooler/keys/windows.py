"""The windows that limits count in: since when the running one counts, and until when that answer holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS, WEEK_SECONDS = 60.0, 3600.0, 86400.0, 7 * 86400.0
METRICS = ("requests", "tokens", "cost_micros")


class Moment(Protocol):
    """One instant on both clocks, in seconds: unix time for calendars, monotonic time for waits."""

    @property
    def wall(self) -> float: ...

    @property
    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A window as it is between ``valid_from`` and ``valid_until``: it counts what came since ``counts_from``."""

    counts_from: float
    valid_from: float
    valid_until: float

    def holds(self, wall: float) -> bool:
        """A little earlier is no reason to go back to the window before: some requests are judged by when they came."""
        return self.valid_from - HOUR_SECONDS <= wall < self.valid_until


def day(wall: float) -> Span:
    """The UTC calendar day."""
    midnight = wall - wall % DAY_SECONDS
    return Span(midnight, midnight, midnight + DAY_SECONDS)


def week(wall: float) -> Span:
    """The last seven days and the part of an hour before: the rollup that is counted from knows whole hours only."""
    hour = wall - wall % HOUR_SECONDS
    return Span(hour - WEEK_SECONDS, hour, hour + HOUR_SECONDS)


def month(wall: float) -> Span:
    """The UTC calendar month."""
    first = datetime.fromtimestamp(wall, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return Span(first.timestamp(), first.timestamp(), following.timestamp())


# the windows whose sums outlive a process; "minute" slides over the process's own last 60 seconds
SPANS: dict[str, Callable[[float], Span]] = {"day": day, "week": week, "month": month}
WINDOWS = ("minute", *SPANS)
