"""What the connection pool repairs in the driver below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiopg
import pytest

from codex_pooler.storage.database import Database, Session, dedicated


async def lose_a_cancellation() -> None:
    """As asyncio.wait_for does in Python 3.11, when the result is there in the moment of the cancellation."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


@pytest.fixture
async def losing(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """Cancelled while it takes a connection out of the pool."""
    acquire = aiopg.Pool._acquire

    async def and_lose(pool: aiopg.Pool) -> Any:
        connection = await acquire(pool)
        await lose_a_cancellation()
        return connection

    monkeypatch.setattr(aiopg.Pool, "_acquire", and_lose)
    yield database
    monkeypatch.undo()


async def test_a_cancellation_in_the_moment_of_the_result_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = aiopg.Cursor.execute

    async def and_lose(cursor: aiopg.Cursor, *given: Any) -> None:
        await execute(cursor, *given)
        await lose_a_cancellation()

    async def work(said: list[str]) -> None:
        async with database.session() as session:
            monkeypatch.setattr(aiopg.Cursor, "execute", and_lose)
            try:
                await session.run("SELECT 1")
            finally:
                monkeypatch.undo()
                await session.run("SELECT 2")
                said.append("what is done on the way out still works")

    said: list[str] = []
    task = asyncio.create_task(work(said))
    await asyncio.wait({task})
    assert task.cancelled()
    assert said


async def test_a_connection_that_nobody_waits_for_any_more_goes_back(losing: Database) -> None:
    async def work() -> None:
        async with losing.session() as session:
            await session.run("SELECT 1")

    task = asyncio.create_task(work())
    await asyncio.wait({task})
    assert task.cancelled()
    assert losing.pool.freesize == losing.pool.size


async def test_a_statement_that_takes_too_long_is_an_error_and_no_cancellation(database: Database) -> None:
    async def work(session: Session) -> str:
        await session.run("SET statement_timeout = '10ms'")
        try:
            await session.run("SELECT pg_sleep(5)")
        except Exception as exc:
            return type(exc).__name__
        return "nothing"

    async with database.session() as session:
        assert (await work(session)).startswith("QueryCanceled")


async def test_a_connection_left_in_a_transaction_is_closed_and_not_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = aiopg.Cursor.execute

    async def and_lose(cursor: aiopg.Cursor, *given: Any) -> None:
        await execute(cursor, *given)
        await lose_a_cancellation()

    taken: list[aiopg.Connection] = []

    async def begin() -> None:
        async with database.session() as session:
            taken.append(session.cursor.connection)
            monkeypatch.setattr(aiopg.Cursor, "execute", and_lose)
            async with session.transaction():
                raise AssertionError("nobody waits for this any more")

    task = asyncio.create_task(begin())
    await asyncio.wait({task})
    monkeypatch.undo()
    assert task.cancelled(), task
    assert taken[0].closed
    assert database.pool.size == database.pool.freesize
    async with database.session() as session:
        await session.run("SELECT 1")


async def test_a_connection_beside_the_pool_ends_with_who_asked_for_it(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, made = aiopg.Connection._connect, list[aiopg.Connection]()

    async def and_lose(connection: aiopg.Connection) -> aiopg.Connection:
        made.append(await connect(connection))
        await lose_a_cancellation()
        return connection

    async def work() -> None:
        async with dedicated(dsn):
            raise AssertionError("nobody waits for this any more")

    monkeypatch.setattr(aiopg.Connection, "_connect", and_lose)
    task = asyncio.create_task(work())
    await asyncio.wait({task})
    assert task.cancelled(), task
    assert made[0].closed
