"""Ending and starting: politely, together with others, and killed at every moment of the very first start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg2
import pytest

from codex_pooler.storage.embedded import EmbeddedPostgres
from tests.process.served import (
    Installation,
    Served,
    end,
    environment,
    free_port,
    serving,
    start,
    until,
)
from tests.process.test_kill import assert_rollup_agrees


def refused(port: int) -> bool:
    """Whether nobody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def alive(process: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def newcomer(served: Served) -> int:
    """What a turn is answered that comes now, over a connection of its own."""
    headers = {"Authorization": f"Bearer {served.installation.key}", "Connection": "close"}
    url = f"{served.origin}/backend-api/codex/responses"
    async with served.http.post(url, json={"model": "gpt-5.5", "input": []}, headers=headers) as answer:
        return answer.status


async def test_scenario_51_sigterm_lets_running_turns_finish_and_takes_no_new_ones(installation: Installation) -> None:
    async with serving(installation) as served:
        running = await served.begin_turns(5)
        served.process.send_signal(signal.SIGTERM)
        await served.readiness("draining")
        assert await newcomer(served) == 503
        assert not any(task.done() for task in running), "the turns are still running at this point"
        await asyncio.gather(*running)
        assert await served.ended() == 0
        assert installation.spooled() == 0
        await served.restart()
        rows = await served.rows(5)
        assert [row["status"] for row in rows] == ["succeeded"] * 5
        assert_rollup_agrees(installation, rows)
        assert "recovered" not in served.log.read_text()


def workers_of(parent: int) -> list[int]:
    """The serving processes of a parent, by process id."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"--worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def listens(process: int, port: int) -> bool:
    """Whether this very process accepts connections on the port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {line[9] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"}
    held = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}
    return any(f"socket:[{inode}]" in held for inode in inodes)


async def two_workers(served: Served, without: int = 0) -> list[int]:
    """Wait until two workers listen, none of which is ``without``."""

    def found() -> list[int]:
        workers = [one for one in workers_of(served.process.pid) if one != without and listens(one, served.port)]
        return workers if len(workers) == 2 else []

    return list(await until(found, "there were never two workers"))


async def test_workers_share_the_port_are_replaced_and_end_with_their_parent(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_WORKERS="2") as served:
        first, second = await two_workers(served)
        running = await served.begin_turns(16)
        os.kill(first, signal.SIGKILL)
        results = await asyncio.gather(*running, return_exceptions=True)
        lost = sum(isinstance(result, Exception) for result in results)
        assert 0 < lost < 16, "both served"
        assert second in await two_workers(served, without=first)
        await served.turns(8)
        rows = await served.rows(24)
        assert sorted(row["status"] for row in rows) == ["interrupted"] * lost + ["succeeded"] * (24 - lost)
        assert_rollup_agrees(installation, rows)

        everything = [*workers_of(served.process.pid), installation.postmaster()]
        served.kill()
        await until(lambda: not any(map(alive, everything)), "something outlived the parent")
        assert refused(served.port)


async def test_two_installations_run_side_by_side(installed: Installation, folder: Path) -> None:
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    async with serving(installed.copy(folder / "one")) as one, serving(installed.copy(folder / "two")) as two:
        await asyncio.gather(one.turns(3), two.turns(2))
        assert len(await one.rows(3)) == 3
        assert len(await two.rows(2)) == 2


async def test_a_port_in_use_is_told_with_what_to_do(installation: Installation) -> None:
    async with serving(installation) as served:
        log = installation.state.parent / "second.log"
        second = start(served.environ, log)
        assert await asyncio.to_thread(second.wait, 60) == 1
        said = log.read_text()
        assert f"cannot listen on 127.0.0.1:{served.port}" in said
        assert "CODEX_POOLER_HTTP_PORT" in said
        assert "Traceback" not in said
        await served.turn()


def has_tables(state: Path) -> bool:
    """Whether migrations have begun to leave something behind."""
    with psycopg2.connect(EmbeddedPostgres(state).dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_class WHERE relname = 'alembic_version'")
        found = cursor.fetchone() is not None
    connection.close()
    return found


def file_of(name: str) -> Callable[[Path], bool]:
    """Whether the new cluster has such a file, wherever it is being made."""
    return lambda state: any(state.glob(f"postgres*/{name}"))


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "initdb began": file_of("PG_VERSION"),
    "initdb has its control file": file_of("global/pg_control"),
    "initdb is nearly done": file_of("base/5/PG_VERSION"),
    "the server starts": file_of("postmaster.pid"),
    "migrations run": has_tables,
}


async def test_a_first_start_may_be_killed_at_any_moment(folder: Path) -> None:
    state, port, log = folder / "state", free_port(), folder / "serve.log"
    environ = environment(state, CODEX_POOLER_HTTP_PORT=str(port), CODEX_POOLER_CHATGPT_URL="http://127.0.0.1:9")
    for name, reached in MOMENTS.items():
        process = start(environ, log)
        await until(partial(reached, state), f"it never came so far: {name}")
        process.kill()
        process.wait()
    for delay in (0.3, 0.6, 1.0):
        process = start(environ, log)
        await asyncio.sleep(delay)
        process.kill()
        process.wait()
    process = start(environ, log)
    try:
        await until(lambda: process.poll() is not None or not refused(port), "it never answered")
        assert process.poll() is None, log.read_text()
        assert "listen_addresses = ''" in (state / "postgres" / "postgresql.auto.conf").read_text()
    finally:
        await end(process)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
async def test_a_killed_first_start_leaves_nothing_running(folder: Path, seconds: float) -> None:
    log = folder / "serve.log"
    environ = environment(folder / "state", CODEX_POOLER_HTTP_PORT=str(free_port()))
    process = start(environ, log)
    await asyncio.sleep(seconds)
    process.kill()
    process.wait()
    await until(lambda: not _processes_about(folder), "something still works in the state directory")


def _processes_about(folder: Path) -> list[str]:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(folder) in line]
