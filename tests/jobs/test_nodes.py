"""Every process shows that it lives, leaves when it ends, and is forgotten when it died."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from codex_pooler.jobs.loops import background
from codex_pooler.jobs.nodes import Drains, Node, forget_the_dead
from codex_pooler.storage.database import Database
from codex_pooler.storage.tables import nodes


async def rows(database: Database) -> list[Any]:
    async with database.session() as session:
        return await session.fetch(sa.select(nodes).order_by(nodes.c.started_at))


async def until_there_are(database: Database, count: int) -> list[Any]:
    async with asyncio.timeout(30):
        while len(found := await rows(database)) != count:
            await asyncio.sleep(0.02)
    return found


async def test_a_process_is_seen_while_it_lives(database: Database) -> None:
    account = uuid4()
    node = Node(
        database, "all", "1.2.3", leads=lambda: ["rescue"], drains=lambda: Drains(known=(account,), busy=(account,))
    )
    async with background({"heartbeat": node.run}):
        (row,) = await until_there_are(database, 1)
        assert (row.id, row.role, row.version, row.leads) == (node.id, "all", "1.2.3", ["rescue"])
        assert (row.drains_known, row.drains_busy) == ([account], [account])
        await node.beat()
        (later,) = await rows(database)
        assert later.seen_at > row.seen_at
        assert later.started_at == row.started_at
        assert node.alive == {"all": 1}
    await until_there_are(database, 0)


async def test_who_else_is_there_is_not_claimed_while_the_database_is_away(dsn: str) -> None:
    database = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.2)
    node = Node(database, "web", "1")
    await node.beat()
    async with database.session(), background({"heartbeat": node.run}), asyncio.timeout(30):
        while node.alive:
            await asyncio.sleep(0.01)
    await database.close()


async def test_the_dead_are_forgotten_and_the_living_stay(database: Database) -> None:
    living, dead = Node(database, "web", "1"), Node(database, "worker", "1")
    await living.beat()
    await dead.beat()
    assert dead.alive == {"web": 1, "worker": 1}
    async with database.session() as session:
        await session.run(
            "UPDATE nodes SET seen_at = now() - interval '61 seconds' WHERE id = %(id)s", {"id": str(dead.id)}
        )
    async with background({"nodes": lambda: forget_the_dead(database)}):
        (row,) = await until_there_are(database, 1)
    assert row.id == living.id
