"""What must survive: networks that fail in every way, backends that go silent, clients that vanish, and a database
that has no connection left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any

import aiohttp
import orjson
import pytest

from codex_pooler.gateway import budgets, drain
from codex_pooler.gateway.house import House
from codex_pooler.protocol.websocket import accept_key
from codex_pooler.upstream import websocket as upstream
from codex_pooler.upstream.pool import ConnectionPool
from tests.integration.clients import RESPONSES, TRANSPORTS, over_http, over_websocket, spoken
from tests.integration.test_routing import served
from tests.integration.whole import Gateway


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else can take."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_f1_a_reset_before_headers_is_one_attempt_and_nothing_of_it_is_seen(
    gateway: Gateway, transport: str
) -> None:
    await gateway.fault("acct-1", "reset_before_headers")
    told = await TRANSPORTS[transport](gateway, "Reply with exactly: ok")
    assert (told.end, told.text) == ("response.completed", "ok")
    (row,) = await gateway.log()
    first, second = row["attempt_log"]
    assert (first["outcome"], first["error_code"], first["http_status"]) == ("failed_over", "upstream_reset", None)
    assert (second["outcome"], row["usage"]["state"]) == ("served", "final")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_f4_a_network_that_is_down_is_not_the_accounts_fault(
    gateway: Gateway, transport: str, closed_port: int
) -> None:
    house = gateway.process.house
    good, refused = house.backend, ConnectionPool(f"http://127.0.0.1:{closed_port}")
    late = ConnectionPool(gateway.backend)
    late.connect_seconds = 0.0
    no_tls = ConnectionPool(gateway.backend.replace("http://", "https://"))
    for broken, code in ((refused, "connect"), (late, "connect_timeout"), (no_tls, "tls")):
        house.backend = broken
        told = await TRANSPORTS[transport](gateway, "hello")
        assert (told.end, told.events[-1]["status"], told.error_code) == ("error", 502, "upstream_request_failed")
        assert f"upstream_{code}_failed (2 accounts were tried)" in told.events[-1]["error"]["message"]
    house.backend = good
    assert await served(gateway) == "acct-1", "no account is blamed"
    assert {row["error_code"] for row in await gateway.log() if row["status"] == "failed"} == {
        "upstream_connect_failed",
        "upstream_connect_timeout_failed",
        "upstream_tls_failed",
    }


async def test_f6_a_backend_that_is_gone_without_a_word_is_noticed_by_its_silence(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first account's turns go to a peer that takes everything and never says anything again."""
    monkeypatch.setattr(upstream, "PING_SECONDS", 0.3)
    monkeypatch.setattr(upstream, "PONG_SECONDS", 0.3)
    async with _mute_after_upgrade() as port:
        house = gateway.process.house
        good, house.backend = house.backend, ConnectionPool(f"http://127.0.0.1:{port}")
        turn = asyncio.create_task(over_websocket(gateway, "Reply with exactly: ok"))
        await _until_running(house)
        house.backend = good
        told = await turn
    assert told.end in ("response.completed", "error")
    (row,) = await gateway.log()
    assert row["attempt_log"][0]["error_code"] == "upstream_unresponsive"
    assert row["attempt_log"][0]["duration_ms"] < 5_000


@asynccontextmanager
async def _mute_after_upgrade() -> AsyncIterator[int]:
    """A server that upgrades and then neither reads nor writes."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        accept = accept_key(key)
        lines = (
            "HTTP/1.1 101 X",
            "upgrade: websocket",
            "connection: Upgrade",
            f"sec-websocket-accept: {accept}",
            "",
            "",
        )
        writer.write("\r\n".join(lines).encode())
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def _until_running(house: House) -> None:
    async with asyncio.timeout(10):
        while not house.running:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _halfway(gateway: Gateway, transport: str) -> AsyncIterator[Any]:
    """A turn of which the first output has been read; the body leaves it there."""
    body, headers = spoken("Say 30 words"), {"Authorization": f"Bearer {gateway.key}"}
    if transport == "http":
        url = gateway.origin + RESPONSES
        async with gateway.http.post(url, json={**body, "stream": True}, headers=headers) as answer:
            while b".delta" not in await answer.content.readline():
                pass
            yield answer
        return
    async with gateway.http.ws_connect(gateway.origin + RESPONSES, headers=headers) as talk:
        await talk.send_str(orjson.dumps({"type": "response.create", **body}).decode())
        while b".delta" not in (await talk.receive(10)).data.encode():
            pass
        yield talk


async def _vanish(client: Any) -> None:
    """Without a goodbye."""
    if isinstance(client, aiohttp.ClientResponse):
        client.close()
    else:
        client._response.connection.transport.abort()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_f8_a_client_that_vanishes_is_settled_with_what_its_turn_spent(gateway: Gateway, transport: str) -> None:
    gateway.world.settings.pacing_ms = 20
    async with _halfway(gateway, transport) as client:
        await _vanish(client)
    row = await _settled(gateway)
    spent = gateway.world.record.totals["acct-1"]
    assert (row["status"], row["usage"]["output"]) == ("cancelled", spent.output_tokens)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cap", ["seconds", "number"])
async def test_f8_nobody_reads_on_for_ever(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, transport: str, cap: str
) -> None:
    if cap == "seconds":
        monkeypatch.setattr(budgets, "DRAIN", 0.5)
    else:
        monkeypatch.setattr(drain, "MOST_AT_ONCE", 0)
    await gateway.fault("acct-1", "stall_after_output")
    async with _halfway(gateway, transport) as client:
        await _vanish(client)
    row = await _settled(gateway)
    assert (row["status"], row["error_code"], row["usage"]["state"]) == ("cancelled", "client_disconnected", "missing")


async def _settled(gateway: Gateway) -> Any:
    """The one row, once it is there; by then nothing is held any more."""
    house = gateway.process.house
    async with asyncio.timeout(10):
        while not (rows := await gateway.log()):
            await asyncio.sleep(0.05)
    await house.settle_down()
    assert (house.known.leases.total(), len(house.draining), len(house.running)) == (0, 0, 0)
    return rows[0]


async def test_f10_a_database_without_a_free_connection_holds_up_no_turn(gateway: Gateway) -> None:
    database = gateway.process.context.database
    async with AsyncExitStack() as held:
        async with asyncio.timeout(5):
            while database.pool.freesize or database.pool.size < (database.pool.maxsize or 0):
                held.push_async_callback(database.pool.release, await database.pool.acquire())
        clients = [client(gateway, "Reply with exactly: ok") for client in TRANSPORTS.values() for _ in range(5)]
        async with asyncio.timeout(8):
            told = await asyncio.gather(*clients)
    assert {(one.end, one.text) for one in told} == {("response.completed", "ok")}
    assert len(await gateway.log()) == 10, "and its row is stored as soon as that is possible"


async def test_a_backend_that_answers_with_rubbish_is_an_account_that_fails(gateway: Gateway) -> None:
    """Garbage in a frame or an event ends the attempt; it neither reaches the client nor stops the process."""
    rubbish = {"kind": "not_sse", "body": "\x00\xff{", "transports": ["http"]}
    await gateway.control("POST", "/faults", {"account": "acct-1", "fault": rubbish, "times": 1})
    assert (await over_http(gateway, "Reply with exactly: ok")).text == "ok"
