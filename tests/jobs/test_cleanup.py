"""What has expired or ended long ago goes; what is needed stays; one failing sweep holds up no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from codex_pooler.jobs.cleanup import clean_up
from codex_pooler.jobs.nodes import Node
from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import SIGN_INS, Metrics
from tests.jobs.queued import Bench

FLOW = """
INSERT INTO oauth_flows (id, kind, pool_id, state, sealed, created_at, expires_at, finished_at)
VALUES (gen_random_uuid(), 'device', (SELECT id FROM pools), '{state}', 'x', now(), now() - interval '{ago}', {ended})
"""


@pytest.fixture
async def bench(database: Database) -> Bench:
    made = Bench(database)
    await made.rows("INSERT INTO pools (id, slug, name) VALUES (gen_random_uuid(), 'team', 'Team')")
    return made


def services(bench: Bench) -> Services:
    return cast(Services, SimpleNamespace(database=bench.database, metrics=Metrics()))


async def test_sign_ins_expire_and_go_a_week_later(bench: Bench) -> None:
    await bench.rows(FLOW.format(state="pending", ago="1 minute", ended="NULL"))
    await bench.rows(FLOW.format(state="completed", ago="9 days", ended="now() - interval '8 days'"))
    await bench.rows(FLOW.format(state="pending", ago="-5 minutes", ended="NULL"))
    await clean_up(cleaning := services(bench))
    assert cleaning.metrics.counts[SIGN_INS, "expired"] == 1
    assert await bench.rows("SELECT state, sealed IS NULL FROM oauth_flows ORDER BY expires_at") == [
        ("expired", True),
        ("pending", False),
    ]


async def test_invites_expire(bench: Bench) -> None:
    insert = (
        "INSERT INTO invites (id, pool_id, email, digest, expires_at)"
        " VALUES (gen_random_uuid(), (SELECT id FROM pools), '{0}', '{0}', now() + interval '{1}')"
    )
    await bench.rows(insert.format("old", "-1 minute"))
    await bench.rows(insert.format("new", "1 minute"))
    await clean_up(services(bench))
    assert await bench.rows("SELECT email, status FROM invites ORDER BY email") == [
        ("new", "active"),
        ("old", "expired"),
    ]


async def test_jobs_go_after_a_day_and_failed_ones_after_a_week(bench: Bench) -> None:
    bench.job("greet")
    for days, status in ((2, "succeeded"), (2, "failed"), (8, "failed"), (0, "succeeded"), (9, "todo")):
        queued = await bench.queue.enqueue("greet", key=f"{days} {status}")
        await bench.rows(f"UPDATE procrastinate_jobs SET status = '{status}' WHERE id = {queued.id}")
        await bench.rows(f"UPDATE procrastinate_events SET at = at - interval '{days} days' WHERE job_id = {queued.id}")
    await clean_up(services(bench))
    assert [state for state, _ in await bench.states()] == ["failed", "succeeded", "todo"]


async def test_the_newest_runs_of_every_kind_stay(bench: Bench) -> None:
    await bench.rows(
        "INSERT INTO job_runs (id, job_id, name, attempt, outcome, started_at, finished_at)"
        " SELECT gen_random_uuid(), n, 'greet', 1, 'completed', now(), now() - n * interval '1 day'"
        " FROM generate_series(1, 30) n"
    )
    await clean_up(services(bench))
    assert await bench.rows("SELECT count(*), max(job_id) FROM job_runs") == [(20, 20)]


async def test_one_sweep_that_fails_holds_up_no_other(bench: Bench) -> None:
    await Node(bench.database, "web", "1").beat()
    await bench.rows("UPDATE nodes SET seen_at = now() - interval '1 hour'")
    await bench.rows("ALTER TABLE files RENAME TO elsewhere")
    with pytest.raises(JobFailed, match="files past their time") as failure:
        await clean_up(services(bench))
    assert cast(Any, failure.value).code == "not_removed"
    assert await bench.rows("SELECT id FROM nodes") == []
