"""Gives procrastinate our way to PostgreSQL: the repaired pool, told errors, and a listener that reconnects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from procrastinate.connector import Notify
from procrastinate.contrib.aiopg.aiopg_connector import AiopgConnector, wrap_exceptions
from procrastinate.exceptions import ConnectorException
from psycopg2.extras import RealDictCursor

from codex_pooler.storage.database import SESSION_OPTIONS, Pool, Session
from codex_pooler.storage.listen import listen

MOST_CONNECTIONS = 3


class Connector(AiopgConnector):
    """For a process that runs jobs; those that only queue them do without."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        await self._rows(query, arguments)

    async def execute_query_one_async(self, query: str, **arguments: Any) -> dict[str, Any]:
        rows = await self._rows(query, arguments)
        return rows[0]

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        return await self._rows(query, arguments)

    async def _rows(self, query: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            async with wrap_exceptions(), self.pool.acquire() as connection, connection.cursor() as cursor:
                await Session(cursor).run(query, self._wrap_json(arguments))
                return [dict(row) for row in await cursor.fetchall()] if cursor.description else []
        except TimeoutError as exc:
            raise ConnectorException("no connection to the database in time") from exc

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """For ever; what is missed while there is no connection is found by looking, every few seconds."""

        async def nothing_to_catch_up_with() -> None:
            return None

        heard = {channel: partial(_deliver, on_notification, channel) for channel in channels}
        await listen(self._dsn, heard, nothing_to_catch_up_with)


async def _deliver(on_notification: Notify, channel: str, payload: str) -> None:
    await on_notification(channel=channel, payload=payload)


@asynccontextmanager
async def connection_pool(dsn: str) -> AsyncIterator[Any]:
    """A pool of its own: procrastinate wants rows as dictionaries."""
    pool = await Pool.from_pool_fill(
        dsn,
        1,
        MOST_CONNECTIONS,
        10.0,
        enable_json=False,
        enable_hstore=False,
        enable_uuid=False,
        echo=False,
        on_connect=None,
        pool_recycle=-1,
        cursor_factory=RealDictCursor,
        application_name="codex-pooler-jobs",
        connect_timeout=5,
        options=SESSION_OPTIONS,
    )
    try:
        yield pool
    finally:
        pool.close()
        await pool.wait_closed()
