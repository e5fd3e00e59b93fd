"""A loop that is led runs in exactly one process, and moves on when that process or its connection dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import psycopg2
import pytest

from codex_pooler.jobs import leadership as module
from codex_pooler.jobs.leadership import ANSWER_SECONDS, CHECK_SECONDS, Leadership, number
from codex_pooler.jobs.loops import background
from codex_pooler.storage.database import Database

NAMES = ("schedule", "rescue")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.05)


class Stage:
    """Who runs which loop now; two at once is a failure."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.starts: list[tuple[str, str]] = []

    async def play(self, who: str, name: str) -> None:
        assert name not in self.running, f"{who} begins {name} while {self.running[name]} is at it"
        self.running[name] = who
        self.starts.append((who, name))
        try:
            await asyncio.Event().wait()
        finally:
            del self.running[name]

    def began_again(self, starts: int) -> bool:
        """Whether every loop runs, and began after so many starts."""
        return len(self.starts) >= starts + len(NAMES) and len(self.running) == len(NAMES)

    @asynccontextmanager
    async def candidate(self, dsn: str, who: str) -> AsyncIterator[Leadership]:
        leadership = Leadership(dsn, {name: partial(self.play, who, name) for name in NAMES})
        async with background({who: leadership.run}):
            yield leadership


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def cut(database: Database) -> None:
    """Every connection that leadership depends on."""
    async with database.session() as session:
        await session.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'codex-pooler-leadership' AND datname = current_database()"
        )


async def test_scenario_46_of_two_processes_one_leads_and_the_other_takes_over(dsn: str) -> None:
    stage = Stage()
    async with AsyncExitStack() as late:
        async with stage.candidate(dsn, "one") as one:
            await until(lambda: one.led == sorted(NAMES))
            other = await late.enter_async_context(stage.candidate(dsn, "other"))
            await asyncio.sleep(0.3)
            assert other.led == []
            assert not other.leads("schedule")
        await until(lambda: other.led == sorted(NAMES))
    assert stage.running == {}


def test_scenario_46_leadership_moves_within_ten_seconds() -> None:
    """The server knows at once of a process that was killed; one that only vanished has stopped by itself before."""
    noticed = 7.0
    assert f"tcp_user_timeout={noticed * 1_000:.0f}" in module.SERVER_NOTICES
    assert noticed > CHECK_SECONDS + ANSWER_SECONDS
    assert noticed + CHECK_SECONDS <= 10


async def test_a_lost_connection_stops_the_loops_before_anybody_starts_them_again(dsn: str, database: Database) -> None:
    stage = Stage()
    async with stage.candidate(dsn, "one") as one, stage.candidate(dsn, "other") as other:
        await until(lambda: len(stage.running) == 2)
        for _ in range(3):
            starts = len(stage.starts)
            await cut(database)
            await until(partial(stage.began_again, starts))
        assert sorted(one.led + other.led) == sorted(NAMES)


async def test_a_server_that_does_not_answer_ends_leadership(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    stage = Stage()
    async with stage.candidate(dsn, "one") as one:
        await until(lambda: one.leads("rescue"))
        monkeypatch.setattr(module, "TAKE", "SELECT pg_sleep(60), %(numbers)s::int[], %(locks)s")
        await until(lambda: stage.running == {})


async def test_a_loop_that_dies_is_started_again(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    began = 0

    async def die_once() -> None:
        nonlocal began
        began += 1
        if began == 1:
            raise RuntimeError("no more")
        await asyncio.Event().wait()

    async with background({"leadership": Leadership(dsn, {"frail": die_once}).run}):
        await until(lambda: began == 2)
    assert "the loop frail died and is started again" in caplog.text


async def test_a_database_that_is_away_is_waited_for(dsn: str) -> None:
    away = dsn.replace("user=", "port=1&user=") if "user=" in dsn else f"{dsn}&port=1"
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(away)
    leadership = Leadership(away, {})
    running = asyncio.create_task(leadership.run())
    await asyncio.sleep(0.3)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


def test_names_have_locks_of_their_own() -> None:
    assert len({number(name) for name in ("schedule", "rescue", "nodes", "")}) == 4
    assert all(-(1 << 31) <= number(name) < 1 << 31 for name in ("schedule", ""))
