"""Whether an account may serve a model, and how much of its quota is left: one judgement over what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from codex_pooler.quota.facts import STALE_SECONDS
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import (
    LOGIN,
    MODEL_UNAVAILABLE,
    PLAN,
    RATE,
    SPEND_LIMITED,
    USAGE_LIMITED,
    model_key,
)
from codex_pooler.quota.windows import ACCOUNT, SPEND, UNDATED_SECONDS, USED_UP, Window

KNOWN_GOOD, UNKNOWN, ON_CREDITS, BLOCKED = 0, 1, 2, 3

FRESH_SECONDS = 1_800.0
UNKNOWN_REMAINING = 0.5


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands for one model.  Times are unix seconds."""

    grade: int
    remaining: float = UNKNOWN_REMAINING  # 0..1, the least of the windows in scope
    reason: str | None = None  # why it is BLOCKED, in the words of quota/refusals.py
    until: float | None = None  # when BLOCKED: its end, None when the backend named none
    primary_used: float | None = None  # percent of the fullest short window (below a day)
    secondary_used: float | None = None  # the same of weekly and monthly ones, and of a spending limit
    resets_at: float | None = None  # the earliest reset of the long windows
    never_observed: bool = False  # keep at most two turns in flight until something is known
    valid_until: float = inf  # after that, ask again


NEVER_OBSERVED = Standing(UNKNOWN, never_observed=True)


class Obstacle(NamedTuple):
    """One thing that keeps the account from serving until ``ends_at``; ``dated``: somebody named that end."""

    reason: str
    ends_at: float
    dated: bool = True


def assess(record: Record, model: str, now: float) -> Standing:
    """The standing of an account at ``now`` (unix seconds)."""
    family = record.family_of(model)
    scope = (ACCOUNT,) if family == ACCOUNT else (ACCOUNT, family)
    windows = [window for limit_key in scope for window in record.windows_of(limit_key)]
    obstacles = [each for each in _obstacles(record, scope, model, windows, now) if each.ends_at > now]
    short = [window.used_at(now) for window in windows if not window.is_long]
    long = [window.used_at(now) for window in windows if window.is_long] + _spent(record, now)
    seen_at = max((window.observed_at for window in windows), default=0.0)
    fullest = max(short + long, default=None)
    worst = max(obstacles, key=lambda each: each.ends_at, default=None)
    return Standing(
        grade=BLOCKED if worst else _grade(record, windows, seen_at, now),
        remaining=UNKNOWN_REMAINING if fullest is None else (USED_UP - fullest) / USED_UP,
        reason=worst.reason if worst else None,
        until=worst.ends_at if worst and worst.dated else None,
        primary_used=max(short, default=None),
        secondary_used=max(long, default=None),
        resets_at=min((w.reset_at for w in windows if w.is_long and w.reset_at and w.reset_at > now), default=None),
        never_observed=record.is_unknown,
        valid_until=min(_edges(record, windows, obstacles, seen_at, now), default=inf),
    )


def _grade(record: Record, windows: list[Window], seen_at: float, now: float) -> int:
    full = [window for window in windows if window.used_at(now) >= USED_UP]
    if any(_is_covered(record, window) for window in full) or _goes_on_credits(record, now):
        return ON_CREDITS
    return KNOWN_GOOD if windows and not full and now < seen_at + FRESH_SECONDS else UNKNOWN


def _obstacles(
    record: Record, scope: tuple[str, ...], model: str, windows: list[Window], now: float
) -> Iterator[Obstacle]:
    for limit_key in {*scope, SPEND, PLAN, LOGIN, RATE, model_key(model)}:
        if block := record.blocks.get(limit_key):
            yield Obstacle(block.reason, block.until)
    for window in windows:
        if window.used_at(now) >= USED_UP and not _is_covered(record, window):
            end = window.reset_at or window.observed_at + UNDATED_SECONDS
            yield Obstacle(USAGE_LIMITED, end, window.reset_at is not None)
    yield from _verdicts(record, scope, now)
    yield from _money(record, windows)
    if gate := record.gates.get(model):
        end = gate.available_at or gate.observed_at + STALE_SECONDS
        yield Obstacle(MODEL_UNAVAILABLE, end, gate.available_at is not None)


def _verdicts(record: Record, scope: tuple[str, ...], now: float) -> Iterator[Obstacle]:
    for limit_key in scope:
        verdict = record.verdicts.get(limit_key)
        if verdict and verdict.refuses and not (limit_key == ACCOUNT and _goes_on_credits(record, now)):
            yield Obstacle(USAGE_LIMITED, verdict.until, verdict.reset_at is not None)


def _money(record: Record, windows: list[Window]) -> Iterator[Obstacle]:
    """What stops an account that is paid by use.  One with windows of its own that may be used needs no money."""
    spend, credits, reached = record.spend, record.credits, record.reached
    if spend and spend.reached:
        yield Obstacle(SPEND_LIMITED, spend.reset_at or spend.observed_at + STALE_SECONDS, spend.reset_at is not None)
    verdict = record.verdicts.get(ACCOUNT)
    if verdict and verdict.allowed:
        return
    if credits and credits.overage_reached:
        yield Obstacle(SPEND_LIMITED, credits.observed_at + STALE_SECONDS, dated=False)
    if reached and reached.kind and not windows and verdict is None:
        reason = SPEND_LIMITED if "credits" in reached.kind else USAGE_LIMITED
        yield Obstacle(reason, reached.observed_at + STALE_SECONDS, dated=False)


def _is_covered(record: Record, window: Window) -> bool:
    """A full weekly or monthly window of the account that credits stand in for."""
    return window.limit_key == ACCOUNT and window.is_long and record.credits is not None and record.credits.cover


def _goes_on_credits(record: Record, now: float) -> bool:
    """The plan is used up as the backend says, and it lets the account go on all the same."""
    verdict = record.verdicts.get(ACCOUNT)
    if verdict is None or not verdict.reached or verdict.allowed is False or verdict.until <= now:
        return False
    return record.credits is not None and record.credits.cover


def _spent(record: Record, now: float) -> list[float]:
    spend = record.spend
    if spend is None or spend.used_percent is None or (spend.reset_at is not None and spend.reset_at <= now):
        return []
    return [spend.used_percent]


def _edges(record: Record, windows: list[Window], obstacles: list[Obstacle], seen_at: float, now: float) -> list[float]:
    """The future moments at which the judgement may turn out differently without anything new being learned."""
    ends = [each.ends_at for each in obstacles]
    ends += [window.reset_at for window in windows if window.reset_at is not None]
    ends.append(seen_at + FRESH_SECONDS)
    if record.spend and record.spend.reset_at:
        ends.append(record.spend.reset_at)
    return [end for end in ends if end > now]
