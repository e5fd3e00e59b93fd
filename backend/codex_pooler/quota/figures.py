"""Makes windows, verdicts and credits out of the figures that the backend states, whichever way it sent them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from codex_pooler.quota.facts import Credits, Verdict
from codex_pooler.quota.reading import as_flag, as_instant, as_number, as_object
from codex_pooler.quota.windows import (
    FIVE_HOURS,
    RESET_TOLERANCE,
    SPARK,
    SPARK_MODEL,
    USED_UP,
    WEEK,
    Window,
    believable,
    limit_key_of,
)

SLOTS = {"primary": FIVE_HOURS, "secondary": WEEK}  # and the minutes assumed where a slot does not name its own
LONGEST_MINUTES = 366 * 1440


class Family(NamedTuple):
    """The limit family that the windows and the verdict being read belong to."""

    limit_key: str
    label: str | None = None
    model: str | None = None


class Origin(NamedTuple):
    """Who said it, and when (unix seconds)."""

    source: str
    observed_at: float


def family_of(label: str | None, *names: str | None, model: str | None = None) -> Family:
    """The family of a limit that is called by these names; ``label`` is the one to show."""
    key = limit_key_of(*names)
    return Family(key, label, SPARK_MODEL if key == SPARK else model)


def limits_of(limits: Iterable[tuple[Family, Any]], origin: Origin) -> tuple[tuple[Window, ...], tuple[Verdict, ...]]:
    """Windows and verdicts of objects like ``{"allowed", "limit_reached", "primary…", "secondary…"}``."""
    windows: list[Window] = []
    verdicts: list[Verdict] = []
    for family, value in limits:
        stated = as_object(value)
        own = distinct(
            window_of(family, as_object(stated.get(slot) or stated.get(f"{slot}_window")), minutes, origin)
            for slot, minutes in SLOTS.items()
        )
        windows += own
        verdict = verdict_of(family, stated, own, origin.observed_at)
        verdicts += [verdict] if verdict else []
    return tuple(windows), tuple(verdicts)


def distinct(windows: Iterable[Window | None]) -> tuple[Window, ...]:
    """One window per family and kind: of two that say different things the fuller one counts."""
    found: dict[tuple[str, str], Window] = {}
    for window in windows:
        if window is None:
            continue
        place = window.limit_key, window.kind
        if place not in found or found[place].used_percent < window.used_percent:
            found[place] = window
    return tuple(found.values())


def window_of(family: Family, stated: dict[str, Any], assumed_minutes: int, origin: Origin) -> Window | None:
    """A window out of its figures; None when they do not say how much is used."""
    used = as_number(stated.get("used_percent"))
    if used is None:
        return None
    minutes = _minutes(stated) or assumed_minutes
    named = reset_of(stated, origin.observed_at)
    true = named is not None and believable(named, origin.observed_at, minutes)
    return Window(
        limit_key=family.limit_key,
        minutes=minutes,
        used_percent=min(max(used, 0.0), USED_UP),
        observed_at=origin.observed_at,
        source=origin.source,
        reset_at=named if true else None,
        flagged=named is not None and not true,
        label=family.label,
        model=family.model,
    )


def _minutes(stated: dict[str, Any]) -> int | None:
    minutes = as_number(stated.get("window_minutes"))
    if minutes is None:
        seconds = as_number(stated.get("limit_window_seconds"))
        minutes = seconds / 60 if seconds is not None else None
    return round(minutes) if minutes is not None and 1 <= minutes <= LONGEST_MINUTES else None


def reset_of(stated: dict[str, Any], observed_at: float) -> float | None:
    """When the window starts anew, by our clock: where the instant and the remaining time contradict each other, our
    clock and the backend's differ, and only the remaining time means the same to both."""
    named = as_instant(stated.get("reset_at") or stated.get("resets_at"))
    after = as_number(stated.get("reset_after_seconds"))
    if after is None or after <= 0:
        return named
    if named is None or abs(named - (observed_at + after)) > RESET_TOLERANCE:
        return observed_at + after
    return named


def verdict_of(family: Family, stated: dict[str, Any], windows: Iterable[Window], observed_at: float) -> Verdict | None:
    """Whether the limit may be used, where the backend says so."""
    allowed, reached = as_flag(stated.get("allowed")), as_flag(stated.get("limit_reached"))
    if allowed is None and reached is None:
        return None
    resets = [window.reset_at for window in windows if window.used_percent >= USED_UP and window.reset_at]
    return Verdict(family.limit_key, allowed, reached, observed_at, max(resets, default=None))


def credits_of(stated: dict[str, Any], observed_at: float) -> Credits | None:
    """Credits, where the backend speaks of them."""
    has_credits, unlimited = as_flag(stated.get("has_credits")), as_flag(stated.get("unlimited"))
    if has_credits is None and unlimited is None:
        return None
    return Credits(
        has_credits=bool(has_credits),
        unlimited=bool(unlimited),
        balance=as_number(stated.get("balance")),
        overage_reached=as_flag(stated.get("overage_limit_reached")),
        observed_at=observed_at,
    )
