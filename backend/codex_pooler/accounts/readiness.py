"""Whether an account can serve now and a pool with it: one verdict each, with the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

READINESS_STATES = (
    "ready",
    "ready_refreshing",
    "recovering",
    "cooling_down",
    "quota_blocked",
    "draining",
    "paused",
    "reauth_required",
    "token_expired",
    "no_pool",
    "disabled",
)

CAN_SERVE = frozenset({"ready", "ready_refreshing", "recovering"})

STATE_VERDICTS = {
    "disabled": ("disabled", "Disabled"),
    "pending": ("reauth_required", "Waiting for its first login"),
    "reauth_required": ("reauth_required", "Needs a new login"),
    "draining": ("draining", "Finishing its turns, then paused"),
    "paused": ("paused", "Paused"),
}


# what quota leaves an account alone for -> words; quota/refusals.py has the reasons
QUOTA_VERDICTS = {
    "rate_limited": "Asked to slow down",
    "login_refused": "Login refused for the moment",
    "not_included": "Plan does not include Codex",
    "spend_limited": "Spending limit reached",
}


@dataclass(frozen=True)
class AccountFacts:
    """What decides about one account; moments are None when they do not apply.

    ``blocked_reason`` is quota's word for it; ``is_probed``: after failures the next turn tries the account out.
    """

    state: str
    access_expires_at: datetime | None
    cooling_until: datetime | None
    blocked_until: datetime | None
    in_a_pool: bool
    blocked_reason: str | None = None
    is_probed: bool = False
    is_renewing: bool = False


@dataclass(frozen=True)
class Readiness:
    """One of READINESS_STATES, in words, and until when it lasts."""

    state: str
    label: str
    until: datetime | None = None

    @property
    def can_serve(self) -> bool:
        return self.state in CAN_SERVE


def readiness(account: AccountFacts, now: datetime) -> Readiness:
    """The first thing that keeps the account from serving, the operator's own doing first."""
    if account.state in STATE_VERDICTS:
        return Readiness(*STATE_VERDICTS[account.state])
    if account.access_expires_at is not None and account.access_expires_at <= now:
        return Readiness("token_expired", "Access token expired")
    if account.blocked_until is not None and account.blocked_until > now:
        label = QUOTA_VERDICTS.get(account.blocked_reason or "", "Usage limit reached")
        return Readiness("quota_blocked", label, account.blocked_until)
    if account.cooling_until is not None and account.cooling_until > now:
        return Readiness("cooling_down", "Cooling down after failures", account.cooling_until)
    if not account.in_a_pool:
        return Readiness("no_pool", "Not in any pool")
    if account.is_probed:
        return Readiness("recovering", "Trying again after failures")
    if account.is_renewing:
        return Readiness("ready_refreshing", "Ready, its login is being renewed")
    return Readiness("ready", "Ready")


@dataclass(frozen=True)
class PoolHealth:
    """ok, degraded, down or empty, with (code, text) reasons."""

    verdict: str
    reasons: tuple[tuple[str, str], ...] = ()


def pool_health(status: str, members: Sequence[bool]) -> PoolHealth:
    """``members`` tells for each account of the pool whether it can serve now."""
    if status != "active":
        return PoolHealth("down", ((f"pool_{status}", f"The pool is {status}."),))
    if not members:
        return PoolHealth("empty", (("no_accounts", "No account is assigned."),))
    usable = sum(members)
    if usable == len(members):
        return PoolHealth("ok")
    reason = ("low_usable_accounts", f"{usable} of {len(members)} accounts can serve.")
    return PoolHealth("degraded" if usable else "down", (reason,))
