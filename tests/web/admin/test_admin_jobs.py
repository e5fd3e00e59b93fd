"""Owners see every job and its history, start jobs once, and steer those that are there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from codex_pooler.jobs.nodes import Node
from codex_pooler.jobs.queue import Queue
from codex_pooler.jobs.schedule import JOBS
from codex_pooler.storage import queries_jobs as queries
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_jobs import Run
from tests.web.admin.conftest import Browserless, MakeScript


async def set_status(database: Database, job_id: int, *statuses: str) -> None:
    """As a worker does, one after the other."""
    async with database.session() as session:
        for status in statuses:
            await session.run(
                "UPDATE procrastinate_jobs SET status = %(status)s, attempts = attempts + %(more)s WHERE id = %(id)s",
                {"status": status, "id": job_id, "more": int(status != "doing")},
            )


def named(workers: Any, name: str) -> Any:
    return next(item for item in workers["items"] if item["name"] == name)


async def test_every_kind_is_listed_with_its_schedule(owner: Browserless) -> None:
    workers = await owner.get("/jobs/workers")
    assert [item["name"] for item in workers["items"]] == list(JOBS)
    prices = named(workers, "pricing_import")
    assert (prices["schedule"], prices["manual"], prices["last_run"]) == ("0 * * * *", True, None)
    assert datetime.fromisoformat(prices["next_run_at"]) > datetime.now(UTC)
    assert named(workers, "usage_poll")["next_run_at"] is None


async def test_a_missing_role_is_told(owner: Browserless, database: Database) -> None:
    assert named(await owner.get("/jobs/workers"), "retention")["attention"] == ["jobs_role_missing"]
    await Node(database, "worker", "1").beat()
    workers = await owner.get("/jobs/workers")
    assert named(workers, "usage_poll")["attention"] == []
    assert named(workers, "retention")["attention"] == ["jobs_role_missing"], "nobody keeps the schedule"
    await Node(database, "scheduler", "1").beat()
    assert named(await owner.get("/jobs/workers"), "retention")["attention"] == []
    assert (await owner.get("/meta"))["roles_alive"] == ["scheduler", "worker"]


async def test_scenario_47_asked_for_twice_a_job_is_queued_once(owner: Browserless) -> None:
    status, queued = await owner.call("POST", "/jobs/workers/usage_poll/run")
    assert status == 202
    assert queued["job"]["worker"] == "usage_poll"
    status, problem = await owner.call("POST", "/jobs/workers/usage_poll/run")
    assert (status, problem["code"]) == (409, "job_already_queued")
    job = await owner.get(queued["status_url"].removeprefix("/api/admin/v1"))
    assert (job["state"], job["trigger"], job["attempt"]) == ("available", "manual", 0)
    assert job["target"] == {"type": "system", "id": None, "label": None}
    assert (await owner.call("POST", "/jobs/workers/nothing/run"))[0] == 404
    events = await owner.get("/audit-logs?action=job.run")
    assert [event["target"]["label"] for event in events["items"]] == ["Usage of accounts"]


async def test_a_job_is_shown_with_its_moments_and_why_it_failed(owner: Browserless, database: Database) -> None:
    queued = await Queue(database).enqueue("catalog_sync")
    await set_status(database, queued.id, "doing")
    assert (await owner.get(f"/jobs/{queued.id}"))["allowed_actions"] == ["cancel"]
    async with database.session() as session:
        began = datetime.now(UTC) - timedelta(seconds=2)
        run = Run(queued.id, "catalog_sync", 1, "discarded", began, "models_unavailable", "None could be fetched.")
        await queries.record(session, run)
    await set_status(database, queued.id, "failed")
    job = await owner.get(f"/jobs/{queued.id}")
    assert (job["state"], job["attention"], job["attempt"], job["max_attempts"]) == (
        "discarded",
        "active_failure",
        1,
        3,
    )
    assert (job["error"]["code"], job["error"]["message"]) == ("models_unavailable", "None could be fetched.")
    assert [moment["state"] for moment in job["timeline"]] == ["available", "executing", "discarded"]
    assert job["completed_at"]
    worker = named(await owner.get("/jobs/workers"), "catalog_sync")
    assert worker["counts"]["failed_24h"] == 1
    assert "active_failure" in worker["attention"]
    assert worker["last_run"]["duration_ms"] >= 2000
    assert [run["state"] for run in worker["history"]] == ["discarded"]


async def test_jobs_are_listed_newest_first_by_state_and_kind(owner: Browserless, database: Database) -> None:
    queue = Queue(database)
    ids = [str((await queue.enqueue("usage_poll", key=str(number))).id) for number in range(5)]
    first = await owner.get("/jobs?limit=3")
    rest = await owner.get(f"/jobs?limit=3&cursor={first['page']['next_cursor']}")
    assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
    assert rest["page"]["next_cursor"] is None
    await set_status(database, int(ids[0]), "doing", "succeeded")
    assert [job["id"] for job in (await owner.get("/jobs?state=completed&state=executing"))["items"]] == ids[:1]
    assert (await owner.get("/jobs?worker=retention"))["items"] == []
    assert (await owner.call("GET", "/jobs?cursor=x"))[1]["code"] == "invalid_cursor"
    assert (await owner.call("GET", "/jobs/x"))[0] == 404
    assert (await owner.call("GET", "/jobs/99999"))[0] == 404


async def test_a_job_is_retried_cancelled_and_let_go(owner: Browserless, database: Database) -> None:
    queue = Queue(database)
    later = await queue.enqueue("retention", at=datetime.now(UTC) + timedelta(hours=1))
    assert (await owner.get(f"/jobs/{later.id}"))["state"] == "scheduled"
    assert (await owner.post(f"/jobs/{later.id}/retry"))["state"] == "available"
    assert (await owner.post(f"/jobs/{later.id}/cancel"))["state"] == "cancelled"
    status, problem = await owner.call("POST", f"/jobs/{later.id}/cancel")
    assert (status, problem["code"]) == (409, "invalid_state_transition")

    failed = await queue.enqueue("retention")
    await set_status(database, failed.id, "doing", "failed")
    assert (await owner.post(f"/jobs/{failed.id}/retry"))["state"] == "retryable"
    await set_status(database, failed.id, "doing", "failed")
    await queue.enqueue("retention")
    status, problem = await owner.call("POST", f"/jobs/{failed.id}/retry")
    assert (status, problem["code"]) == (409, "job_already_queued")
    assert (await owner.post(f"/jobs/{failed.id}/discard"))["attention"] is None

    running = await queue.enqueue("usage_poll")
    await set_status(database, running.id, "doing")
    job = await owner.post(f"/jobs/{running.id}/cancel")
    assert (job["state"], job["stopping"], job["allowed_actions"]) == ("executing", True, [])


async def test_a_job_about_an_account_names_it(
    owner: Browserless, database: Database, make_auth_json: Callable[..., dict[str, Any]]
) -> None:
    pool = await owner.post("/pools", {"name": "Team"})
    body = {"pool_id": pool["id"], "auth_json": make_auth_json(), "label": "anna"}
    account = (await owner.post("/upstreams/import", body))["account"]
    queued = await Queue(database).enqueue("usage_poll", key=account["id"], account_id=account["id"])
    job = await owner.get(f"/jobs/{queued.id}")
    assert job["target"] == {"type": "account", "id": account["id"], "label": "anna"}


async def test_only_owners_see_jobs(make_script: MakeScript) -> None:
    admin = await make_script("instance_admin")
    assert (await admin.call("GET", "/jobs/workers"))[0] == 403
    assert (await admin.call("POST", "/jobs/workers/usage_poll/run"))[0] == 403
