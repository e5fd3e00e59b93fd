"""The backend's storage: where bytes may be brought to, by which door, and how its failures are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from codex_pooler.upstream.blobs import BlobFailed, _ToPublicHost, get_blob, put_blob
from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.routes import route_to
from tests.upstream.proxies import proxying


@dataclass
class Door:
    """The part of an account that matters here."""

    id: UUID
    backend_origin: str | None = None
    proxy_url: str | None = None


@asynccontextmanager
async def storage(*statuses: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers with these statuses in turn, and then with 201; what it was given."""
    answers, given = iter(statuses), []

    async def serve(request: web.Request) -> web.Response:
        given.append(await request.read())
        assert "authorization" not in request.headers
        return web.Response(status=next(answers, 201), body=b"content")

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{rest:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/x?sig=1", given
    finally:
        await runner.cleanup()


@pytest.fixture
def pool() -> ConnectionPool:
    """Of a backend on this machine, whose storage may be here as well."""
    return ConnectionPool("http://127.0.0.1:1")


async def test_bytes_go_there_and_back(pool: ConnectionPool) -> None:
    async with storage() as (url, given):
        await put_blob(pool, Door(uuid4()), url, memoryview(b"data"))
        assert await get_blob(pool, Door(uuid4()), url, 7) == b"content"
        assert given == [b"data", b""]
        with pytest.raises(BlobFailed, match="too_large"):
            await get_blob(pool, Door(uuid4()), url, 6)


async def test_a_passing_failure_is_tried_again_once_and_a_refusal_is_not(pool: ConnectionPool) -> None:
    async with storage(503) as (url, given):
        await put_blob(pool, Door(uuid4()), url, b"data")
        assert given == [b"data"] * 2
    for statuses, reason, asked in (
        ((503, 500), "status_500", 2),
        ((403,), "status_403", 1),
        ((307,), "status_307", 1),
    ):
        async with storage(*statuses) as (url, given):
            with pytest.raises(BlobFailed, match=reason):
                await put_blob(pool, Door(uuid4()), url, b"data")
            assert len(given) == asked


async def test_an_account_behind_a_proxy_uses_no_other_door(pool: ConnectionPool) -> None:
    async with storage() as (url, given), proxying() as proxy:
        await put_blob(pool, Door(uuid4(), proxy_url=proxy.url()), url, b"data")
        assert given == [b"data"]
        assert len(proxy.tunnels) == 1
        with pytest.raises(BlobFailed, match="egress_proxy_failed"):
            await put_blob(pool, Door(uuid4(), proxy_url="http://127.0.0.1:1"), url, b"data")
        assert len(given) == 1


async def test_only_a_backend_on_this_machine_may_have_its_storage_here() -> None:
    away = ConnectionPool("https://backend.example.com")
    async with storage() as (url, given):
        for address in (url, "https://127.0.0.1/x", "https://10.0.0.1/x", "ftp://files.example.com/x"):
            with pytest.raises(BlobFailed, match="address"):
                await put_blob(away, Door(uuid4()), address, b"data")
        assert given == []


async def test_a_name_that_leads_into_a_private_network_is_left_at_once() -> None:
    async with storage() as (url, given):
        route = route_to(url)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _ToPublicHost(UpstreamConnection.abort, route), route.to.host, route.to.port
        )
        assert not connection.usable
        assert given == []
