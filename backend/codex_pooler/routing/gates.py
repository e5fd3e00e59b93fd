"""The gates an account has to pass, in order: each says nothing, or why the account cannot serve and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from codex_pooler.quota.standing import BLOCKED, Standing
from codex_pooler.snapshot.model import Member


class Obstacle(NamedTuple):
    """Why an account is left out.  ``until`` is in unix seconds; None: nobody knows, or somebody has to act."""

    gate: str
    code: str
    until: float | None = None


class Lane(NamedTuple):
    """What a request asks of any account: a model (empty: none) and, unless it is for free, quota."""

    model: str
    spends_quota: bool


def configured(member: Member, standing: Standing, lane: Lane, now: float) -> Obstacle | None:
    """The operator lets it serve here, and its login is in order."""
    code = member.obstacle
    return Obstacle(CONFIGURED.get(code, "account"), code) if code else None


def unexpired(member: Member, standing: Standing, lane: Lane, now: float) -> Obstacle | None:
    """Its access token is still valid."""
    expires_at = member.account.access_expires_at
    if expires_at is not None and expires_at <= now:
        return Obstacle("credentials", "token_expired")
    return None


def offered(member: Member, standing: Standing, lane: Lane, now: float) -> Obstacle | None:
    """Its catalogue has the model; an account whose catalogue is unknown is taken at its word."""
    models = member.account.models
    if lane.model and models is not None and lane.model not in models:
        return Obstacle("model", "model_not_offered")
    return None


def within_quota(member: Member, standing: Standing, lane: Lane, now: float) -> Obstacle | None:
    """Its plan has something left.  What spends nothing may go to an exhausted account, but not to a refused login."""
    if standing.grade != BLOCKED or (not lane.spends_quota and standing.reason != "login_refused"):
        return None
    return Obstacle("quota", standing.reason or "usage_limited", standing.until)


def within_headroom(member: Member, standing: Standing, lane: Lane, now: float) -> Obstacle | None:
    """What its owner wants to keep is left."""
    if not lane.spends_quota:
        return None
    if _reached(member.max_primary_percent, standing.primary_used):
        return Obstacle("headroom", "headroom_reserved")
    if _reached(member.max_secondary_percent, standing.secondary_used):
        return Obstacle("headroom", "headroom_reserved", standing.resets_at)
    return None


def _reached(limit: int | None, used: float | None) -> bool:
    return limit is not None and used is not None and used >= limit


CONFIGURED = {
    "membership_disabled": "membership",
    "credentials_unreadable": "credentials",
    "egress_unreadable": "credentials",
}
Gate = Callable[[Member, Standing, Lane, float], Obstacle | None]
GATES: tuple[Gate, ...] = (configured, unexpired, offered, within_quota, within_headroom)


def obstacles(member: Member, standing: Standing, lane: Lane, now: float) -> Iterator[Obstacle]:
    """Everything in the member's way that configuration and quota know of.  ``now`` is in unix seconds."""
    found = (gate(member, standing, lane, now) for gate in GATES)
    return (obstacle for obstacle in found if obstacle)
