"""Asks the backend which saved resets an account has, and spends one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from codex_pooler.upstream.backend import Backend, Reply, Unreachable
from codex_pooler.upstream.http_turn import Credential

LIST_PATH = "/backend-api/wham/rate-limit-reset-credits"
CONSUME_PATH = f"{LIST_PATH}/consume"
TIMEOUT_SECONDS = 15.0
MOST_BYTES = 1 << 20
MOST_CREDITS = 200
MILLISECONDS = 1e11  # a unix time beyond this is not in seconds
LONGEST_ID = 200

APPLIED = frozenset({"reset", "already_redeemed"})
NOT_APPLIED = frozenset({"no_credit", "nothing_to_reset"})
CERTAIN_REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 410, 415, 422})


class ResetsUnavailable(Exception):
    """The list could not be read.  ``reason`` is a short word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unanswered(Exception):
    """Nobody knows whether the reset was spent.  ``reason`` is a short word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SavedReset:
    """One saved reset as the backend lists it."""

    id: str
    status: str
    granted_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that the backend tells of an account's saved resets; ``available`` is its own count."""

    available: int
    resets: tuple[SavedReset, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """The backend's answer to a request to spend: its own word, and what that means."""

    code: str
    applied: bool
    windows_reset: int | None = field(default=None, compare=False)


class ResetsClient:
    """Bounded in time and size; ``seconds`` per question."""

    def __init__(self, backend: Backend, seconds: float = TIMEOUT_SECONDS) -> None:
        self._backend, self._seconds = backend, seconds

    async def read(self, account: Credential) -> Listing:
        """The account's saved resets.  Raises ResetsUnavailable."""
        try:
            reply = await self._backend.request(
                account, "GET", LIST_PATH, timeout_seconds=self._seconds, most_bytes=MOST_BYTES
            )
        except Unreachable as exc:
            raise ResetsUnavailable(exc.reason) from None
        told = _object(reply)
        if reply.status != 200 or told is None:
            raise ResetsUnavailable("challenge" if reply.is_challenge else f"status_{reply.status}")
        return _listing(told)

    async def spend(self, account: Credential, reset_id: str | None, request_id: UUID) -> Spent:
        """Spend one.  The same ``request_id`` never spends a second one.  Raises Unanswered."""
        wanted = {"redeem_request_id": str(request_id)} | ({"credit_id": reset_id} if reset_id else {})
        try:
            reply = await self._backend.request(
                account, "POST", CONSUME_PATH, json=wanted, timeout_seconds=self._seconds, most_bytes=MOST_BYTES
            )
        except Unreachable as exc:
            if exc.sent:
                raise Unanswered(exc.reason) from None
            return Spent(exc.reason, applied=False)
        return _spent(reply)


def _spent(reply: Reply) -> Spent:
    told = _object(reply)
    if told is None:
        raise Unanswered("challenge" if reply.is_challenge else f"status_{reply.status}")
    code = told.get("code")
    if reply.status == 200 and code in APPLIED | NOT_APPLIED:
        reset = told.get("windows_reset")
        counted = reset if isinstance(reset, int) and not isinstance(reset, bool) and 0 <= reset <= 1_000 else None
        return Spent(code, code in APPLIED, counted)
    if reply.status in CERTAIN_REFUSALS:
        return Spent(f"status_{reply.status}", applied=False)
    raise Unanswered(f"status_{reply.status}")


def _object(reply: Reply) -> dict[str, Any] | None:
    try:
        told = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def _listing(told: dict[str, Any]) -> Listing:
    listed = told.get("credits")
    resets = {
        one.id: one for each in (listed if isinstance(listed, list) else [])[:MOST_CREDITS] if (one := _reset(each))
    }
    count = told.get("available_count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= 1_000:
        count = sum(one.status == "available" for one in resets.values())
    return Listing(count, tuple(resets.values()))


def _reset(each: Any) -> SavedReset | None:
    if not isinstance(each, dict):
        return None
    identity, status = _word(each.get("id"), LONGEST_ID), _word(each.get("status"), 40)
    if identity is None:
        return None
    return SavedReset(
        id=identity,
        status=status or "unknown",
        granted_at=_moment(each.get("granted_at")),
        expires_at=_moment(each.get("expires_at")),
    )


def _word(value: Any, longest: int) -> str | None:
    """A short text that can be stored and shown, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() else None


def _moment(value: Any) -> datetime | None:
    """Unix seconds or milliseconds, or an ISO 8601 time (UTC unless it says otherwise); None for anything else."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value > MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
