"""When one statement about an account's quota gives way to another."""

from __future__ import annotations

from typing import Protocol, TypeVar

from codex_pooler.quota.facts import Observation
from codex_pooler.quota.windows import ACCOUNT, SPEND, USED_UP

NO_NEWS_SECONDS = 60.0  # repeating what is known refreshes it at most so often
CLOCK_SLACK = 60.0  # a statement from further in the future was made by a clock that has been set back since


class Dated(Protocol):
    """Anything that was seen at some time."""

    @property
    def observed_at(self) -> float: ...


T = TypeVar("T", bound=Dated)


def may_replace(new: Dated, old: Dated, now: float) -> bool:
    """The older statement never replaces the newer, unless that one claims to come from the future."""
    return new.observed_at >= old.observed_at or old.observed_at > now + CLOCK_SLACK


def is_no_news(new: T, old: T) -> bool:
    """The same again, soon after."""
    return new == old and new.observed_at - old.observed_at < NO_NEWS_SECONDS


def contradicts(seen: Observation, limit_key: str, said_at: float) -> bool:
    """Whether an observation says, later than ``said_at``, that a refused limit has room: every window it reports of
    it is below 100 %, and the backend does not refuse."""
    if seen.observed_at <= said_at:
        return False
    if limit_key == SPEND:
        return _has_money(seen)
    windows, verdict = seen.windows_of(limit_key), seen.verdict_of(limit_key)
    speaks = bool(windows or verdict) or (limit_key == ACCOUNT and seen.spend is not None)
    if not speaks or (verdict and verdict.refuses):
        return False
    if limit_key == ACCOUNT and ((seen.reached and seen.reached.kind) or (seen.spend and seen.spend.reached)):
        return False
    return all(window.used_percent < USED_UP for window in windows)


def _has_money(seen: Observation) -> bool:
    if seen.spend is not None:
        return not seen.spend.reached and not (seen.credits and seen.credits.overage_reached)
    return bool(seen.credits and seen.credits.cover)
