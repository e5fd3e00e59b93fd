"""The quota of several accounts as if they were one: percentages weighted by what each plan may use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from codex_pooler.quota.facts import Credits
from codex_pooler.quota.plans import capacity
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import LOGIN_REFUSED, NOT_INCLUDED, USAGE_LIMITED
from codex_pooler.quota.standing import BLOCKED, Standing
from codex_pooler.quota.windows import ACCOUNT, CODE_REVIEW, DAY_MINUTES, Window, kind_of

UNUSABLE = frozenset({LOGIN_REFUSED, NOT_INCLUDED})  # such accounts add nothing to what a pool may use
MONTH_FROM = 40_320  # minutes
LEAST_WEIGHT = 1.0  # of an account whose plan has no capacity for a window that it has all the same


class Planned(Protocol):
    """The part of an account that this needs."""

    @property
    def id(self) -> UUID: ...

    @property
    def plan_type(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """Windows of one kind over all accounts.  ``reset_at`` (unix seconds) is the earliest; ``capacity`` in credits."""

    minutes: int
    used_percent: float
    reset_at: float | None
    capacity: float

    @property
    def kind(self) -> str:
        """``5h``, ``7d``, ``30d`` …"""
        return kind_of(self.minutes)


@dataclass(frozen=True, slots=True)
class PoolLimit:
    """A family of windows over all accounts; at most one window below a day and one of a day or more."""

    limit_key: str
    primary: PoolWindow | None
    secondary: PoolWindow | None
    label: str | None = None

    @property
    def is_reached(self) -> bool:
        """Some window is used up on every account."""
        return any(window.used_percent >= 100 for window in (self.primary, self.secondary) if window)


@dataclass(frozen=True, slots=True)
class PoolCredits:
    """``balance`` is the sum of those that are told, None when none is."""

    has_credits: bool
    unlimited: bool
    balance: float | None


@dataclass(frozen=True, slots=True)
class PoolQuota:
    """What a pool's key holders are told.  ``observed`` is False when nothing is known of any account."""

    plan_type: str | None
    allowed: bool
    limit_reached: bool
    account: PoolLimit
    additional: tuple[PoolLimit, ...] = ()
    credits: PoolCredits | None = None
    observed: bool = False


class _Share(NamedTuple):
    """One account's window with the weight that its plan gives it."""

    window: Window
    weight: float


@dataclass(slots=True)
class _Gathered:
    """What is collected while going over the accounts once."""

    shares: dict[str, dict[str, list[_Share]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    credits: list[Credits] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)


def view_of(
    accounts: Iterable[Planned],
    model: str | None,
    now: float,
    record_of: Callable[[UUID], Record | None],
    standing_of: Callable[[UUID, str, float], Standing],
) -> PoolQuota:
    """Add up the accounts that can be used at all; those that have only reached a limit count as full."""
    gathered = _Gathered()
    for account in accounts:
        standing = standing_of(account.id, model or "", now)
        if standing.reason in UNUSABLE:
            continue
        gathered.standings.append(standing)
        record = record_of(account.id)
        plan_type = account.plan_type or (record.plan_type if record else None)
        gathered.plans += [plan_type] if plan_type else []
        if record:
            _gather(gathered, record, plan_type)
    allowed = any(standing.grade != BLOCKED for standing in gathered.standings)
    limited = any(standing.reason == USAGE_LIMITED for standing in gathered.standings)
    return PoolQuota(
        plan_type=max(gathered.plans, key=lambda plan: capacity(plan).weekly, default=None),
        allowed=allowed,
        limit_reached=limited and not allowed,
        account=_limit(ACCOUNT, gathered.shares[ACCOUNT], now),
        additional=tuple(
            _limit(limit_key, shares, now)
            for limit_key, shares in sorted(gathered.shares.items())
            if limit_key not in (ACCOUNT, CODE_REVIEW)
        ),
        credits=_credits(gathered.credits),
        observed=any(not standing.never_observed for standing in gathered.standings),
    )


def _gather(gathered: _Gathered, record: Record, plan_type: str | None) -> None:
    for limit_key in {limit_key for limit_key, _ in record.windows}:
        for window in record.windows_of(limit_key):
            share = _Share(window, window_weight(plan_type, window))
            gathered.shares[limit_key][window.kind].append(share)
    if record.credits:
        gathered.credits.append(record.credits)


def window_weight(plan_type: str | None, window: Window) -> float:
    """What a plan may use per such a window, in credits."""
    holds = capacity(plan_type)
    if not window.is_long:
        return max(holds.short, LEAST_WEIGHT)
    return holds.monthly if window.minutes >= MONTH_FROM else holds.weekly


def _limit(limit_key: str, shares: dict[str, list[_Share]], now: float) -> PoolLimit:
    """Of several short or several long kinds the one with the most capacity stands for all."""
    windows = [_together(each, now) for each in shares.values()]
    short = [window for window in windows if window.minutes < DAY_MINUTES]
    long = [window for window in windows if window.minutes >= DAY_MINUTES]
    labels = [share.window.label for each in shares.values() for share in each if share.window.label]
    return PoolLimit(
        limit_key,
        max(short, key=lambda window: window.capacity, default=None),
        max(long, key=lambda window: window.capacity, default=None),
        labels[0] if labels else None,
    )


def _together(shares: list[_Share], now: float) -> PoolWindow:
    total = sum(share.weight for share in shares)
    used = sum(share.weight * share.window.used_at(now) for share in shares) / total
    resets = [window.reset_at for window, _ in shares if window.reset_at is not None and window.reset_at > now]
    return PoolWindow(shares[0].window.minutes, used, min(resets, default=None), total)


def _credits(stated: list[Credits]) -> PoolCredits | None:
    if not stated:
        return None
    balances = [each.balance for each in stated if each.balance is not None]
    return PoolCredits(
        has_credits=any(each.has_credits for each in stated),
        unlimited=any(each.unlimited for each in stated),
        balance=sum(balances) if balances else None,
    )
