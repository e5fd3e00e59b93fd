"""A whole gateway in this process, in front of the simulated backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from codex_pooler.app import listening, web_app
from codex_pooler.config import Config
from codex_pooler.operators.commands import create_first_owner, create_token
from codex_pooler.process import Process, process
from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import World, new_world

OWNER = "owner@example.com"
PASSWORD = "correct horse battery"
ERRANDS = ("/backend-api/codex/models", "/backend-api/wham/usage")


@dataclass
class Gateway:
    """The running gateway as its clients see it, and the world behind it."""

    origin: str
    key: str
    pool_id: str
    token: str
    process: Process
    world: World
    backend: str
    http: aiohttp.ClientSession

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call the admin API; the decoded answer of a call that must succeed."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, f"{self.origin}/api/admin/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status < 300, text
            return await answer.json() if text else None

    def turn(self, prompt: str = "Reply with exactly: ok", *, stream: bool = True, **more: Any) -> Any:
        """``async with gateway.turn() as answer``."""
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        body = {"model": "gpt-5.5", "input": [message], "stream": stream, "store": False, **more}
        return self.http.post(f"{self.origin}/backend-api/codex/responses", json=body, headers=headers)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the simulator's control interface."""
        async with self.http.request(method, f"{self.backend}/__control{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def arrived(self) -> list[Any]:
        """What clients made the gateway send; of models and usage it asks the backend by itself."""
        arrivals = (await self.control("GET", "/record"))["arrivals"]
        return [one for one in arrivals if one["path"] not in ERRANDS]

    async def fault(self, account: str, name: str, times: int = 1, **more: Any) -> None:
        await self.control("POST", "/faults", {"account": account, "fault": name, "times": times, **more})

    async def apart(self, name: str) -> Gateway:
        """A pool of its own in the same process: fresh accounts ``{name}-1`` and ``{name}-2``, of which the first
        always goes first, and a key."""
        pool = await self.admin("POST", "/pools", {"name": name, "strategy": "fill_first"})
        for number in (1, 2):
            account = self.world.add_account(f"{name}-{number}")
            body = {"pool_id": pool["id"], "auth_json": self.world.auth_json(account), "label": account.name}
            await self.admin("POST", "/upstreams/import", body)
        key = await self.admin("POST", "/api-keys", {"name": name, "pool_id": pool["id"]})
        return replace(self, key=key["secret"], pool_id=pool["id"])

    async def log(self) -> list[Any]:
        """Every stored row, newest first, once all that ended has been stored."""
        await self.process.writer.drain()
        page = await self.admin("GET", "/request-logs?limit=200")
        return [await self.admin("GET", f"/request-logs/{item['id']}") for item in page["items"]]


@pytest.fixture
async def gateway(dsn: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Two accounts in one pool; ``acct-1`` always goes first."""
    async with opened(dsn, tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(dsn: str, folder: Path, accounts: int = 2) -> AsyncIterator[Gateway]:
    """A gateway with so many accounts in its only pool."""
    world = new_world(seed=7, accounts=accounts)
    async with running(world) as backend, aiohttp.ClientSession() as http:
        config = Config(state_dir=folder, secret_key="s" * 32, chatgpt_url=backend, auth_url=backend)
        async with process(config, dsn) as house, listening(web_app(house), "127.0.0.1", 0) as port:
            made = await _set_up(house, world, f"http://127.0.0.1:{port}", backend, http)
            yield made


async def _set_up(house: Process, world: World, origin: str, backend: str, http: aiohttp.ClientSession) -> Gateway:
    database, keyring = house.context.database, house.context.keyring
    await create_first_owner(database, keyring, OWNER, "Owner", PASSWORD)
    token = await create_token(database, keyring, OWNER, "tests", 1)
    gateway = Gateway(origin, "", "", token, house, world, backend, http)
    pool = await gateway.admin("POST", "/pools", {"name": "Team", "strategy": "fill_first"})
    for account in world.accounts.values():
        body = {"pool_id": pool["id"], "auth_json": world.auth_json(account), "label": account.name}
        await gateway.admin("POST", "/upstreams/import", body)
    key = await gateway.admin("POST", "/api-keys", {"name": "tests", "pool_id": pool["id"]})
    return replace(gateway, key=key["secret"], pool_id=pool["id"])
