"""Runs the statements that storage/query.py compiles, over a repaired aiopg pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiopg
import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from codex_pooler.storage.query import Query

# What "the database cannot be reached" looks like from here; web/errors.py answers 503 for these.
UNAVAILABLE = (psycopg2.OperationalError, psycopg2.InterfaceError, asyncio.TimeoutError)
# What becomes of a connection of one's own, also while it is made.  RuntimeError: uvloop's dead poll handle after a
# refused connection.
LOST = (TimeoutError, psycopg2.Error, OSError, RuntimeError)

SESSION_OPTIONS = (
    "-c statement_timeout=15s -c idle_in_transaction_session_timeout=30s"
    " -c client_connection_check_interval=2s -c timezone=UTC"
)


class Pool(aiopg.Pool):
    """aiopg's pool with repairs: waiters are woken when a slot frees up abnormally, a connection that died while it
    was idle is passed over, one that comes back in mid-transaction is closed for certain, and uvloop's leftover poll
    handle after a refused connection shows as the connection failure that it is."""

    async def _fill_free_pool(self, override_min: bool) -> None:
        try:
            await super()._fill_free_pool(override_min)
        except RuntimeError as exc:
            if "handler is closed" in str(exc):
                raise psycopg2.OperationalError("connection failed, try again") from exc
            raise

    async def _acquire(self) -> aiopg.Connection:
        before = cancellations()
        try:
            connection = await super()._acquire()
        except AssertionError:  # how aiopg says that the connection it took is dead; that one is gone by now
            return await self._acquire()
        except BaseException:  # cancelled or failed while connecting or just after being notified
            self._wake_soon()
            raise
        if cancellations() > before:
            await self.release(connection)
            raise asyncio.CancelledError
        return connection

    def release(self, conn: aiopg.Connection) -> asyncio.Future[None]:
        unusable = conn.closed or conn.raw.get_transaction_status() != TRANSACTION_STATUS_IDLE
        if unusable and not conn.closed:
            conn.close()  # aiopg warns first, and where warnings are errors never comes to closing it
        done: asyncio.Future[None] = super().release(conn)
        return self._wake_soon() if unusable else done

    def _wake_soon(self) -> asyncio.Future[None]:
        self._waking = asyncio.ensure_future(self._wakeup())
        return self._waking


def cancellations() -> int:
    """How often this task has been asked to end.

    aiopg waits with asyncio.wait_for, which up to Python 3.11 loses a cancellation that comes together with the result:
    who finds more of them after a wait than before it has to end by itself.
    """
    task = asyncio.current_task()
    return task.cancelling() if task else 0


@asynccontextmanager
async def dedicated(dsn: str, **options: Any) -> AsyncIterator[aiopg.Connection]:
    """A connection beside the pool for who keeps it, closed at the end; ``options`` are libpq's.

    Raises one of LOST.
    """
    before = cancellations()
    async with aiopg.connect(dsn, enable_hstore=False, timeout=10, connect_timeout=5, **options) as connection:
        if cancellations() > before:
            raise asyncio.CancelledError
        yield connection


class Session:
    """One checked-out connection."""

    def __init__(self, cursor: aiopg.Cursor) -> None:
        self.cursor = cursor

    async def run(self, sql: str, params: dict[str, Any] | None = None) -> None:
        """Execute SQL text.  Raises psycopg2.Error, also for a statement timeout."""
        before = cancellations()
        try:
            await self.cursor.execute(sql, params)
        except asyncio.CancelledError as exc:
            # aiopg reports SQLSTATE 57014 (statement_timeout, pg_cancel_backend) as CancelledError
            if isinstance(exc.__context__, psycopg2.Error) and not cancellations():
                raise exc.__context__ from None
            raise
        if cancellations() > before:
            raise asyncio.CancelledError

    async def fetch(self, statement: Any, /, **values: Any) -> list[Any]:
        """Rows as named tuples.  Constants are Query objects; other Core statements are compiled on the spot."""
        query = statement if isinstance(statement, Query) else Query(statement)
        await self.run(query.sql, query.bind(values))
        description = self.cursor.description
        return query.rows(description, await self.cursor.fetchall()) if description else []

    async def one(self, statement: Any, /, **values: Any) -> Any:
        """The first row, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    async def execute(self, statement: Any, /, **values: Any) -> int:
        """Run for its effect; the number of rows touched."""
        await self.fetch(statement, **values)
        return int(self.cursor.rowcount)

    @asynccontextmanager
    async def _block(self, begin: str, commit: str, rollback: str) -> AsyncIterator[Session]:
        await self.run(begin)
        try:
            yield self
        except BaseException:
            if not self.cursor.connection.closed:  # closed when cancelled in mid-statement
                await self.run(rollback)
            raise
        await self.run(commit)

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        return self._block("BEGIN", "COMMIT", "ROLLBACK")

    def savepoint(self, name: str = "sp") -> AbstractAsyncContextManager[Session]:
        return self._block(f"SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}", f"ROLLBACK TO SAVEPOINT {name}")


class Database:
    """The process's connection pool."""

    def __init__(self, pool: aiopg.Pool, dsn: str) -> None:
        self.pool, self.dsn = pool, dsn

    @classmethod
    async def open(cls, dsn: str, *, minsize: int = 1, maxsize: int = 10, timeout: float = 10.0) -> Database:
        """Connect.  ``timeout`` bounds the wait for a free connection, in seconds."""
        pool = await Pool.from_pool_fill(
            dsn,
            minsize,
            maxsize,
            timeout,
            enable_json=True,
            enable_hstore=False,
            enable_uuid=True,
            echo=False,
            on_connect=None,
            pool_recycle=-1,
            application_name="codex-pooler",
            connect_timeout=5,
            options=SESSION_OPTIONS,
        )
        return cls(pool, dsn)

    async def close(self) -> None:
        self.pool.close()
        await self.pool.wait_closed()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        async with self.pool.acquire() as connection, connection.cursor() as cursor:
            yield Session(cursor)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self.session() as session, session.transaction():
            yield session


def silence_query_cancellations(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Loop exception handler: aiopg also sends a cancelled query's error here, where it is only noise."""
    if not isinstance(context.get("exception"), psycopg2.extensions.QueryCanceledError):
        loop.default_exception_handler(context)
