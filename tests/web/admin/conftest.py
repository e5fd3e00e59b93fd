"""The admin API on a real database, with an owner, access tokens, and one browser per fixture."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp.plugin import AiohttpClient

from codex_pooler.operators.commands import create_token
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.queries_log import create_partition
from codex_pooler.storage.tables import operator_pools, operators, requests
from codex_pooler.web.admin.app import admin_app
from codex_pooler.web.admin.live import Broadcaster
from codex_pooler.web.context import WebContext

Client = TestClient[web.Request, Any]
PREFIX = "/api/admin/v1"


class Browserless:
    """A script with an access token; answers are (status, body)."""

    def __init__(self, client: Client, token: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        headers = {**self.headers, **kwargs.pop("headers", {})}
        async with self.client.request(method, PREFIX + path, json=body, headers=headers, **kwargs) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def get(self, path: str, **kwargs: Any) -> Any:
        status, body = await self.call("GET", path, **kwargs)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any = None) -> Any:
        status, answer = await self.call("POST", path, body)
        assert status in (200, 201), answer
        return answer


@pytest.fixture
def broadcaster() -> Broadcaster:
    return Broadcaster(heartbeat_seconds=1.0)


@pytest.fixture
async def client(context: WebContext, broadcaster: Broadcaster, aiohttp_client: AiohttpClient) -> Client:
    """A client whose cookies are kept, as a browser's are."""
    root = web.Application()
    root.add_subapp(PREFIX, admin_app(context, broadcaster))
    return await aiohttp_client(TestServer(root))


MakeOperator = Callable[..., Awaitable[UUID]]


@pytest.fixture
def make_operator(database: Database) -> MakeOperator:
    async def make(email: str, role: str = "instance_owner", pools: tuple[str, ...] = ()) -> UUID:
        identity = uuid7()
        row = {"id": identity, "email": email, "display_name": "Ada L", "password_hash": "-", "role": role}
        async with database.transaction() as session:
            await session.execute(sa.insert(operators).values(**row))
            for pool_id in pools:
                await session.execute(sa.insert(operator_pools).values(operator_id=identity, pool_id=UUID(pool_id)))
        return identity

    return make


MakeScript = Callable[..., Awaitable[Browserless]]


@pytest.fixture
def make_script(client: Client, database: Database, keyring: Keyring, make_operator: MakeOperator) -> MakeScript:
    """An operator of a role, scoped to pools, acting through an access token."""

    async def make(role: str = "instance_owner", *pools: str, scopes: tuple[str, ...] = ()) -> Browserless:
        email = f"{secrets.token_hex(4)}@example.com"
        await make_operator(email, role, pools)
        return Browserless(client, await create_token(database, keyring, email, "test", 1, scopes))

    return make


@pytest.fixture
async def owner(make_script: MakeScript) -> Browserless:
    return await make_script()


@pytest.fixture
async def pool(owner: Browserless) -> Any:
    return await owner.post("/pools", {"name": "Team"})


LogTurns = Callable[..., Awaitable[list[UUID]]]


@pytest.fixture
async def log_partitions(database: Database) -> None:
    """Room for the turns of yesterday, today and tomorrow."""
    today = datetime.now(UTC).date()
    async with database.session() as session:
        for days in (-1, 0, 1):
            await session.run(create_partition(today + timedelta(days=days)))


@pytest.fixture
def log_turns(database: Database, log_partitions: None) -> LogTurns:
    """Write turns into the log, one second apart, the newest first in the answer."""

    async def write(count: int = 1, **columns: Any) -> list[UUID]:
        newest = columns.pop("admitted_at", datetime.now(UTC) - timedelta(seconds=5))
        base = {
            "route": "/backend-api/codex/responses",
            "transport": "http_sse",
            "model": "gpt-5-codex",
            "status": "succeeded",
            "http_status": 200,
            "duration_ms": 900,
            "ttft_ms": 300,
            "input_tokens": 100,
            "cached_tokens": 40,
            "output_tokens": 10,
            "reasoning_tokens": 4,
        }
        ids = [uuid7() for _ in range(count)]
        async with database.transaction() as session:
            for age, identity in enumerate(ids):
                at = newest - timedelta(seconds=age)
                row = {**base, **columns, "id": identity, "admitted_at": at, "completed_at": at + timedelta(seconds=1)}
                await session.execute(sa.insert(requests).values(**row))
        return ids

    return write
