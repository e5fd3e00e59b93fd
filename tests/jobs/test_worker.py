"""Jobs run once, again when they fail, and again when their process stops; what became of them is written down."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import psycopg2
import pytest

from codex_pooler.jobs import schedule, worker
from codex_pooler.jobs.services import JobFailed
from codex_pooler.storage import queries_jobs
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import JOBS
from tests.jobs.queued import Bench


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_a_queued_job_runs_at_once_with_its_ids(bench: Bench) -> None:
    bench.job("greet")
    async with bench.worker():
        await bench.queue.enqueue("greet", account_id="7", pool_ids=["a", "b"])
        await bench.becomes(("succeeded", 1))
    assert bench.done == [{"account_id": "7", "pool_ids": ["a", "b"]}]
    assert await bench.outcomes("completed") == [("completed", 1, None, None)]
    assert bench.metrics.counts == {(JOBS, "greet", "completed"): 1}


async def test_a_job_that_fails_is_tried_again_and_in_the_end_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schedule, "FIRST_RETRY_SECONDS", 0.0)

    async def fail(services: Any) -> None:
        bench.done.append("tried")
        raise ValueError("sk-a-secret-of-somebody")

    bench.job("doomed", fail, max_attempts=2)
    async with bench.worker():
        await bench.queue.enqueue("doomed")
        await bench.becomes(("failed", 2))
    first, last = await bench.outcomes("retryable", "discarded")
    assert first == ("retryable", 1, "internal_error", "It broke off (ValueError); the log says where.")
    assert last[:3] == ("discarded", 2, "internal_error")
    assert bench.done == ["tried", "tried"]
    assert bench.metrics.counts == {(JOBS, "doomed", "retryable"): 1, (JOBS, "doomed", "discarded"): 1}
    assert "doomed failed (internal_error)" in caplog.text


async def test_a_failure_that_is_final_is_not_tried_again(bench: Bench) -> None:
    async def refuse(services: Any) -> None:
        raise JobFailed("no_such_thing", "It is not there.", final=True)

    bench.job("useless", refuse, max_attempts=5)
    async with bench.worker():
        await bench.queue.enqueue("useless")
        await bench.becomes(("failed", 1))
    assert await bench.outcomes("discarded") == [("discarded", 1, "no_such_thing", "It is not there.")]


async def test_a_job_that_takes_too_long_is_ended(bench: Bench) -> None:
    async def idle(services: Any) -> None:
        await asyncio.sleep(1000)

    bench.job("slow", idle, timeout_seconds=0.05)
    async with bench.worker():
        await bench.queue.enqueue("slow")
        await bench.becomes(("failed", 1))
    assert (await bench.outcomes("discarded"))[0][2] == "timed_out"


async def test_scenario_47_a_job_is_queued_once_however_often_it_is_asked_for(bench: Bench) -> None:
    held = asyncio.Event()

    async def wait(services: Any) -> None:
        await held.wait()

    bench.job("poll", wait)
    first = await bench.queue.enqueue("poll", unless_running=True)
    assert await bench.queue.enqueue("poll", unless_running=True) == (first.id, True)
    assert (await bench.queue.enqueue("poll", key="other")).already is False
    async with bench.worker():
        await bench.becomes(("doing", 0), ("doing", 0))
        assert await bench.queue.enqueue("poll", unless_running=True) == (first.id, True), "it runs"
        again = await bench.queue.enqueue("poll")
        assert again.already is False, "news may have come since it began"
        assert (await bench.states())[-1] == ("todo", 0), "never two of one kind at once"
        held.set()
        await bench.becomes(("succeeded", 1), ("succeeded", 1), ("succeeded", 1))


async def test_a_job_exists_only_with_the_change_that_asked_for_it(bench: Bench) -> None:
    bench.job("mail")
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with bench.database.transaction() as session:
            await bench.queue.enqueue("mail", session=session)
            raise RuntimeError
    assert await bench.states() == []


async def test_a_failed_job_gives_way_to_the_same_one_that_waits(bench: Bench) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def fail_once(services: Any) -> None:
        began.set()
        await go.wait()
        if not bench.done:
            bench.done.append("failed")
            raise JobFailed("later", "Not now.")

    bench.job("import", fail_once, max_attempts=3)
    async with bench.worker():
        await bench.queue.enqueue("import")
        await began.wait()
        await bench.queue.enqueue("import")
        go.set()
        await bench.becomes(("aborted", 1), ("succeeded", 1))


async def test_an_operator_can_stop_a_running_job(bench: Bench) -> None:
    async def idle(services: Any) -> None:
        await asyncio.sleep(1000)

    bench.job("idle", idle, max_attempts=3)
    async with bench.worker():
        queued = await bench.queue.enqueue("idle")
        await bench.becomes(("doing", 0))
        async with bench.database.session() as session:
            assert await queries_jobs.cancel(session, queued.id)
        await bench.becomes(("aborted", 1))
    await bench.outcomes("cancelled")


async def test_a_job_cut_off_by_the_end_of_its_process_goes_to_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.1)

    async def idle_once(services: Any) -> None:
        bench.done.append("begun")
        if len(bench.done) == 1:
            await asyncio.sleep(1000)

    bench.job("idle", idle_once)
    async with bench.worker():
        await bench.queue.enqueue("idle")
        await bench.becomes(("doing", 0))
    assert await bench.states() == [("todo", 1)]
    assert (await bench.outcomes("retryable"))[0][2] == "interrupted"
    async with bench.worker():
        await bench.becomes(("succeeded", 2))


async def test_a_running_job_may_end_before_its_process_does(bench: Bench) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def finish(services: Any) -> None:
        began.set()
        await go.wait()

    bench.job("finish", finish)
    async with bench.worker() as running:
        await bench.queue.enqueue("finish")
        await began.wait()
        running.stop()
        await bench.queue.enqueue("finish", key="too late")
        go.set()
    assert await bench.states() == [("succeeded", 1), ("todo", 0)]


async def test_a_worker_outlives_its_connections(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    bench.job("greet")
    async with bench.worker():
        await bench.queue.enqueue("greet", number=1)
        await bench.becomes(("succeeded", 1))
        for number in (2, 3):
            await bench.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await bench.until(partial(_try, bench, number), bool)
            await bench.becomes(*[("succeeded", 1)] * number)


async def _try(bench: Bench, number: int) -> bool:
    try:
        await bench.queue.enqueue("greet", number=number)
    except psycopg2.Error:
        return False
    return True


async def test_jobs_of_a_version_to_come_are_left_alone(bench: Bench) -> None:
    bench.job("greet")
    newer = Bench(bench.database)
    newer.job("dance")
    await newer.queue.enqueue("dance")
    async with bench.worker():
        await bench.queue.enqueue("greet")
        await bench.becomes(("todo", 0), ("succeeded", 1))
