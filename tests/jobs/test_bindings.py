"""Sessions keep their account across restarts and processes, and deleted accounts take their bindings along."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

import psycopg2
import pytest
import sqlalchemy as sa

from codex_pooler.jobs.bindings import BindingKeeper
from codex_pooler.routing.bindings import LIFETIME_SECONDS, REFRESH_SECONDS, Bindings
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.tables import accounts, pools, session_bindings


@dataclass
class Place:
    """One pool with two accounts, and as many processes as a test likes."""

    database: Database
    pool: UUID
    a: UUID
    b: UUID

    async def process(self) -> tuple[Bindings, BindingKeeper]:
        bindings = Bindings()
        keeper = BindingKeeper(self.database, bindings)
        await keeper.load()
        return bindings, keeper

    async def stored(self) -> dict[bytes, UUID]:
        async with self.database.session() as session:
            rows = await session.fetch(sa.select(session_bindings.c.digest, session_bindings.c.account_id))
        return {bytes(row.digest): row.account_id for row in rows}


@pytest.fixture
async def place(database: Database) -> Place:
    made = Place(database, uuid7(), uuid7(), uuid7())
    async with database.transaction() as session:
        await session.execute(sa.insert(pools).values(id=made.pool, name="Team", slug="team"))
        for name, account_id in (("a", made.a), ("b", made.b)):
            row = {"id": account_id, "label": name, "chatgpt_account_id": name, "identity_key": name}
            await session.execute(sa.insert(accounts).values(**row))
    return made


async def test_a_restart_knows_every_session(place: Place) -> None:
    now = time.time()
    bindings, keeper = await place.process()
    for n in range(2500):
        bindings.bind(n.to_bytes(32, "big"), "session", place.pool, place.a if n % 2 else place.b, now)
    await keeper.store()
    later, _ = await place.process()
    assert len(later) == 2500
    assert later.account_of((7).to_bytes(32, "big"), now) == place.a
    assert later.account_of((8).to_bytes(32, "big"), now) == place.b


async def test_processes_hear_of_each_other_and_the_newer_word_counts(place: Place) -> None:
    now = time.time()
    one, keep_one = await place.process()
    two, keep_two = await place.process()
    one.bind(b"s", "session", place.pool, place.a, now)
    await keep_one.store()
    await keep_two.merge(now)
    assert two.account_of(b"s", now) == place.a
    two.bind(b"s", "session", place.pool, place.b, now + 1)
    one.bind(b"s", "session", place.pool, place.a, now + REFRESH_SECONDS)
    await keep_one.store()
    await keep_two.store()
    assert await place.stored() == {b"s": place.a}, "what was said earlier does not come through later"
    await keep_two.merge(now + REFRESH_SECONDS)
    assert two.account_of(b"s", now) == place.a


async def test_a_released_account_loses_its_rows_but_not_those_bound_again(place: Place) -> None:
    now = time.time()
    bindings, keeper = await place.process()
    bindings.bind(b"1", "session", place.pool, place.a, now)
    bindings.bind(b"2", "response", place.pool, place.b, now)
    await keeper.store()
    bindings.release(place.a, now + 1)
    bindings.bind(b"3", "session", place.pool, place.a, now + 2)
    await keeper.store()
    assert await place.stored() == {b"2": place.b, b"3": place.a}


async def test_what_concerns_deleted_accounts_is_dropped_and_the_rest_stored(place: Place) -> None:
    now = time.time()
    bindings, keeper = await place.process()
    bindings.bind(b"1", "session", place.pool, uuid7(), now)
    bindings.bind(b"2", "session", uuid7(), place.a, now)
    bindings.bind(b"3", "session", place.pool, place.b, now)
    await keeper.store()
    assert await place.stored() == {b"3": place.b}
    async with place.database.session() as session:
        await session.execute(sa.delete(accounts).where(accounts.c.id == place.b))
    assert await place.stored() == {}


async def test_the_expired_are_swept_and_never_read(place: Place) -> None:
    now = time.time()
    bindings, keeper = await place.process()
    bindings.bind(b"old", "session", place.pool, place.a, now - LIFETIME_SECONDS - 5)
    bindings.bind(b"new", "session", place.pool, place.a, now)
    await keeper.store()
    later, _ = await place.process()
    assert len(later) == 1
    await keeper.sweep(now)
    assert await place.stored() == {b"new": place.a}


async def test_without_a_database_nothing_is_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    bindings, keeper = await place.process()
    bindings.bind(b"s", "session", place.pool, place.a, now)

    class Away:
        def transaction(self) -> None:
            raise psycopg2.OperationalError("gone")

        session = transaction

    with monkeypatch.context() as broken:
        broken.setattr(keeper, "_database", Away())
        with pytest.raises(psycopg2.OperationalError):
            await keeper.store()
        await keeper.store_the_rest()
        await keeper.load()
    assert bindings.account_of(b"s", now) == place.a
    await keeper.store()
    assert await place.stored() == {b"s": place.a}
