"""Which accounts got a new login between two snapshots, and a snapshot that has one ahead of the database."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from codex_pooler.snapshot.model import Member, Pool, Snapshot


def new_logins(before: Snapshot, after: Snapshot) -> set[UUID]:
    """The accounts that had a token before and have another one now."""
    known = _tokens(before)
    return {account_id for account_id, token in _tokens(after).items() if known.get(account_id, token) != token}


def _tokens(snapshot: Snapshot) -> dict[UUID, str]:
    members = (member for pool in snapshot.pools.values() for member in pool.members)
    return {member.account.id: member.account.access_token for member in members}


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
