"""A job whose worker is gone runs again, one attempt later, and no job of a worker that lives is touched."""

from __future__ import annotations

import pytest

from codex_pooler.jobs.rescue import RESCUES, rescue
from codex_pooler.storage import queries_jobs
from codex_pooler.storage.database import Database
from tests.jobs.queued import Bench

LEASE = 60.0


@pytest.fixture
def bench(database: Database) -> Bench:
    made = Bench(database)
    made.job("greet")
    return made


async def lost(bench: Bench, *, silent_seconds: int = 61) -> int:
    """A job that a worker began which has not been heard of for so long."""
    queued = await bench.queue.enqueue("greet")
    await bench.rows(
        f"""
        WITH gone AS (
            INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '{silent_seconds} seconds')
            RETURNING id
        )
        UPDATE procrastinate_jobs SET status = 'doing', worker_id = gone.id FROM gone
        WHERE procrastinate_jobs.id = {queued.id}
        """
    )
    return queued.id


async def test_scenario_48_the_job_of_a_lost_worker_is_queued_again_one_attempt_later(bench: Bench) -> None:
    await lost(bench)
    assert await rescue(bench.database, LEASE, bench.jobs) == 1
    assert await bench.states() == [("todo", 1)]
    assert (await bench.outcomes("retryable"))[0][2] == "worker_lost"
    async with bench.worker():
        await bench.becomes(("succeeded", 2))


async def test_a_worker_that_was_heard_of_keeps_its_job(bench: Bench) -> None:
    await lost(bench, silent_seconds=50)
    assert await rescue(bench.database, LEASE, bench.jobs) == 0
    assert await bench.states() == [("doing", 0)]


async def test_a_job_that_loses_every_worker_is_given_up(bench: Bench) -> None:
    number = await lost(bench)
    await bench.rows(f"UPDATE procrastinate_jobs SET attempts = {RESCUES} WHERE id = {number}")
    await rescue(bench.database, LEASE, bench.jobs)
    assert await bench.states() == [("failed", RESCUES + 1)]
    await bench.outcomes("discarded")


async def test_a_lost_job_gives_way_to_the_same_one_that_waits(bench: Bench) -> None:
    await lost(bench)
    await bench.queue.enqueue("greet")
    await rescue(bench.database, LEASE, bench.jobs)
    assert await bench.states() == [("aborted", 1), ("todo", 0)]


async def test_a_lost_job_that_was_to_be_stopped_is_not_begun_again(bench: Bench) -> None:
    number = await lost(bench)
    async with bench.database.session() as session:
        await queries_jobs.cancel(session, number)
    await rescue(bench.database, LEASE, bench.jobs)
    assert await bench.states() == [("aborted", 1)]


async def test_workers_gone_for_long_are_forgotten(bench: Bench) -> None:
    await lost(bench, silent_seconds=7200)
    await rescue(bench.database, LEASE, bench.jobs)
    assert await bench.rows("SELECT id FROM procrastinate_workers") == []
