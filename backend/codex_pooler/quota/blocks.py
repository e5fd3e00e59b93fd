"""Accounts that refused and are left alone for a while: until the reset they named, or for an assumed time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

LONGEST_SECONDS = 8 * 86400.0  # a weekly window and a day; a later end is not believed
FLOOR_SECONDS = 5.0


USAGE_LIMITED = "usage_limited"  # a plan's window is used up
RATE_LIMITED = "rate_limited"  # too much at once; passes by itself
LOGIN_REFUSED = "login_refused"  # the backend does not take the account's token


@dataclass(frozen=True, slots=True)
class Block:
    """``until`` is in unix seconds; ``reason`` is one of the words above."""

    until: float
    reason: str


class Blocks:
    """This process's blocks by account."""

    def __init__(self) -> None:
        self._blocks: dict[UUID, Block] = {}

    def __bool__(self) -> bool:
        """False when nobody is blocked, which spares a look-up per account."""
        return bool(self._blocks)

    def put(self, account_id: UUID, reason: str, now: float, *, resets_at: float | None, otherwise: float) -> None:
        """Block until ``resets_at``, or for ``otherwise`` seconds when the refusal named no reset."""
        until = now + otherwise if resets_at is None else resets_at
        until = min(max(until, now + FLOOR_SECONDS), now + LONGEST_SECONDS)
        self._blocks[account_id] = Block(until, reason)

    def current(self, account_id: UUID, now: float) -> Block | None:
        """The block in force, if any."""
        block = self._blocks.get(account_id)
        if block is not None and block.until <= now:
            del self._blocks[account_id]
            return None
        return block

    def lift(self, account_id: UUID) -> None:
        """The account served a turn: whatever was known is out of date."""
        self._blocks.pop(account_id, None)
