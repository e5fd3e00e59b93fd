"""The gateway as its users run it: a process of its own, set up by commands and the REST API, and hurt by signals."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg2
from psycopg2.extras import RealDictCursor

from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.embedded import EmbeddedPostgres
from tests.databases import be_careless

EMAIL, PASSWORD = "owner@example.com", "correct horse battery"
SEED, ACCOUNTS = 7, 2
PATIENCE = 180.0  # seconds; far more than anything here takes, so that only a real failure reaches it
Rows = list[dict[str, Any]]


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that the unprivileged user may pass through, which embedded PostgreSQL runs as under root."""
    folder = Path(tempfile.mkdtemp(prefix="codex-pooler-process-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for state in _states(folder):
            shutil.rmtree(EmbeddedPostgres(state).socket_dir, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _states(folder: Path) -> Iterator[Path]:
    """The state directories below it.  What a killed first start left behind may vanish while it is looked through."""
    for path, below, _ in os.walk(folder):
        if "state" in below:
            yield Path(path, "state")
            below.remove("state")


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(state: Path, **more: str) -> dict[str, str]:
    """What a process of this installation gets to see; nothing of the machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, "CODEX_POOLER_STATE_DIR": str(state), **more}


def start(environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """`codex-pooler serve`, with everything it says in ``log``."""
    with log.open("ab") as file:
        return subprocess.Popen([sys.executable, "-m", "codex_pooler", "serve"], env=environ, stdout=file, stderr=file)


def command(environ: Mapping[str, str], *words: str, given: str = "") -> str:
    """One `codex-pooler` command; what it prints.  Raises CalledProcessError."""
    whole = [sys.executable, "-m", "codex_pooler", *words]
    done = subprocess.run(whole, env=environ, input=given, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return done.stdout.strip()


async def until(holds: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait for a condition; its value.  Fails with ``what`` when it never comes."""
    latest = time.monotonic() + patience
    while time.monotonic() < latest:
        with suppress(OSError, psycopg2.Error):
            if found := holds():
                return found
        await asyncio.sleep(0.05)
    raise AssertionError(what)


@dataclass
class Installation:
    """A state directory with an owner, a token, a pool of two accounts and a pool key in it."""

    state: Path
    token: str
    key: str
    pool_id: str

    def copy(self, folder: Path) -> Installation:
        """The same installation once more, at another place."""
        subprocess.run(["cp", "-a", str(self.state), str(folder / "state")], check=True)
        return Installation(folder / "state", self.token, self.key, self.pool_id)

    @property
    def dsn(self) -> str:
        """Of its embedded server, while that runs."""
        return EmbeddedPostgres(self.state).dsn

    def rows(self, query: str = "SELECT * FROM requests ORDER BY id") -> Rows:
        """What its database holds.  Raises psycopg2.Error while that is away."""
        connection = psycopg2.connect(self.dsn, cursor_factory=RealDictCursor)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def postmaster(self) -> int:
        """The process id of its embedded server, which writes it down in its own time."""
        while not (first := (self.state / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]):
            time.sleep(0.01)
        return int(first)

    def spooled(self) -> int:
        """Bytes in all segments of its journal."""
        return sum(path.stat().st_size for path in (self.state / "spool").glob("*.log"))


@dataclass
class Served:
    """A running gateway and the simulated world behind it."""

    installation: Installation
    process: subprocess.Popen[bytes]
    port: int
    environ: dict[str, str]
    log: Path
    world: World
    http: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def turn(self, prompt: str = "Reply with exactly: ok", **body: Any) -> str:
        """One streamed turn to its end.  Raises aiohttp.ClientError when the stream breaks off."""
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
        body = {"model": "gpt-5.5", "input": [message], "stream": True, "store": False, **body}
        headers = {"Authorization": f"Bearer {self.installation.key}"}
        async with self.http.post(f"{self.origin}/backend-api/codex/responses", json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            assert "event: response.completed" in text
            return text

    async def turns(self, count: int, prompt: str = "Say 9 words") -> None:
        """So many turns at once, all of which must succeed."""
        await asyncio.gather(*(self.turn(prompt) for _ in range(count)))

    def arrived(self) -> int:
        """How many turns have reached the backend."""
        return sum(one.path.endswith("/codex/responses") for one in self.world.record.arrivals)

    async def begin_turns(self, count: int) -> list[asyncio.Task[str]]:
        """Slow turns that have all reached the backend when this returns."""
        before = self.arrived()
        self.world.settings.pacing_ms = 200
        tasks = [asyncio.create_task(self.turn("Say 20 words")) for _ in range(count)]
        await until(lambda: self.arrived() == before + count, "the turns never reached the backend")
        self.world.settings.pacing_ms = 0
        return tasks

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and decoded JSON of a GET with the operator's token, over a connection of its own."""
        headers = {"Authorization": f"Bearer {self.installation.token}", "Connection": "close"}
        async with self.http.get(f"{self.origin}{path}", headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def readiness(self, expected: str) -> None:
        """Wait until /readyz says so."""
        async with asyncio.timeout(PATIENCE):
            while (await self.get("/readyz"))[1]["status"] != expected:
                await asyncio.sleep(0.1)

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()

    async def restart(self) -> None:
        """Start it again on the same port and state."""
        self.process = start(self.environ, self.log)
        await self.ready()

    async def ready(self) -> None:
        """Wait until it answers.  Fails with its log when it ends instead."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True

        await until(answers, "the gateway never answered")

    async def ended(self) -> int:
        """Wait for its exit status."""
        return int(await asyncio.to_thread(self.process.wait, PATIENCE))

    async def rows(self, count: int) -> Rows:
        """All log rows, once there are at least ``count``."""

        def enough() -> Rows:
            rows = self.installation.rows()
            return rows if len(rows) >= count else []

        return list(await until(enough, f"fewer than {count} log rows"))


@asynccontextmanager
async def serving(installation: Installation, world: World | None = None, **more: str) -> AsyncIterator[Served]:
    """The installation served on a free port, in front of a simulated backend in this process."""
    world, port = world or new_world(seed=SEED, accounts=ACCOUNTS), free_port()
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with running(world) as backend, aiohttp.ClientSession(connector=connector) as http:
        urls = {"CODEX_POOLER_CHATGPT_URL": backend, "CODEX_POOLER_AUTH_URL": backend}
        environ = environment(installation.state, CODEX_POOLER_HTTP_PORT=str(port), **urls, **more)
        log = installation.state.parent / "serve.log"
        served = Served(installation, start(environ, log), port, environ, log, world, http)
        try:
            await served.ready()
            yield served
        finally:
            await end(served.process)


async def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process politely, then not so."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.to_thread(process.wait, PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


async def install(folder: Path, world: World | None = None) -> Installation:
    """Set a new installation up as the readme says, with all accounts of the world, and stop it again."""
    installation = Installation(folder / "state", "", "", "")
    async with serving(installation, world) as served:
        be_careless(installation.dsn)
        environ = served.environ
        named = ("--email", EMAIL)
        await asyncio.to_thread(command, environ, "bootstrap", *named, "--password-stdin", given=PASSWORD)
        made = ("token", "create", *named, "--label", "tests", "--days", "1")
        token = await asyncio.to_thread(command, environ, *made)
        pool = await post(served, token, "pools", {"name": "Team"})
        for account in served.world.accounts.values():
            body = {"pool_id": pool["id"], "auth_json": served.world.auth_json(account), "label": account.name}
            await post(served, token, "upstreams/import", body)
        key = await post(served, token, "api-keys", {"name": "tests", "pool_id": pool["id"]})
    return Installation(installation.state, token, key["secret"], pool["id"])


async def post(served: Served, token: str, resource: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Create one thing through the REST API; what it answered."""
    url, headers = f"{served.origin}/api/admin/v1/{resource}", {"Authorization": f"Bearer {token}"}
    async with served.http.post(url, json=dict(body), headers=headers) as answer:
        created: dict[str, Any] = await answer.json()
        assert answer.status == 201, created
        return created
