"""What an account's refusal means: which of its limits it concerns, why, and how long to leave that limit alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from codex_pooler.quota.windows import ACCOUNT, DAY, SPEND

USAGE_LIMITED = "usage_limited"  # a plan's window is used up
RATE_LIMITED = "rate_limited"  # too much at once; passes by itself
LOGIN_REFUSED = "login_refused"  # the backend does not take the account's token
NOT_INCLUDED = "not_included"  # the plan does not cover this
SPEND_LIMITED = "spend_limited"  # the money that was set aside is spent
MODEL_UNAVAILABLE = "model_unavailable"

# what is refused without being a family of windows
RATE, LOGIN, PLAN = "rate", "login", "plan"
# scopes that depend on the turn: the model's own limit if it has one, else the account's; or the model itself
FAMILY, MODEL = "family", "model"

ANNOUNCED, ASSUMED = "announced", "assumed"
FLOOR_SECONDS = 5.0  # a reset nearer than this is no use to anybody
LONGEST_WAIT = 3_600.0  # a Retry-After beyond this is not believed of a burst
MOST_MODELS = 32  # models of one account that are remembered as refused


@dataclass(frozen=True, slots=True)
class Rule:
    """``first`` seconds, doubling with each refusal in a row up to ``longest``, where the backend names no end."""

    reason: str
    scope: str  # a limit, FAMILY or MODEL
    first: float
    longest: float


_USAGE = Rule(USAGE_LIMITED, FAMILY, 300.0, 3_600.0)
_ACCOUNT_USAGE = Rule(USAGE_LIMITED, ACCOUNT, 300.0, 3_600.0)
_NOT_INCLUDED = Rule(NOT_INCLUDED, PLAN, 3_600.0, 3_600.0)
_SPENT = Rule(SPEND_LIMITED, SPEND, 3_600.0, 3_600.0)
_BURST = Rule(RATE_LIMITED, RATE, 1.0, 30.0)
_LOGIN = Rule(LOGIN_REFUSED, LOGIN, 300.0, 300.0)
_CLOSED = Rule(LOGIN_REFUSED, LOGIN, 3_600.0, 3_600.0)
_NO_MODEL = Rule(MODEL_UNAVAILABLE, MODEL, 600.0, 600.0)

# error code -> what it means; a refusal without a code, or with any other, is a burst
RULES = {
    "usage_limit_reached": _USAGE,
    "rate_limit_reached": _USAGE,
    "workspace_owner_usage_limit_reached": _ACCOUNT_USAGE,
    "workspace_member_usage_limit_reached": _ACCOUNT_USAGE,
    "workspace_owner_credits_depleted": _SPENT,
    "workspace_member_credits_depleted": _SPENT,
    "insufficient_quota": _NOT_INCLUDED,
    "usage_not_included": _NOT_INCLUDED,
    "quota_exceeded": _NOT_INCLUDED,
    "upstream_payment_required": _NOT_INCLUDED,
    "token_revoked": _LOGIN,
    "token_expired": _LOGIN,
    "token_invalidated": _LOGIN,
    "invalid_api_key": _LOGIN,
    "invalid_authentication": _LOGIN,
    "upstream_unauthorized": _LOGIN,
    "account_deactivated": _CLOSED,
    "account_suspended": _CLOSED,
    "account_deleted": _CLOSED,
    "workspace_deactivated": _CLOSED,
    "deactivated_workspace": _CLOSED,
    "model_not_found": _NO_MODEL,
    "model_not_available": _NO_MODEL,
    "upstream_model_unavailable": _NO_MODEL,
}

_TRY_AGAIN = re.compile(r"try again in\s+(\d+(?:\.\d+)?)\s*(ms|[smhd])", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal, with the end its sender named: at ``resets_at`` (unix seconds) or after ``wait`` seconds."""

    rule: Rule
    model: str
    resets_at: float | None = None
    wait: float | None = None

    @property
    def reason(self) -> str:
        """Why, in one of the words above."""
        return self.rule.reason


def model_key(model: str) -> str:
    """Where the refusal of one model is remembered."""
    return f"{MODEL}:{model}"


def is_lasting(limit_key: str) -> bool:
    """Whether a block on this is worth telling other processes; a burst is over before they could hear of it."""
    return limit_key != RATE and not limit_key.startswith(f"{MODEL}:")


@dataclass(frozen=True, slots=True)
class Block:
    """A limit that is left alone until ``until`` (unix seconds).

    ``source`` says whether the backend announced that end or we assume it; ``strikes`` counts refusals in a row that
    named none.  A block that was lifted early ends when it was lifted, so that other processes learn of it.
    """

    reason: str
    until: float
    set_at: float
    source: str
    strikes: int = field(default=0, compare=False)

    @property
    def announced(self) -> bool:
        """The backend named the end."""
        return self.source == ANNOUNCED


def refusal_of(
    code: str,
    resets_at: float | None,
    retry_after: float | None,
    message: str,
    model: str,
    resets_in: float | None = None,
) -> Refusal:
    """What an error answer means.  ``retry_after`` and ``resets_in`` are seconds, ``resets_at`` is unix seconds."""
    rule = RULES.get(code, _BURST)
    if rule is _BURST:
        wait = retry_after if retry_after is not None else _wait_in(message)
        return Refusal(rule, model, None, None if wait is None else min(max(wait, 0.0), LONGEST_WAIT))
    return Refusal(rule, model, resets_at, resets_in)


def _wait_in(message: str) -> float | None:
    """Seconds out of ``please try again in 1.5s``."""
    found = _TRY_AGAIN.search(message[:2_000])
    return float(found[1]) * _UNITS[found[2].lower()] if found else None


def block_after(refusal: Refusal, before: Block | None, now: float, horizon: float) -> Block:
    """The block that a refusal sets where ``before`` was the last one; ``horizon`` bounds the ends that are believed,
    in seconds."""
    rule = refusal.rule
    if rule.reason == RATE_LIMITED and refusal.wait is not None:
        return Block(rule.reason, now + refusal.wait, now, ANNOUNCED)
    if (end := _named_end(refusal, now, horizon)) is not None:
        return Block(rule.reason, max(end, now + FLOOR_SECONDS), now, ANNOUNCED)
    alive = before is not None and before.until > now
    if alive and before is not None and before.announced and before.reason == rule.reason:
        return before
    strikes = _strikes(before, rule, now)
    until = now + min(rule.first * 2.0**strikes, rule.longest)
    return Block(rule.reason, until, now, ASSUMED, strikes)


def _named_end(refusal: Refusal, now: float, horizon: float) -> float | None:
    """The end that was named, if it can be true: ahead of us, and no further than such a limit reaches."""
    wait = None if refusal.wait is None else now + refusal.wait
    for end in (refusal.resets_at, wait):
        if end is not None and now < end <= now + horizon:
            return end
    return None


def _strikes(before: Block | None, rule: Rule, now: float) -> int:
    """Refusals in a row: several turns refused at once count once; a block that was lifted, and a long peace, end the
    row."""
    if before is None or before.reason != rule.reason or before.source != ASSUMED or before.until <= before.set_at:
        return 0
    if before.until > now:
        return before.strikes
    return 0 if now - before.until > rule.longest else min(before.strikes + 1, 16)
