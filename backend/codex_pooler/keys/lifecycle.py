"""What may be done with a pool key in which state, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

RESULT = {"pause": "paused", "resume": "active", "revoke": "revoked"}
ACTIONS = ("pause", "resume", "revoke", "rotate", "move", "delete", "edit")

# Action -> the states it is possible in, and what to say elsewhere.
POSSIBLE: Mapping[str, tuple[frozenset[str], str]] = {
    "pause": (frozenset({"active"}), "Only an active key can be paused."),
    "resume": (frozenset({"paused"}), "Only a paused key can be resumed."),
    "revoke": (frozenset({"active", "paused", "expired"}), "The key is revoked already."),
    "rotate": (frozenset({"active", "paused"}), "Only an active or paused key can get a new secret."),
    "move": (frozenset({"active", "paused", "expired"}), "A revoked key cannot be moved."),
    "delete": (frozenset({"revoked", "expired"}), "Revoke the key first."),
    "edit": (frozenset({"active", "paused", "expired"}), "A revoked key cannot be changed."),
}


class KeyActionRefused(Exception):
    """The key's state does not allow the action; the message says what would."""


def standing(status: str, expires_at: datetime | None, now: datetime) -> str:
    """The key's state with expiry taken into account: active, paused, revoked or expired."""
    expired = expires_at is not None and expires_at <= now
    return "expired" if expired and status != "revoked" else status


def refusals(standing_now: str) -> dict[str, str | None]:
    """For every action None when it is possible, else why not."""
    return {action: None if standing_now in POSSIBLE[action][0] else POSSIBLE[action][1] for action in ACTIONS}


def require(action: str, standing_now: str) -> None:
    """Raises KeyActionRefused when the action is not possible."""
    reason = refusals(standing_now)[action]
    if reason is not None:
        raise KeyActionRefused(reason)
