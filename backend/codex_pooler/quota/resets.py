"""When a saved reset is worth spending: an account's policy held against what is known of its week and its pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import USAGE_LIMITED
from codex_pooler.quota.windows import ACCOUNT, DAY, MINUTE, USED_UP

MANUAL, BLOCKED, THRESHOLD, EXPIRY = "manual", "blocked", "threshold", "expiry"
TRIGGER_MODES = (BLOCKED, THRESHOLD)

WEEK_KIND = "7d"
LONG_BLOCK_SECONDS = 5.5 * 3_600  # a refusal that lasts longer than any short window is the week's
FRESH_SECONDS = 1_800.0  # evidence older than this says nothing about how close to its limit a week is
RESCUE_SECONDS = DAY  # before its expiry a saved reset may be spent for a week that is used up or nearly so
LAST_CALL_SECONDS = 90 * MINUTE  # before its expiry it is spent for whatever it still brings


@dataclass(frozen=True, slots=True)
class Policy:
    """What an account's saved resets may be spent on without a person; the database keeps what deviates from this."""

    auto_redeem_enabled: bool = False
    trigger_mode: str = BLOCKED
    quota_threshold_percent: int = 95
    min_blocked_minutes: int = 60  # nothing is spent when the week starts anew by itself sooner than this
    keep_credits: int = 0  # so many are never touched

    @property
    def watches_threshold(self) -> bool:
        """It acts before the week is used up."""
        return self.auto_redeem_enabled and self.trigger_mode == THRESHOLD


BY_HAND = Policy()  # nothing happens by itself
BOUNDS = {"quota_threshold_percent": (1, 100), "min_blocked_minutes": (0, 10_080), "keep_credits": (0, 1_000)}


def policy_of(stored: Mapping[str, Any] | None) -> Policy:
    """The policy out of its stored form; what this version cannot read stays at its default."""
    readable = {name: value for name, value in (stored or {}).items() if _is_readable(name, value)}
    return Policy(**readable) if readable else BY_HAND


def _is_readable(name: str, value: Any) -> bool:
    if name == "auto_redeem_enabled":
        return isinstance(value, bool)
    if name == "trigger_mode":
        return value in TRIGGER_MODES
    low, high = BOUNDS.get(name, (1, 0))
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def stored_form(policy: Policy) -> dict[str, Any]:
    """What of the policy the database keeps."""
    return {
        each.name: getattr(policy, each.name)
        for each in fields(Policy)
        if getattr(policy, each.name) != getattr(BY_HAND, each.name)
    }


@dataclass(frozen=True, slots=True)
class Week:
    """How much of an account's week is used, and when it starts anew by itself (unix seconds; None: nobody said)."""

    used_percent: float
    resets_at: float | None
    observed_at: float

    @property
    def is_used_up(self) -> bool:
        return self.used_percent >= USED_UP


def week_of(record: Record | None, now: float) -> Week | None:
    """The account's own weekly window, or a refusal that only a week can explain; None when neither is known."""
    if record is None:
        return None
    weekly = [each for each in record.windows_of(ACCOUNT) if each.kind == WEEK_KIND and not each.is_over(now)]
    seen = max(weekly, key=lambda each: each.used_percent, default=None)
    if seen is not None and seen.used_percent >= USED_UP:
        return Week(seen.used_percent, seen.reset_at, seen.observed_at)
    block = record.blocks.get(ACCOUNT)
    is_weeks = block and block.reason == USAGE_LIMITED and block.announced and block.until > now + LONG_BLOCK_SECONDS
    if block and is_weeks and (seen is None or block.set_at >= seen.observed_at):
        return Week(USED_UP, block.until, block.set_at)
    return Week(seen.used_percent, seen.reset_at, seen.observed_at) if seen else None


@dataclass(frozen=True, slots=True)
class Credit:
    """One saved reset that the backend holds for an account.  Times are unix seconds."""

    id: str
    expires_at: float | None = None


def first_to_spend(credits: Iterable[Credit], available: int | None, keep: int, now: float) -> Credit | None:
    """The one that expires soonest; None when spending it would leave fewer than ``keep``.

    ``available`` is the backend's own count where it told one: the smaller number is believed.
    """
    alive = [credit for credit in credits if credit.expires_at is None or credit.expires_at > now]
    count = len(alive) if available is None else min(len(alive), available)
    return min(alive, key=_expiry) if count > keep else None


def _expiry(credit: Credit) -> tuple[float, str]:
    return (float("inf") if credit.expires_at is None else credit.expires_at), credit.id


