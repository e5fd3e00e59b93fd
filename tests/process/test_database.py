"""What turns notice when PostgreSQL is killed: nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from codex_pooler.storage.embedded import EmbeddedPostgres
from tests.process.served import Installation, serving, until
from tests.process.test_kill import assert_rollup_agrees

AWAY_SECONDS = 10.0
TURNS = 20


@pytest.fixture
def server(installation: Installation) -> Iterator[EmbeddedPostgres]:
    """The installation's database, run by the test as somebody's own PostgreSQL would be."""
    made = EmbeddedPostgres(installation.state)
    made.start()
    yield made
    made.stop()


async def test_postgres_may_be_away_for_ten_seconds_under_load(
    installation: Installation, server: EmbeddedPostgres
) -> None:
    async with serving(installation, DATABASE_URL=server.dsn) as served:
        (across,) = await served.begin_turns(1)
        os.kill(installation.postmaster(), signal.SIGKILL)
        await served.readiness("degraded")
        for _ in range(TURNS):
            await asyncio.gather(served.turn("Say 9 words"), asyncio.sleep(AWAY_SECONDS / TURNS))
        await across
        assert (await served.get("/readyz"))[1] == {"status": "degraded", "database": "unavailable"}
        status, problem = await served.get("/api/admin/v1/pools")
        assert (status, problem["code"]) == (503, "database_unavailable")
        assert served.process.poll() is None
        assert installation.spooled() > 0

        server.start()
        await served.readiness("ok")
        await served.turn()
        rows = await served.rows(TURNS + 2)
        assert [row["status"] for row in rows] == ["succeeded"] * (TURNS + 2)
        assert_rollup_agrees(installation, rows)
        assert (await served.get("/api/admin/v1/pools"))[0] == 200


async def test_the_embedded_server_is_started_again_when_it_is_killed(installation: Installation) -> None:
    async with serving(installation) as served:
        killed = installation.postmaster()
        os.kill(killed, signal.SIGKILL)
        back = asyncio.create_task(until(lambda: installation.postmaster() != killed, "nobody started it again"))
        done = 0
        while not back.done():
            await served.turns(3)
            done += 3
        await back
        await served.readiness("ok")
        await served.turn()
        rows = await served.rows(done + 1)
        assert [row["status"] for row in rows] == ["succeeded"] * (done + 1)
        assert_rollup_agrees(installation, rows)
