"""How many turns each account is serving; a turn holds its lease from before it is sent until its stream ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from codex_pooler.snapshot.model import Member


class Leases:
    """This process's running turns by account."""

    def __init__(self) -> None:
        self._held: dict[UUID, int] = {}

    @contextmanager
    def hold(self, account_id: UUID) -> Iterator[None]:
        self._held[account_id] = self._held.get(account_id, 0) + 1
        try:
            yield
        finally:
            left = self._held[account_id] - 1
            if left:
                self._held[account_id] = left
            else:
                del self._held[account_id]

    def held(self, account_id: UUID) -> int:
        return self._held.get(account_id, 0)

    def total(self) -> int:
        return sum(self._held.values())

    def full(self, member: Member) -> bool:
        """True when the account, or its place in the pool, has as many turns as it may."""
        if member.max_concurrency is None and member.account.max_concurrency is None:
            return False
        caps = [cap for cap in (member.max_concurrency, member.account.max_concurrency) if cap is not None]
        return self.held(member.account.id) >= min(caps)