def helps(policy: Policy, week: Week | None, now: float) -> bool:
    """A week that is used up, whose own end is far enough away."""
    return week is not None and week.is_used_up and _is_far(policy, week, now)


def helps_early(policy: Policy, week: Week | None, now: float) -> bool:
    """A week that is used beyond the policy's threshold as fresh evidence says, and whose own end is far enough."""
    if week is None or week.used_percent < policy.quota_threshold_percent or not _is_far(policy, week, now):
        return False
    return week.is_used_up or now - week.observed_at <= FRESH_SECONDS


def _is_far(policy: Policy, week: Week, now: float) -> bool:
    return week.resets_at is not None and week.resets_at - now >= policy.min_blocked_minutes * MINUTE


def is_worth_rescuing(policy: Policy, week: Week | None, credit: Credit, now: float) -> bool:
    """A saved reset that would be lost: within a day of its expiry for a week that is used up or nearly so, in its
    last hour and a half for any use at all that would not be forgiven sooner anyway."""
    if not policy.auto_redeem_enabled or week is None or credit.expires_at is None:
        return False
    left = credit.expires_at - now
    if not 0 < left <= RESCUE_SECONDS:
        return False
    lost_first = week.resets_at is not None and credit.expires_at < week.resets_at
    if week.is_used_up:
        return lost_first or _is_far(policy, week, now)
    if now - week.observed_at > FRESH_SECONDS:
        return False
    if helps_early(policy, week, now):
        return True
    return left <= LAST_CALL_SECONDS and week.used_percent > 0 and lost_first


def is_worth(trigger: str, policy: Policy, week: Week | None, credit: Credit, now: float) -> bool:
    """The last word on spending this saved reset without a person, whoever proposed it and when."""
    if not policy.auto_redeem_enabled:
        return False
    if trigger == BLOCKED:
        return helps(policy, week, now)
    if trigger == THRESHOLD:
        return policy.watches_threshold and helps_early(policy, week, now)
    return trigger == EXPIRY and is_worth_rescuing(policy, week, credit, now)


@dataclass(frozen=True, slots=True)
class Seat:
    """One member of a pool that is asked whether it still serves.

    ``present``: nothing but quota keeps it from serving; ``refused``: its quota does, at this moment.  The others of
    the pool are not asked: they could not serve with a full week either.
    """

    account_id: UUID
    policy: Policy
    week: Week | None
    present: bool
    refused: bool


@dataclass(frozen=True, slots=True)
class Rescue:
    """Why a pool's saved resets may be spent, and on which accounts."""

    trigger: str
    account_ids: tuple[UUID, ...]


def rescue_of(seats: Sequence[Seat], now: float) -> Rescue | None:
    """What a pool needs: nothing while any of its members has a week to go on with, however busy or troubled that
    member is just now."""
    present = [seat for seat in seats if seat.present]
    if not any(seat.policy.auto_redeem_enabled for seat in present):
        return None
    if all(seat.refused and seat.week and seat.week.is_used_up for seat in present):
        helped = [each for each in present if each.policy.auto_redeem_enabled and helps(each.policy, each.week, now)]
        return _rescue(BLOCKED, helped)
    early = [each for each in present if each.policy.watches_threshold and helps_early(each.policy, each.week, now)]
    return _rescue(THRESHOLD, [seat for seat in early if _all_beyond(present, seat.policy, now)])


def _all_beyond(seats: Iterable[Seat], policy: Policy, now: float) -> bool:
    """Every week is used beyond this policy's threshold."""
    return all(
        seat.week is not None
        and seat.week.used_percent >= policy.quota_threshold_percent
        and (seat.week.is_used_up or now - seat.week.observed_at <= FRESH_SECONDS)
        for seat in seats
    )


def _rescue(trigger: str, seats: Iterable[Seat]) -> Rescue | None:
    chosen = tuple(seat.account_id for seat in seats)
    return Rescue(trigger, chosen) if chosen else None


RENEWED, STILL_USED, NO_NEWS, PASSED = "renewed", "still_used", "no_news", "passed"


def effect_of(before: Week | None, after: Week | None, since: float, now: float) -> str:
    """What evidence from after ``since`` says of a reset that was asked for when the week looked like ``before``.

    RENEWED: less is used than was; STILL_USED: it is not; NO_NEWS: nothing newer is known; PASSED: the week has
    ended by itself meanwhile, so that nobody can tell any more.
    """
    if before and before.resets_at is not None and before.resets_at <= now:
        return PASSED
    if after is None or after.observed_at <= since:
        return NO_NEWS
    used = USED_UP if before is None else before.used_percent
    return RENEWED if after.used_percent < used else STILL_USED
