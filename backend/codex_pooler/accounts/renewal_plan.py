"""When a login is to be renewed, and how that stands.  Pure: no clock, no storage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

LEAST_MARGIN = timedelta(minutes=10)
MARGIN_SHARE = 0.1  # of the access token's lifetime
LARGEST_MARGIN_SHARE = 0.5  # a token that lives for minutes is not due as soon as it is there
OLDEST = timedelta(days=7)
SPREAD = 0.1  # accounts imported together must not all be renewed in one moment
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=15)

REFRESH_STATES = ("ok", "due", "failed")


@dataclass(frozen=True)
class LoginAge:
    """What decides when a login is renewed.  ``failures`` counts attempts since it was; ``refused`` is for good.

    One that is not ``renewable`` is good until it is refused, or left to another installation.
    """

    account_id: UUID
    epoch: int
    access_expires_at: datetime | None
    renewed_at: datetime
    failures: int = 0
    failed_at: datetime | None = None
    refused: bool = False
    renewable: bool = True


def next_attempt(login: LoginAge) -> datetime | None:
    """When to renew; a moment in the past means now, None means never: only a new login helps."""
    if login.refused or not login.renewable:
        return None
    if login.failures and login.failed_at:
        return login.failed_at + _pause(login.failures) * (1 - SPREAD + 2 * SPREAD * _chance(login))
    aged = login.renewed_at + OLDEST * (1 - SPREAD * _chance(login))
    if login.access_expires_at is None:
        return aged
    lifetime = login.access_expires_at - login.renewed_at
    margin = min(max(LEAST_MARGIN, lifetime * MARGIN_SHARE), lifetime * LARGEST_MARGIN_SHARE)
    return min(aged, login.access_expires_at - margin * (1 - SPREAD + 2 * SPREAD * _chance(login)))


def is_due(login: LoginAge, now: datetime) -> bool:
    """Whether the login is to be renewed by now."""
    planned = next_attempt(login)
    return planned is not None and planned <= now


def must_wait(login: LoginAge, now: datetime) -> bool:
    """Whether an attempt failed so recently that another would only add to the trouble."""
    return login.failures > 0 and not login.refused and not is_due(login, now)


def refresh_state(login: LoginAge, now: datetime) -> str:
    """One of REFRESH_STATES."""
    if login.refused or login.failures:
        return "failed"
    return "due" if is_due(login, now) else "ok"


def _pause(failures: int) -> timedelta:
    doubled: timedelta = FIRST_RETRY * 2 ** min(failures - 1, 10)
    return min(doubled, LONGEST_RETRY)


def _chance(login: LoginAge) -> float:
    """0 to 1, always the same for the same login, so that a plan holds until the login changes."""
    digest = hashlib.blake2b(f"{login.account_id}:{login.epoch}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
