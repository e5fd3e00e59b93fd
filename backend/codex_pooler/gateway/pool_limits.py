"""What clients are told of limits: the pool's, put together, in place of those of the account that happens to serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from codex_pooler.quota.pool_view import PoolQuota
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.wire import limit_event, limit_headers
from codex_pooler.snapshot.model import Pool


class _Told(NamedTuple):
    view: PoolQuota
    headers: Sequence[tuple[str, str]]


class PoolLimits:
    """Remembers the words for as long as the pool's quota stays what it is."""

    def __init__(self) -> None:
        self._told: dict[UUID, _Told] = {}

    def headers(self, pool: Pool, quotas: Quotas, now: float) -> Sequence[tuple[str, str]]:
        """``x-codex-*`` for a response head; nothing where the pool keeps its quota to itself."""
        if not pool.switches.show_quota_to_keys:
            return ()
        view = self._view(pool, quotas, now)
        told = self._told.get(pool.id)
        if told is None or told.view is not view:
            told = self._told[pool.id] = _Told(view, limit_headers(view))
        return told.headers

    def event(self, pool: Pool, quotas: Quotas, now: float) -> bytes | None:
        """The data of a ``codex.rate_limits`` event."""
        return limit_event(self._view(pool, quotas, now), now) if pool.switches.show_quota_to_keys else None

    def _view(self, pool: Pool, quotas: Quotas, now: float) -> PoolQuota:
        return quotas.pool_view((member.account for member in pool.fit), None, now, key=pool.id)
