"""The live channel: what changed reaches those who may see it, and nobody else."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.operators.access import Caller, Operator, PoolScope, granted
from codex_pooler.storage.database import Database
from codex_pooler.storage.tables import operators
from codex_pooler.web.admin.events import change_event
from codex_pooler.web.admin.live import MAX_WATCHERS, QUEUE_LENGTH, Broadcaster, Change, TooManyWatchers

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless

PREFIX = "/api/admin/v1"


class Channel:
    """An open live channel of the tests."""

    def __init__(self, response: Any) -> None:
        self.response = response

    async def next(self, name: str) -> Any:
        """The data of the next event of this name."""
        async with asyncio.timeout(10):
            while True:
                line = (await self.response.content.readline()).decode()
                assert line, "the channel ended"
                if line == f"event: {name}\n":
                    return json.loads((await self.response.content.readline()).decode().removeprefix("data: "))


async def test_a_change_reaches_a_watching_browser(owner: Browserless) -> None:
    async with owner.client.get(f"{PREFIX}/events", headers=owner.headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert "no-store" in response.headers["Cache-Control"]
        channel = Channel(response)
        pool = await owner.post("/pools", {"name": "Team"})
        change = await channel.next("change")
    assert (change["topic"], change["kind"], change["ids"]) == ("pools", "created", [pool["id"]])
    assert change["pool_ids"] == [pool["id"]]
    assert change["at"].endswith("Z")


async def test_finished_turns_arrive_as_counts(owner: Browserless, broadcaster: Broadcaster) -> None:
    pool = uuid4()
    async with owner.client.get(f"{PREFIX}/events?topics=requests", headers=owner.headers) as response:
        channel = Channel(response)
        first = await channel.next("counters")
        broadcaster.count_finished([pool, pool])
        second = await channel.next("counters")
    assert first == {"topic": "requests", "pool_ids": [], "new": 0, "in_progress": 0, "window_s": 1}
    assert second == {**first, "pool_ids": [str(pool)], "new": 2}


async def test_a_revoked_operator_stops_watching(owner: Browserless, database: Database) -> None:
    async with owner.client.get(f"{PREFIX}/events?topics=pools", headers=owner.headers) as response:
        async with database.session() as session:
            await session.execute(sa.update(operators).values(status="disabled"))
        assert await Channel(response).next("session_revoked") == {}
        assert await response.content.read() == b"\n"


async def test_a_browser_that_leaves_is_forgotten_quietly(
    owner: Browserless, broadcaster: Broadcaster, caplog: pytest.LogCaptureFixture
) -> None:
    async with owner.client.get(f"{PREFIX}/events", headers=owner.headers) as response:
        await Channel(response).next("counters")
        assert broadcaster.watchers == 1
    async with asyncio.timeout(10):
        while broadcaster.watchers:
            broadcaster.count_finished([uuid4()])
            await asyncio.sleep(0.2)
    assert caplog.records == []


async def test_an_unknown_topic_is_told(owner: Browserless) -> None:
    status, problem = await owner.call("GET", "/events?topics=pools,weather")
    assert (status, problem["code"]) == (400, "invalid_filter")


def caller_for(role: str, *pools: UUID) -> Caller:
    operator = Operator(uuid4(), "a@example.com", "A", role, "UTC")
    scope = PoolScope(role == "instance_owner", pools)
    return Caller(operator, granted(role, None), scope, datetime.now(UTC), True)


def test_an_event_shows_only_visible_pools() -> None:
    mine, theirs, key = uuid4(), uuid4(), uuid4()
    admin = caller_for("instance_admin", mine)
    topics = frozenset({"keys"})
    both = change_event(Change("keys", "updated", (key,), (mine, theirs)), admin, topics)
    assert both is not None
    assert str(theirs).encode() not in both
    assert change_event(Change("keys", "updated", (key,), (theirs,)), admin, topics) is None
    assert change_event(Change("keys", "updated", (key,), ()), admin, topics) is None
    assert change_event(Change("pools", "updated", (mine,), (mine,)), admin, topics) is None


def test_a_slow_watcher_loses_the_oldest_and_nobody_waits() -> None:
    broadcaster = Broadcaster()
    with broadcaster.watch() as queue:
        for number in range(QUEUE_LENGTH + 3):
            broadcaster.publish(Change("pools", str(number)))
        first = queue.get_nowait()
        assert first is not None
        assert first.kind == "3"
        broadcaster.close()


def test_watchers_are_limited() -> None:
    broadcaster = Broadcaster()
    entered = [broadcaster.watch() for _ in range(MAX_WATCHERS)]
    for watcher in entered:
        watcher.__enter__()
    with pytest.raises(TooManyWatchers), broadcaster.watch():
        pass
    for watcher in entered:
        watcher.__exit__(None, None, None)
    with broadcaster.watch():
        pass
