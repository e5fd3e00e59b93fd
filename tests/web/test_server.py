"""The server in front of every route: connections that trickle are closed, and the door comes before routing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from codex_pooler.snapshot.networks import network_set
from codex_pooler.snapshot.settings import DEFAULTS
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.web.ingress import DOOR, Door
from codex_pooler.web.server import Runner
from tests.security.wire import exchange

HEAD = b"GET /v1/x HTTP/1.1\r\nHost: x\r\n"
FENCED = replace(DEFAULTS.ingress, firewall_allowlist=network_set(["203.0.113.0/24"]))


async def hello(request: web.Request) -> web.StreamResponse:
    return web.Response(text="hello")


@asynccontextmanager
async def served(door: Door | None = None, first: float = 0.3, keepalive: float = 0.3) -> AsyncIterator[str]:
    """The origin of a server with one route."""
    app = web.Application()
    app.router.add_get("/v1/x", hello)
    if door:
        app[DOOR] = door
    runner = Runner(app, drain_seconds=0.1, first_request_seconds=first, keepalive_seconds=keepalive)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


Attack = Callable[[asyncio.StreamWriter], Coroutine[None, None, None]]


async def silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def half_a_head(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    await asyncio.sleep(60)


async def a_byte_at_a_time(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"a")
        await asyncio.sleep(0.02)


async def trickling_after_an_answer(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n" + HEAD)
    while True:
        writer.write(b"b")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("attack", [silent, half_a_head, a_byte_at_a_time, trickling_after_an_answer])
async def test_f7_a_request_that_never_arrives_is_given_up(
    attack: Attack,
) -> None:
    async with served() as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
        began = time.monotonic()
        attacking = asyncio.create_task(attack(writer))
        try:
            async with asyncio.timeout(10):
                heard = await reader.read()
        except ConnectionResetError:
            heard = b""
        attacking.cancel()
        writer.close()
        assert time.monotonic() - began > 0.2
        assert heard.count(b"HTTP/1.1 ") == heard.count(b"hello")


async def test_a_connection_that_asked_may_stay_longer_than_the_first_request_may_take() -> None:
    async with served(first=0.2, keepalive=30) as origin:
        port = int(origin.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            async with asyncio.timeout(10):
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)
        writer.close()


async def test_the_door_comes_before_routing_bodies_and_100_continue() -> None:
    door = Door(lambda: FENCED, Metrics())
    async with served(door, first=30, keepalive=30) as origin:
        for path in (b"/v1/x", b"/v1/unknown", b"/%76%31/x", b"/mcp"):
            raw = b"POST %b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n" % path
            reply = await exchange(origin, raw, patience=5)
            assert (reply.statuses, reply.closed) == ([403], True), (path, reply.raw)
            assert reply.json["error"]["code"] == "access_denied"
        assert (await exchange(origin, b"GET /healthz HTTP/1.0\r\n\r\n")).statuses == [404], "not fenced, only unknown"


async def test_a_hidden_slash_is_told_in_fixed_words() -> None:
    async with served(Door(lambda: DEFAULTS.ingress, Metrics())) as origin:
        reply = await exchange(origin, b"GET /v1/canary%2Fx HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert reply.statuses == [400]
        assert reply.json["error"]["message"] == "request path is invalid; leave out encoded slashes"
        assert b"canary" not in reply.raw


async def test_a_server_that_stops_waits_for_answers_and_for_no_connection_that_asks_nothing() -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def echo(request: web.Request) -> web.StreamResponse:
        asked.put_nowait(request.path)
        return web.Response(text=await request.text())

    app = web.Application()
    app.router.add_post("/v1/x", echo)
    runner = Runner(app, drain_seconds=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        silent, rested, busy = [await asyncio.open_connection(*runner.addresses[0][:2]) for _ in range(3)]
        head = HEAD.replace(b"GET", b"POST") + b"Content-Length: 4\r\n\r\n"
        rested[1].write(head + b"rest")
        assert (await rested[0].readuntil(b"rest")).startswith(b"HTTP/1.1 200")
        busy[1].write(head + b"bu")
        async with asyncio.timeout(10):
            assert [await asked.get(), await asked.get()] == ["/v1/x", "/v1/x"]
        open_ones = runner.refuse_newcomers(lambda handler: handler)
        assert len(open_ones) == 3
        async with asyncio.timeout(10):
            assert await silent[0].read() == await rested[0].read() == b""
            busy[1].write(b"sy")
            assert (await busy[0].read()).endswith(b"busy")
            await runner.ended(open_ones, 60)
        for _, writer in (silent, rested, busy):
            writer.close()
    finally:
        await runner.cleanup()
