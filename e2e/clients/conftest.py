"""Offers one whole gateway with its database to the tests of this folder, and to each a pool of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from e2e.clients.codex import Codex
from e2e.clients.pool import Pool, new_pool
from e2e.clients.programs import VERSIONS, codex

from codex_pooler.app import listening, web_app
from codex_pooler.config import Config
from codex_pooler.operators.commands import create_first_owner, create_token
from codex_pooler.process import process
from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import new_world
from codex_pooler.storage import migrate
from tests.conftest import cheap, postgres
from tests.integration.whole import OWNER, PASSWORD, Gateway

__all__ = ["cheap", "postgres"]

WAYS = {"http": False, "websocket": True}
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """The gateway and the simulated backend behind it; the program's start takes longer than most tests."""
    migrate.upgrade(postgres)
    world = new_world(seed=7)
    async with running(world) as backend, aiohttp.ClientSession() as http:
        folder = tmp_path_factory.mktemp("gateway")
        config = Config(state_dir=folder, secret_key="s" * 32, chatgpt_url=backend, auth_url=backend)
        async with process(config, postgres) as house, listening(web_app(house), "127.0.0.1", 0) as port:
            database = house.context.database
            await create_first_owner(database, house.context.keyring, OWNER, "Owner", PASSWORD)
            token = await create_token(database, house.context.keyring, OWNER, "tests", 1)
            yield Gateway(f"http://127.0.0.1:{port}", "", "", token, house, world, backend, http)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(shared: Gateway) -> Pool:
    """A pool of this test's own."""
    number = next(_numbers)
    return await new_pool(shared, f"pool-{number}", (f"acct-{number}a", f"acct-{number}b"))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """``http`` or ``websocket``."""
    return str(request.param)


@pytest.fixture
def cli(version: str, way: str, pool: Pool, tmp_path: Path) -> Codex:
    """The Codex CLI of one version over one transport, as the README configures it."""
    home = tmp_path / "home"
    made = Codex(codex(version), version, WAYS[way], home, home / "work", pool.origin, pool.key)
    made.configure()
    return made
