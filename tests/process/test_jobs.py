"""Roles as processes of their own: who leads, what becomes of the job of a killed worker, and of the database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.process.served import Installation, Served, environment, free_port, serving, start, until

PRICES = {"models": {"m": {"prices": {"standard": {"default": {"input": 1, "output": 1}}}}}}


@dataclass
class Publisher:
    """A price list that is not answered before it may be."""

    url: str
    asked: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.may_answer.wait()
        return web.json_response(PRICES)


@asynccontextmanager
async def publishing() -> AsyncIterator[Publisher]:
    app, publisher = web.Application(), Publisher("")
    app.router.add_get("/prices.json", publisher.answer)
    async with TestServer(app) as server:
        publisher.url = str(server.make_url("/prices.json"))
        try:
            yield publisher
        finally:
            publisher.may_answer.set()


@contextmanager
def colleague(served: Served, role: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process of the same installation, in a role of its own."""
    more = {name: value for name, value in served.environ.items() if name.endswith("_URL")}
    installation = served.installation
    environ = environment(
        installation.state,
        **more,
        DATABASE_URL=installation.dsn,
        CODEX_POOLER_ROLE=role,
        CODEX_POOLER_HTTP_PORT=str(free_port()),
    )
    process = start(environ, Path(f"{served.log}.{role}"))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def leaders(installation: Installation) -> list[int]:
    """The process ids of those that lead something, or did when they were last heard of."""
    return [row["pid"] for row in installation.rows("SELECT pid FROM nodes WHERE leads <> '{}' ORDER BY pid")]


def queued(installation: Installation, name: str) -> bool:
    """Whether such a job waits."""
    waiting = installation.rows("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'")
    return any(row["task_name"] == name for row in waiting)


async def admin(served: Served, method: str, path: str, body: Any = None) -> Any:
    """An answer of the admin API, which must be a good one."""
    headers = {"Authorization": f"Bearer {served.installation.token}"}
    async with served.http.request(method, f"{served.origin}/api/admin/v1{path}", json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def job_is(served: Served, job_id: str, state: str) -> Any:
    """Wait until it is in this state; the job."""
    async with asyncio.timeout(300):
        while (job := await admin(served, "GET", f"/jobs/{job_id}"))["state"] != state:
            await asyncio.sleep(0.1)
    return job


async def test_scenario_46_killing_the_leader_lets_the_other_scheduler_lead(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_ROLE="web") as served:
        with ExitStack() as stack:
            schedulers = {(made := stack.enter_context(colleague(served, "scheduler"))).pid: made for _ in range(2)}
            (first,) = await until(lambda: leaders(installation), "nobody leads")
            leading = schedulers.pop(first)
            leading.kill()
            leading.wait()
            await until(lambda: schedulers.keys() <= set(leaders(installation)), "nobody took over")


async def test_scenario_48_the_job_of_a_killed_worker_runs_again(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_ROLE="web") as served, publishing() as publisher:
        values = {"values": {"openai_pricing_url": publisher.url}}
        await admin(served, "PATCH", "/settings/catalog", values)
        await until(lambda: queued(installation, "pricing_import"), "the web process never wanted the prices")
        with colleague(served, "scheduler"), colleague(served, "worker") as worker:
            await until(lambda: publisher.asked, "the prices were never asked for")
            (job,) = (await admin(served, "GET", "/jobs?worker=pricing_import&state=executing"))["items"]
            assert job["attempt"] == 1
            worker.kill()
            worker.wait()
            installation.rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '61 s' RETURNING 1")
            await job_is(served, job["id"], "retryable")
            publisher.may_answer.set()
            with colleague(served, "worker"):
                done = await job_is(served, job["id"], "completed")
            assert done["attempt"] == 2
            assert done["error"]["code"] == "worker_lost"


async def test_jobs_run_again_once_the_database_is_back(installation: Installation) -> None:
    async with serving(installation) as served:
        first = (await admin(served, "POST", "/jobs/workers/usage_poll/run"))["job"]["id"]
        await job_is(served, first, "completed")
        os.kill(installation.postmaster(), signal.SIGKILL)
        await served.readiness("degraded")
        status, problem = await served.get("/api/admin/v1/jobs/workers")
        assert (status, problem["code"]) == (503, "database_unavailable")
        await served.readiness("ok")
        second = (await admin(served, "POST", "/jobs/workers/token_refresh/run"))["job"]["id"]
        await job_is(served, second, "completed")


async def test_a_process_that_takes_no_turns_shows_only_its_health(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_ROLE="worker") as served:
        assert (await served.get("/readyz"))[1]["status"] == "ok"
        async with served.http.get(f"{served.origin}/pools") as answer:
            assert answer.status == 404
        async with served.http.get(f"{served.origin}/api/admin/v1/pools") as answer:
            assert answer.status == 404
