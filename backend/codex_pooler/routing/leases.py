"""How many turns each account is serving; a turn holds its lease from before it is sent until its stream ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from uuid import UUID

from codex_pooler.snapshot.model import Member

Held = TypeVar("Held")

SLOW_SECONDS = 60.0  # how long an account that was rate limited serves half as many turns at once


class Slow(NamedTuple):
    """At most ``turns`` at once until ``until`` (monotonic seconds)."""

    turns: int
    until: float


class Leases:
    """This process's running turns.  ``on_free`` is called whenever one has ended."""

    def __init__(self) -> None:
        # by UUID.int, whose hash costs a fraction of the UUID's own
        self.running: dict[int, int] = {}
        self._by_place: dict[tuple[int, int], int] = {}  # (pool, account)
        self._slow: dict[int, Slow] = {}
        self.on_free: Callable[[], None] | None = None

    @contextmanager
    def hold(self, account_id: UUID, pool_id: UUID | None = None) -> Iterator[None]:
        """One turn on the account, for the pool when one is named."""
        key = account_id.int
        place = (pool_id.int, key) if pool_id is not None else None
        self.running[key] = self.running.get(key, 0) + 1
        if place is not None:
            self._by_place[place] = self._by_place.get(place, 0) + 1
        try:
            yield
        finally:
            _give_back(self.running, key)
            if place is not None:
                _give_back(self._by_place, place)
            if self.on_free is not None:
                self.on_free()

    def held(self, account_id: UUID) -> int:
        return self.running.get(account_id.int, 0)

    def total(self) -> int:
        return sum(self.running.values())

    @property
    def slowed(self) -> bool:
        """False when no account was rate limited lately, which spares a look-up per account."""
        return bool(self._slow)

    def rate_limited(self, account_id: UUID, now: float, cap: int | None = None) -> None:
        """Too much at once: for a minute half of what is in flight, or of ``cap`` when that is less.

        ``now`` is monotonic.  The refused turn itself may still hold its lease.
        """
        running = max(self.held(account_id), 1)
        turns = running if cap is None else min(running, cap)
        self._slow[account_id.int] = Slow(max(turns // 2, 1), now + SLOW_SECONDS)

    def slow(self, account_id: UUID, now: float) -> Slow | None:
        """The limit after a rate limit, while it holds."""
        slow = self._slow.get(account_id.int)
        if slow is not None and slow.until <= now:
            del self._slow[account_id.int]
            return None
        return slow

    def full(self, member: Member, pool_id: UUID, now: float) -> bool:
        """True when the account, or its place in the pool, has as many turns as it may."""
        account, own, shared = member.account, member.max_concurrency, member.account.max_concurrency
        key = account.id.int
        held = self.running.get(key, 0)
        if shared is not None and held >= shared:
            return True
        if own is not None and self._by_place.get((pool_id.int, key), 0) >= own:
            return True
        slow = self.slow(account.id, now) if self._slow else None
        return slow is not None and held >= slow.turns


def _give_back(counts: dict[Held, int], what: Held) -> None:
    left = counts[what] - 1
    if left > 0:
        counts[what] = left
    else:
        del counts[what]
