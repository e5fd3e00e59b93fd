"""A token that the database does not know yet is used in every pool of its account, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from codex_pooler.snapshot.model import Account, Key, Member, Pool, Snapshot
from codex_pooler.snapshot.successor import changed_accounts, new_logins, with_access_token

ANNA = Account(UUID(int=1), "anna", "active", "id-a", "old-a", 100.0)
BEN = Account(UUID(int=2), "ben", "active", "id-b", "old-b", 100.0)


def pool(number: int, *members: Account) -> Pool:
    return Pool(UUID(int=number), f"p{number}", "active", "fill_first", 4, tuple(map(Member, members)))


def test_the_new_token_reaches_pools_and_keys() -> None:
    shared, alone = pool(10, ANNA, BEN), pool(11, BEN)
    keys = {b"1": Key(UUID(int=20), "k1", shared, "active"), b"2": Key(UUID(int=21), "k2", alone, "active")}
    before = Snapshot(MappingProxyType({p.id: p for p in (shared, alone)}), MappingProxyType(keys))
    after = with_access_token(before, ANNA.id, "new", 900.0)
    served = after.keys[b"1"].pool
    assert [member.account.access_token for member in served.fit] == ["new", "old-b"]
    assert served.fit[0].account.access_expires_at == 900.0
    assert served is after.pools[shared.id]
    assert after.pools[alone.id] is alone
    assert after.keys[b"2"] is keys[b"2"]
    assert before.pools[shared.id].members[0].account.access_token == "old-a"
    assert new_logins(before, after) == {ANNA.id}
    assert new_logins(Snapshot(), after) == set(), "a first sight is no change"


def picture(*pools: Pool) -> Snapshot:
    return Snapshot(MappingProxyType({each.id: each for each in pools}))


def test_changed_accounts_are_told_with_the_pools_that_are_concerned() -> None:
    before = picture(pool(10, ANNA, BEN), pool(11, BEN))
    assert changed_accounts(before, picture(pool(10, ANNA, BEN), pool(11, BEN))) == {}
    paused = replace(BEN, state="paused")
    assert changed_accounts(before, picture(pool(10, ANNA, paused), pool(11, paused))) == {BEN.id: {at(10), at(11)}}
    assert changed_accounts(before, picture(pool(10, BEN), pool(11, BEN))) == {ANNA.id: {at(10)}}, "it left"
    assert changed_accounts(before, picture(pool(10, ANNA, BEN), pool(11, ANNA))) == {
        ANNA.id: {at(10), at(11)},
        BEN.id: {at(10), at(11)},
    }, "they moved"


def at(number: int) -> UUID:
    return UUID(int=number)
