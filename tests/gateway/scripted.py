"""A backend that answers each request with exactly the bytes a test says, and a gateway in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest
from aiohttp import web

from codex_pooler.accounting.journal import Journal
from codex_pooler.gateway.house import House
from codex_pooler.quota.quotas import Quotas
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.model import Account, Key, Member, Pool, Snapshot
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.spool import Spool
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.web.runtime import codex, compact
from codex_pooler.web.runtime.caller import HOUSE, KEYRING
from codex_pooler.web.server import Runner

SECRET = "sk-cxp-0123456789ab-" + "k" * 43
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def event(name: str, **members: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **members}) + b"\n\n"


CREATED = event("response.created", response={"id": "resp_1"})
DELTA = event("response.output_text.delta", delta="hello")
ITEM = event("response.output_item.done", item={"type": "message", "id": "msg_1"})
USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
COMPLETED = event("response.completed", response={"id": "resp_1", "output": [], "usage": USAGE})


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(*events: bytes) -> bytes:
    """A complete response, a chunk an event."""
    return SSE_HEAD + b"".join(map(chunk, events)) + b"0\r\n\r\n"


def says(*parts: bytes, pause: float = 0.0, then: str = "keep") -> Script:
    """Send the parts one by one; ``then`` keep the connection, close it, or reset it."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if then == "close":
            writer.close()
        elif then == "reset":
            writer.transport.abort()

    return script


def refuses(status: int, body: bytes, *headers: str) -> Script:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers, "", ""]
    return says("\r\n".join(lines).encode() + body)


@dataclass
class Backend:
    """``scripts`` are used in order, one a request; ``arrived`` holds (head, body) of each request."""

    scripts: list[Script] = field(default_factory=list)
    arrived: list[tuple[str, bytes]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(int(h.split(":")[1]) for h in head.split("\r\n") if h.startswith("content-length"))
                self.arrived.append((head, await reader.readexactly(length)))
                await self.scripts.pop(0)(writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def accounts(self) -> list[str]:
        """Who was asked, by the token that came."""
        return [head.split("authorization: Bearer token-")[1].split("\r\n")[0] for head, _ in self.arrived]


@dataclass
class Rig:
    """The gateway under test."""

    backend: Backend
    house: House
    http: aiohttp.ClientSession
    url: str
    spool: Spool

    def post(self, *, stream: bool | None = True, **more: Any) -> Any:
        body = {"model": "gpt-5.5", "input": [], **({} if stream is None else {"stream": stream}), **more}
        return self.http.post(self.url, json=body, headers={"Authorization": f"Bearer {SECRET}"})

    def rows(self) -> list[Any]:
        """The final rows written so far."""
        return [orjson.loads(record) for record in self.spool.take(1000)]

    async def settled(self, count: int = 1) -> list[Any]:
        """The final rows, once there are ``count`` of them."""
        async with asyncio.timeout(5):
            while len(rows := self.rows()) < count:
                await asyncio.sleep(0.01)
        return rows


@dataclass
class _Holder:
    current: Snapshot


def two_accounts() -> Snapshot:
    """``a`` always goes before ``b``."""
    members = tuple(
        Member(Account(UUID(int=n), name, "active", f"acc-{name}", f"token-{name}"), priority=-n)
        for n, name in enumerate("ab", 1)
    )
    pool = Pool(uuid4(), "Team", "active", "capacity_weighted", 3, members)
    digest = Keyring(secret=b"s" * 32, upstream={1: b"u" * 32}, totp={1: b"t" * 32}).digest("api_key", SECRET)
    return Snapshot(MappingProxyType({pool.id: pool}), MappingProxyType({digest: Key(uuid4(), "k", pool, "active")}))


@pytest.fixture
async def rig(tmp_path: Path, keyring: Keyring) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        backend = Backend()
        server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
        stack.callback(server.close)
        backend.port = server.sockets[0].getsockname()[1]
        spool = Spool(tmp_path / "spool")
        stack.callback(spool.close)
        pool = ConnectionPool(f"http://127.0.0.1:{backend.port}")
        stack.callback(pool.close)
        known = Known(Health(), Quotas(), Leases(), Bindings())
        holder: Any = _Holder(two_accounts())
        house = House(holder, known, Journal(spool), pool, Metrics())
        app = web.Application(client_max_size=64 << 20)
        app[HOUSE], app[KEYRING] = house, keyring
        app.router.add_post(codex.ROUTE, codex.create_response)
        app.router.add_post(compact.ROUTE, compact.compact)
        runner = Runner(app, drain_seconds=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pulse = asyncio.create_task(house.pulse())
        stack.callback(pulse.cancel)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Rig(backend, house, http, f"http://127.0.0.1:{runner.addresses[0][1]}{codex.ROUTE}", spool)
