"""Which account a session or a response belongs to, by a digest of its name, so that it is served there again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

LIFETIME_SECONDS = 86_400.0  # since it was last seen
REFRESH_SECONDS = 300.0  # a binding in use is noted again at most this often
CAPACITY = 65_536


class Binding(NamedTuple):
    """``digest`` names a session or response without telling it; ``seen`` is in unix seconds."""

    digest: bytes
    pool_id: UUID
    account_id: UUID
    kind: str
    seen: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What the database does not know yet: bindings to keep, and accounts whose bindings are void."""

    bound: list[Binding] = field(default_factory=list)
    released: dict[UUID, float] = field(default_factory=dict)  # account -> unix seconds of the release

    def __bool__(self) -> bool:
        return bool(self.bound or self.released)


class Bindings:
    """This process's bindings, the least recently seen first; they are written behind and survive restarts."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._bound: OrderedDict[bytes, Binding] = OrderedDict()
        self._changed: dict[bytes, None] = {}
        self._released: dict[UUID, float] = {}

    def __len__(self) -> int:
        return len(self._bound)

    def account_of(self, digest: bytes, now: float) -> UUID | None:
        """Whose it is; None when unknown or not seen for a day.  ``now`` is in unix seconds, here and below."""
        binding = self._bound.get(digest)
        if binding is None:
            return None
        if now - binding.seen > LIFETIME_SECONDS:
            self._drop(digest)
            return None
        return binding.account_id

    def bind(self, digest: bytes, kind: str, pool_id: UUID, account_id: UUID, now: float) -> None:
        """It was served by this account.  Saying so again and again costs nothing for five minutes."""
        known = self._bound.get(digest)
        if known and known.account_id == account_id and 0 <= now - known.seen < REFRESH_SECONDS:
            return
        self._keep(Binding(digest, pool_id, account_id, kind, now))
        self._changed[digest] = None

    def release(self, account_id: UUID, now: float) -> int:
        """Forget everything bound to an account that will not come back soon; how much that was."""
        lost = [digest for digest, binding in self._bound.items() if binding.account_id == account_id]
        for digest in lost:
            self._drop(digest)
        self._released[account_id] = now
        return len(lost)

    def take_changes(self, limit: int = 2000) -> Changes:
        """What is to be written now, at most ``limit`` bindings; give it back when that fails."""
        digests = [digest for digest, _ in zip(self._changed, range(limit), strict=False)]
        for digest in digests:
            del self._changed[digest]
        released, self._released = self._released, {}
        return Changes([self._bound[digest] for digest in digests if digest in self._bound], released)

    def give_back(self, changes: Changes) -> None:
        """The changes could not be written: they are still to be."""
        self._changed = {binding.digest: None for binding in changes.bound if binding.digest in self._bound} | (
            self._changed
        )
        self._released = changes.released | self._released

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Take over what was written by an earlier process or by another one, the oldest first."""
        for binding in bindings:
            known = self._bound.get(binding.digest)
            if known is None or binding.seen > known.seen:
                self._keep(binding)

    def _keep(self, binding: Binding) -> None:
        self._bound[binding.digest] = binding
        self._bound.move_to_end(binding.digest)
        if len(self._bound) > self._capacity:
            self._drop(next(iter(self._bound)))

    def _drop(self, digest: bytes) -> None:
        self._bound.pop(digest, None)
        self._changed.pop(digest, None)
