"""Each moment of a schedule leads to one job, however many clocks there are, and a moment that was missed to one as
well."""

from __future__ import annotations

import asyncio

import pytest

from codex_pooler.jobs.clock import keep_the_schedule, last_tick, next_tick, queue_what_is_due
from codex_pooler.jobs.loops import background
from codex_pooler.jobs.schedule import JOBS
from codex_pooler.storage.database import Database
from tests.jobs.queued import Bench

HOUR = 3600
NOON = 1_700_000_000 // 86_400 * 86_400 + 12 * HOUR


@pytest.fixture
def bench(database: Database) -> Bench:
    made = Bench(database)
    made.job("hourly", schedule="0 * * * *")
    made.job("asked")
    return made


async def tick(bench: Bench, now: float, done: dict[str, int] | None = None) -> None:
    await queue_what_is_due(bench.database, bench.jobs.values(), {} if done is None else done, now)


async def finish_all(bench: Bench) -> None:
    await bench.rows("UPDATE procrastinate_jobs SET status = 'succeeded'")


async def test_a_moment_is_queued_once_by_however_many_clocks(bench: Bench) -> None:
    await asyncio.gather(*(tick(bench, NOON + seconds) for seconds in (0, 1, 2)))
    await finish_all(bench)
    await tick(bench, NOON + 3599)
    assert len(await bench.states()) == 1
    await asyncio.gather(*(tick(bench, NOON + HOUR) for _ in range(3)))
    assert len(await bench.states()) == 2


async def test_what_was_missed_is_made_up_for_once(bench: Bench) -> None:
    await tick(bench, NOON)
    await finish_all(bench)
    await tick(bench, NOON + 5 * HOUR + 1800)
    assert [state for state, _ in await bench.states()] == ["succeeded", "todo"]


async def test_a_job_that_waits_still_is_not_queued_again(bench: Bench) -> None:
    done: dict[str, int] = {}
    await tick(bench, NOON, done)
    await tick(bench, NOON + HOUR, done)
    assert len(await bench.states()) == 1
    assert done == {"hourly": NOON + HOUR}


async def test_the_clock_goes_on_when_the_database_is_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.rows("ALTER TABLE procrastinate_periodic_defers RENAME TO elsewhere")
    async with background({"clock": lambda: keep_the_schedule(bench.database, bench.jobs.values())}):
        async with asyncio.timeout(30):
            while "cannot be queued now" not in caplog.text:
                await asyncio.sleep(0.02)
        await bench.rows("ALTER TABLE elsewhere RENAME TO procrastinate_periodic_defers")
        await bench.becomes(("todo", 0))


def test_ticks_are_where_the_schedule_says() -> None:
    assert last_tick("0 * * * *", NOON) == NOON
    assert last_tick("0 * * * *", NOON - 1) == NOON - HOUR
    assert next_tick("*/15 * * * *", NOON) == NOON + 900


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_every_schedule_can_be_read(job: object) -> None:
    schedule = getattr(job, "schedule", None)
    assert schedule is None or NOON < next_tick(schedule, NOON) <= NOON + 86_400
