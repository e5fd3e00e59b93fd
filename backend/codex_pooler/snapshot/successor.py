"""What is new about accounts between two snapshots, and a snapshot that has a new login ahead of the database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from codex_pooler.snapshot.model import Account, Member, Pool, Snapshot

NOWHERE: frozenset[UUID] = frozenset()


def new_logins(before: Snapshot, after: Snapshot) -> set[UUID]:
    """The accounts that had a token before and have another one now."""
    known = _tokens(before)
    return {account_id for account_id, token in _tokens(after).items() if known.get(account_id, token) != token}


def changed_accounts(before: Snapshot, after: Snapshot) -> dict[UUID, frozenset[UUID]]:
    """The accounts that are not as they were or not where they were, each with the pools it was in or is in now."""
    were, are = _accounts(before), _accounts(after)
    left, joined = _pools_of(before), _pools_of(after)
    return {
        account_id: left.get(account_id, NOWHERE) | joined.get(account_id, NOWHERE)
        for account_id in were.keys() | are.keys()
        if were.get(account_id) != are.get(account_id) or left[account_id] != joined[account_id]
    }


def _pools_of(snapshot: Snapshot) -> dict[UUID, frozenset[UUID]]:
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for pool in snapshot.pools.values():
        for member in pool.members:
            found[member.account.id].add(pool.id)
    return {account_id: frozenset(pool_ids) for account_id, pool_ids in found.items()}


def _accounts(snapshot: Snapshot) -> dict[UUID, Account]:
    return {member.account.id: member.account for pool in snapshot.pools.values() for member in pool.members}


def _tokens(snapshot: Snapshot) -> dict[UUID, str]:
    return {account_id: account.access_token for account_id, account in _accounts(snapshot).items()}


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
