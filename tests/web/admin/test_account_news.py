"""Consoles hear of every change of an account once: of this process's at once, of another's a moment later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Account, Member, Pool, Snapshot
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.tables import accounts
from codex_pooler.web.admin.account_news import AccountNews
from codex_pooler.web.admin.live import Broadcaster, Change
from tests.integration.whole import opened

if TYPE_CHECKING:
    from pathlib import Path

    from codex_pooler.storage.database import Database
    from codex_pooler.storage.keyring import Keyring
    from tests.integration.whole import Gateway

ANNA, BERT = UUID(int=1), UUID(int=2)
TEAM, OTHERS = UUID(int=10), UUID(int=11)


class Watching:
    """A console that watches, and what tells it."""

    def __init__(self, broadcaster: Broadcaster, snapshot: SnapshotHolder, queue: asyncio.Queue[Change | None]) -> None:
        self.broadcaster, self.snapshot, self.queue = broadcaster, snapshot, queue
        self.news = AccountNews(snapshot, broadcaster)

    async def next(self) -> Change:
        async with asyncio.timeout(10):
            change = await self.queue.get()
        assert change is not None
        return change


@pytest.fixture
def watching(database: Database, keyring: Keyring) -> Iterator[Watching]:
    broadcaster = Broadcaster()
    snapshot = SnapshotHolder(database, keyring.upstream)
    members = [Member(Account(each, str(each.int), "active", "id", "token")) for each in (ANNA, BERT)]
    pools = (Pool(each, "p", "active", "fill_first", 4, tuple(members)) for each in (TEAM, OTHERS))
    snapshot.current = Snapshot(MappingProxyType({pool.id: pool for pool in pools}))
    with broadcaster.watch() as queue:
        yield Watching(broadcaster, snapshot, queue)


async def test_what_another_process_changed_is_told_soon(watching: Watching) -> None:
    watching.news.noticed({ANNA: [TEAM], BERT: [TEAM]})
    assert watching.queue.empty()
    change = await watching.next()
    assert (change.topic, change.kind, change.ids, change.pool_ids) == ("upstreams", "updated", (ANNA, BERT), (TEAM,))


async def test_what_this_process_tells_meanwhile_is_not_told_again(watching: Watching) -> None:
    watching.news.noticed({ANNA: [TEAM]})
    watching.broadcaster.publish(Change("upstreams", "deleted", (ANNA,), (TEAM,)))
    watching.news.noticed({BERT: [TEAM]})
    assert [(await watching.next()).kind for _ in range(2)] == ["deleted", "updated"]
    assert watching.queue.empty()


async def test_news_of_something_else_do_not_stand_in_for_it(watching: Watching) -> None:
    watching.news.noticed({ANNA: [TEAM]})
    watching.broadcaster.publish(Change("keys", "created", (ANNA,), (TEAM,)))
    assert [(await watching.next()).topic for _ in range(2)] == ["keys", "upstreams"]


async def test_who_sees_any_pool_of_an_account_is_told(watching: Watching) -> None:
    watching.news.tell([ANNA])
    assert set((await watching.next()).pool_ids) == {TEAM, OTHERS}


# -- in the whole process


@pytest.fixture
async def gateway(dsn: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with opened(dsn, tmp_path) as made:
        yield made


async def until_told(queue: asyncio.Queue[Change | None], account_id: str) -> Change:
    async with asyncio.timeout(20):
        while True:
            change = await queue.get()
            if change is not None and UUID(account_id) in change.ids:
                return change


async def test_a_change_by_another_process_reaches_the_consoles_of_this_one(gateway: Gateway) -> None:
    first = (await gateway.admin("GET", "/upstreams"))["items"][0]
    with gateway.process.broadcaster.watch() as queue:
        async with gateway.process.context.database.transaction() as session:
            await session.execute(sa.update(accounts).where(accounts.c.id == first["id"]).values(label="Renamed"))
            await announce_config(session)
        while _labels(gateway)[first["id"]] != "Renamed":
            change = await until_told(queue, first["id"])
    assert change.pool_ids == (UUID(gateway.pool_id),)


def _labels(gateway: Gateway) -> dict[str, Any]:
    members = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)].members
    return {str(member.account.id): member.account.label for member in members}
