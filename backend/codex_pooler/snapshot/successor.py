"""A snapshot in which one account has a newer access token than the database could be told yet."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from codex_pooler.snapshot.model import Member, Pool, Snapshot


def with_access_token(snapshot: Snapshot, account_id: UUID, token: str, expires_at: float | None) -> Snapshot:
    """The same picture with that token; ``expires_at`` in unix seconds."""

    def renewed(member: Member) -> Member:
        if member.account.id != account_id:
            return member
        return replace(member, account=replace(member.account, access_token=token, access_expires_at=expires_at))

    def changed(pool: Pool) -> Pool:
        touched = any(member.account.id == account_id for member in pool.members)
        return replace(pool, members=tuple(map(renewed, pool.members))) if touched else pool

    pools = {identity: changed(pool) for identity, pool in snapshot.pools.items()}
    keys = {
        digest: key if key.pool is pools[key.pool.id] else replace(key, pool=pools[key.pool.id])
        for digest, key in snapshot.keys.items()
    }
    return replace(snapshot, pools=MappingProxyType(pools), keys=MappingProxyType(keys))
