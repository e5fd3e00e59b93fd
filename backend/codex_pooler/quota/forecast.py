"""How fast a usage window fills at present, and when it will be full: arithmetic over what was seen of it lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from codex_pooler.quota.windows import DAY_MINUTES, USED_UP, Window, same_reset

HOUR = 3_600.0
SHORT_PART, LONG_PART = 5, 7  # of its length a window's burn is measured over: an hour of five, a day of a week
LEAST_SECONDS = 900.0
STEPS = 48  # as many points of it are enough
SPAN_PART, LEAST_SPAN = 24, 300.0  # of that time there must be something to go by
SLACK = 1.0  # percent; reports of the same moment differ by so much
CONFIRMATIONS = 3  # so many lower figures in a row are no stale answer any more


class Point(NamedTuple):
    """How much was used at one moment.  Times are unix seconds."""

    at: float
    used_percent: float
    reset_at: float | None = None


class Outlook(NamedTuple):
    """``burn`` in percent per hour, None when there is too little to go by; ``exhausts_at`` (unix seconds) is None
    when the window starts anew before it is full."""

    burn: float | None = None
    exhausts_at: float | None = None


NOTHING_KNOWN = Outlook()


def lookback_seconds(minutes: int) -> float:
    """For how long back the burn of a window of this length is measured."""
    part = LONG_PART if minutes >= DAY_MINUTES else SHORT_PART
    return max(minutes * 60 / part, LEAST_SECONDS)


def outlook(window: Window, points: Iterable[Point], now: float) -> Outlook:
    """What becomes of a window at the present burn.  ``points`` are of this window, in any order."""
    if window.is_over(now):
        return NOTHING_KNOWN
    newest = Point(window.observed_at, window.used_percent, window.reset_at)
    seen = sorted([*(point for point in points if point.at <= now), newest], key=lambda point: point.at)
    burn = burn_of(seen, lookback_seconds(window.minutes), now)
    return Outlook(burn, exhausts_at(window, burn or 0.0, now))


def burn_of(points: Sequence[Point], lookback: float, now: float) -> float | None:
    """Percent per hour over the last ``lookback`` seconds of the running cycle; ``points`` are in order of time."""
    recent = [point for point in running_cycle(points) if point.at >= now - lookback]
    if len(recent) < 2 or recent[-1].at - recent[0].at < max(lookback / SPAN_PART, LEAST_SPAN):
        return None
    return max(0.0, slope(recent) * HOUR)


def running_cycle(points: Sequence[Point]) -> list[Point]:
    """The points since the window last started anew, without stale answers that fall behind what was known before."""
    cycle: list[Point] = []
    lower: list[Point] = []  # falls behind with the same reset: a stale answer, unless it goes on
    for point in points:
        if cycle and started_anew(cycle[-1], point):
            cycle, lower = [], []
        if cycle and point.used_percent < cycle[-1].used_percent - SLACK:
            lower.append(point)
            if len(lower) == CONFIRMATIONS:
                cycle, lower = lower, []
            continue
        lower = []
        cycle.append(point)
    return cycle


def started_anew(earlier: Point, later: Point) -> bool:
    """Whether the window's reset lies between the two."""
    if earlier.reset_at is not None and earlier.reset_at <= later.at:
        return True
    named = earlier.reset_at is not None and later.reset_at is not None
    moved = named and not same_reset(earlier.reset_at, later.reset_at)
    return moved and later.used_percent < earlier.used_percent - SLACK


def slope(points: Sequence[Point]) -> float:
    """Percent per second of the line that fits best.  Each point counts for the time that it stands for, so that many
    points of one busy minute do not outweigh a quiet hour."""
    times = [point.at for point in points]
    weights = [
        (after - before) / 2 for before, after in zip([times[0], *times[:-1]], [*times[1:], times[-1]], strict=True)
    ]
    total = sum(weights)
    middle = sum(weight * at for weight, at in zip(weights, times, strict=True)) / total
    level = sum(weight * point.used_percent for weight, point in zip(weights, points, strict=True)) / total
    spread = sum(weight * (at - middle) ** 2 for weight, at in zip(weights, times, strict=True))
    shared = sum(
        weight * (point.at - middle) * (point.used_percent - level)
        for weight, point in zip(weights, points, strict=True)
    )
    return shared / spread if spread > 0 else 0.0


def exhausts_at(window: Window, burn: float, now: float) -> float | None:
    """When the window is full at ``burn`` percent per hour; None when it is full already or starts anew before."""
    if burn <= 0 or window.used_percent >= USED_UP or window.is_over(now):
        return None
    full_at = max(now, window.observed_at + (USED_UP - window.used_percent) / burn * HOUR)
    ends_at = window.reset_at if window.reset_at is not None else now + window.minutes * 60
    return full_at if full_at < ends_at else None
