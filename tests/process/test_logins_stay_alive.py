"""Logins outlive everything that happens to the processes that renew them.

With ``ENDURANCE_HOURS`` and ``ENDURANCE_ACCOUNTS`` it is a whole day of a large team; by itself it is two hours of a
small one.  An hour takes 20 seconds, and an access token lives for three of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg2
import pytest

from codex_pooler.accounts.logins import Logins
from codex_pooler.config import load
from codex_pooler.process.installation import keyring_of
from codex_pooler.simulator.app import running
from codex_pooler.simulator.faults import ANY_ACCOUNT, PRESETS, Order
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.database import Database
from codex_pooler.storage.embedded import EmbeddedPostgres
from codex_pooler.storage.secret_spool import SecretSpool
from tests.process.served import SEED, Installation, Served, end, environment, free_port, install, start, until

HOUR_SECONDS = 20.0
TOKEN_HOURS = 3.0
LEASES_END_SECONDS = 400.0  # the lease of a process that was killed while it renewed a login keeps others away
# What goes wrong at the sign-in server: before it has spent a token, or by answering late that it has.
FAILURES = (
    "server_error",
    "bad_gateway",
    "unavailable",
    "bare_429",
    "challenge",
    "malformed_error",
    "slow_headers",
    "slow_answer",
    "reset_before_headers",
)
STATES = "SELECT label, state, state_reason, credential_epoch FROM accounts"


@dataclass(frozen=True)
class Plan:
    """How long, with how many accounts, and from which choices."""

    hours: float
    accounts: int
    seed: int


@pytest.fixture
def plan() -> Plan:
    seed = int(os.environ.get("ENDURANCE_SEED") or random.SystemRandom().randrange(1_000_000))
    hours, accounts = os.environ.get("ENDURANCE_HOURS", "2"), os.environ.get("ENDURANCE_ACCOUNTS", "5")
    return Plan(float(hours), int(accounts), seed)


@dataclass
class Scene:
    """Two gateways of one installation, the world behind them, and what was done to them."""

    plan: Plan
    installation: Installation
    server: EmbeddedPostgres
    world: World
    gateways: list[Served]
    chance: random.Random
    logged_out: set[str] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)

    async def hours(self, least: float, most: float) -> None:
        await asyncio.sleep(self.chance.uniform(least, most) * HOUR_SECONDS)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """The database, run by the test as somebody's own PostgreSQL would be."""
    made = EmbeddedPostgres(folder / "state")
    yield made
    made.stop()


@asynccontextmanager
async def two_gateways(
    installation: Installation, server: EmbeddedPostgres, world: World, plan: Plan
) -> AsyncIterator[Scene]:
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with running(world) as backend, aiohttp.ClientSession(connector=connector) as http:
        urls = {"CODEX_POOLER_CHATGPT_URL": backend, "CODEX_POOLER_AUTH_URL": backend, "DATABASE_URL": server.dsn}
        gateways = []
        for name in ("a", "b"):
            port, log = free_port(), installation.state.parent / f"{name}.log"
            environ = environment(installation.state, CODEX_POOLER_HTTP_PORT=str(port), **urls)
            process = start(environ, log)
            gateways.append(Served(installation, process, port, environ, log, world, http))
        try:
            for gateway in gateways:
                await gateway.ready()
            yield Scene(plan, installation, server, world, gateways, random.Random(plan.seed))
        finally:
            for gateway in gateways:
                await end(gateway.process)


async def kill_gateways(scene: Scene) -> None:
    while True:
        await scene.hours(0.4, 1.6)
        scene.chance.choice(scene.gateways).kill()
        scene.seen["kills"] += 1


async def start_again(scene: Scene) -> None:
    """As a service manager does with whatever has ended: killed, or started while the database was away."""
    while True:
        for gateway in scene.gateways:
            if gateway.process.poll() is not None:
                gateway.process = start(gateway.environ, gateway.log)
        await asyncio.sleep(1.0)


async def take_the_database_away(scene: Scene) -> None:
    while True:
        await scene.hours(1.0, 4.0)
        os.kill(scene.installation.postmaster(), signal.SIGKILL)
        scene.seen["outages"] += 1
        try:
            await scene.hours(0.1, 0.5)
        finally:
            await asyncio.to_thread(scene.server.start)


async def spoil_renewals(scene: Scene) -> None:
    while True:
        await scene.hours(0.1, 0.4)
        fault = PRESETS[scene.chance.choice(FAILURES)]
        scene.world.faults.add(Order(ANY_ACCOUNT, "token", fault, left=scene.chance.randint(1, 3)))
        scene.seen["failures"] += 1


