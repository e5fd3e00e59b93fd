"""An account's way into each of its pools: four gates, each open, doubtful or closed, and the verdict they make."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from codex_pooler.quota.standing import BLOCKED, KNOWN_GOOD, ON_CREDITS, Standing
from codex_pooler.routing.gates import Obstacle
from codex_pooler.routing.health import Trouble
from codex_pooler.web.admin.windows import moment

PASS, WARN, FAIL = "pass", "warn", "fail"

# which gate of the console shows an obstacle of routing/gates.py; what is not here concerns single requests
SHOWN_AT = {
    "membership": "assignment",
    "account": "assignment",
    "credentials": "assignment",
    "quota": "quota",
    "headroom": "quota",
}
QUOTA_DOUBTS = {KNOWN_GOOD: (PASS, None), ON_CREDITS: (WARN, "on_credits")}
UNKNOWN_QUOTA = (WARN, "quota_unknown")
CIRCUITS = {"open": FAIL, "half_open": WARN}


class Doubts(NamedTuple):
    """What is known that a gate may show.  ``renewal`` is the state of renewing the login."""

    obstacles: Iterable[Obstacle]
    troubles: Iterable[Trouble]
    standing: Standing
    renewal: str
    pool_status: str = "active"


def gates_of(doubts: Doubts) -> list[dict[str, Any]]:
    """Assignment, health, quota and circuit, in the order a turn meets them (schemas.cockpit.Gate)."""
    first: dict[str, Obstacle] = {}
    for obstacle in doubts.obstacles:
        if place := SHOWN_AT.get(obstacle.gate):
            first.setdefault(place, obstacle)
    return [
        _assignment(first.get("assignment"), doubts.pool_status),
        _health(list(doubts.troubles), doubts.renewal),
        _quota(first.get("quota"), doubts.standing),
        _circuit(list(doubts.troubles)),
    ]


def _assignment(obstacle: Obstacle | None, pool_status: str) -> dict[str, Any]:
    if pool_status != "active":
        return _gate("assignment", FAIL, f"pool_{pool_status}")
    return _closed("assignment", obstacle) if obstacle else _gate("assignment", PASS)


def _health(troubles: list[Trouble], renewal: str) -> dict[str, Any]:
    if troubles:
        newest = max(troubles, key=lambda trouble: trouble.failed_at)
        return _gate("health", WARN, newest.last_error or "failing")
    return _gate("health", WARN, "renewal_failed") if renewal == "failed" else _gate("health", PASS)


def _quota(obstacle: Obstacle | None, standing: Standing) -> dict[str, Any]:
    if obstacle:
        return _closed("quota", obstacle)
    if standing.grade == BLOCKED:
        return _gate("quota", FAIL, standing.reason, moment(standing.until))
    return _gate("quota", *QUOTA_DOUBTS.get(standing.grade, UNKNOWN_QUOTA))


def _circuit(troubles: list[Trouble]) -> dict[str, Any]:
    for state in CIRCUITS:
        found = [trouble for trouble in troubles if trouble.state == state]
        if found:
            last = max(found, key=lambda trouble: trouble.retry_at or trouble.failed_at)
            return _gate("circuit", CIRCUITS[state], last.last_error or state, moment(last.retry_at))
    return _gate("circuit", PASS)


def _closed(gate: str, obstacle: Obstacle) -> dict[str, Any]:
    return _gate(gate, FAIL, obstacle.code, moment(obstacle.until))


def _gate(gate: str, state: str, reason: str | None = None, until: datetime | None = None) -> dict[str, Any]:
    return {"gate": gate, "state": state, "reason": reason, "until": until}