async def log_accounts_out(scene: Scene) -> None:
    """About one of twenty-five, at any time."""
    names = sorted(scene.world.accounts)
    for name in scene.chance.sample(names, max(1, len(names) // 25)):
        await scene.hours(0.2, scene.plan.hours / 2)
        scene.world.accounts[name].logged_out = True
        scene.logged_out.add(name)
    await asyncio.Event().wait()


async def is_served(gateway: Served) -> bool:
    """False while all tokens have expired; whatever else goes wrong with a turn breaks the test.

    A day is shorter here than elsewhere, and the leases that killed processes leave behind are not: they may outlast
    all tokens.
    """
    try:
        await gateway.turn()
    except AssertionError as exc:
        if '"excluded":{"token_expired":' not in str(exc):
            raise
        return False
    return True


async def use(scene: Scene) -> None:
    """Somebody who works all day; a gateway that was just killed is asked again."""
    while True:
        try:
            served = await is_served(scene.chance.choice(scene.gateways))
            scene.seen["turns" if served else "turns without a token"] += 1
        except (aiohttp.ClientError, OSError):
            scene.seen["killed turns"] += 1
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.3)


async def pass_time(scene: Scene, *lives: Callable[[Scene], Awaitable[None]]) -> None:
    """Let everything happen for as long as planned; whatever breaks by itself breaks the test."""
    tasks = [asyncio.ensure_future(live(scene)) for live in lives]
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=scene.plan.hours * HOUR_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def states(scene: Scene) -> dict[str, Any]:
    with suppress(psycopg2.Error):
        return {row["label"]: row for row in scene.installation.rows(STATES)}
    return {}


def lost(scene: Scene) -> set[str]:
    return {label for label, row in states(scene).items() if row["state"] == "reauth_required"}


def is_all_known(scene: Scene) -> bool:
    return lost(scene) >= scene.logged_out and min(renewals(scene), default=0) > 0


def renewals(scene: Scene) -> list[int]:
    """How often each login was renewed that was not logged out."""
    return [row["credential_epoch"] - 1 for label, row in states(scene).items() if label not in scene.logged_out]


def account_book(scene: Scene) -> str:
    """What is stored of each account, for whoever has to find out what went wrong."""
    rows = states(scene).values()
    told = (f"{row['label']} {row['state']} ({row['state_reason']}) epoch {row['credential_epoch']}" for row in rows)
    return f"seed {scene.plan.seed}, logged out {sorted(scene.logged_out)}\n" + "\n".join(told)


async def newest_everywhere(scene: Scene) -> dict[str, bool]:
    """Whether the refresh token that is stored is the one that the sign-in server waits for, by account."""
    environ = scene.gateways[0].environ
    config, found = load(environ), {}
    database = await Database.open(environ["DATABASE_URL"])
    logins = Logins(database, keyring_of(config).upstream, SecretSpool(config.state_dir / "spool"))
    assert logins.kept.all() == []
    for row in scene.installation.rows("SELECT id, label FROM accounts"):
        login = await logins.current(row["id"])
        claims = scene.world.mint.read_refresh(login.refresh_token) if login else None
        assert claims
        known = scene.world.generations.get((claims.account, claims.lineage), claims.generation)
        found[row["label"]] = known == claims.generation
    await database.close()
    return found


async def test_no_login_is_lost_to_kills_outages_and_failing_renewals(
    folder: Path, server: EmbeddedPostgres, plan: Plan
) -> None:
    world = new_world(seed=SEED, accounts=plan.accounts)
    world.settings.access_lifetime_s = TOKEN_HOURS * HOUR_SECONDS
    installation = await install(folder, world)
    await asyncio.to_thread(server.start)
    async with two_gateways(installation, server, world, plan) as scene:
        everything = (kill_gateways, take_the_database_away, spoil_renewals, log_accounts_out, use)
        await pass_time(scene, start_again, *everything)
        scene.world.faults.clear()
        for gateway in scene.gateways:
            if gateway.process.poll() is not None:
                await gateway.restart()
            await gateway.ready()
            await gateway.readiness("ok")
            async with asyncio.timeout(LEASES_END_SECONDS):
                while not await is_served(gateway):
                    await asyncio.sleep(1.0)
        with suppress(AssertionError):
            await until(lambda: is_all_known(scene), "", LEASES_END_SECONDS)
        assert is_all_known(scene), f"a logout was never noticed, or a login never renewed: {account_book(scene)}"
    assert lost(scene) == scene.logged_out, states(scene)
    assert scene.world.record.reused_refresh_tokens == []
    newest = await newest_everywhere(scene)
    assert [name for name, is_newest in newest.items() if not is_newest] == []
    happened = f"seed {plan.seed}: {dict(scene.seen)}, {sum(renewals(scene))} renewals"
    print(f"\n{happened}, logged out {sorted(scene.logged_out)}", file=sys.stderr)  # noqa: T201
    assert scene.seen["turns"] > 0
