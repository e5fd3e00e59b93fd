"""Clients that break the websocket protocol, or use it against the gateway: each is ended with the right code, and
nobody else notices."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import pytest

from codex_pooler.protocol import websocket as ws
from codex_pooler.protocol.websocket import MAX_FRAGMENTS, MessageReader, close_payload, masked_frame
from tests.integration.clients import RESPONSES, over_websocket, spoken
from tests.integration.whole import Gateway

KEY = b"abcd"
TURN = orjson.dumps({"type": "response.create", **spoken("Reply with exactly: ok")})


@dataclass
class Wire:
    """A client's socket, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def closed_with(self) -> int | None:
        """The code of the gateway's goodbye; None when it hung up without one."""
        frames = MessageReader(masked=False)
        async with asyncio.timeout(10):
            while data := await self.reader.read(65536):
                for message in frames.feed(data):
                    if message.opcode == ws.CLOSE:
                        return ws.read_close(message.payload)
        return None


@asynccontextmanager
async def upgraded(gateway: Gateway, key: str | None = None) -> AsyncIterator[Wire]:
    """A socket after its 101."""
    at = urlsplit(gateway.origin)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    head = f"GET {RESPONSES} HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {key or gateway.key}\r\n"
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(f"{head}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
    try:
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer, answer
        yield Wire(reader, writer)
    finally:
        writer.close()


def sent(payload: bytes, opcode: int = ws.TEXT, first: int | None = None) -> bytes:
    """A masked frame; ``first`` replaces its first byte."""
    whole = masked_frame(payload, KEY, opcode)
    return whole if first is None else bytes((first,)) + whole[1:]


BROKEN = {
    "a frame without a mask": (ws.frame(TURN), ws.PROTOCOL_ERROR),
    "a reserved bit": (sent(TURN, first=0xC1), ws.PROTOCOL_ERROR),
    "an opcode that does not exist": (sent(b"x", first=0x83), ws.PROTOCOL_ERROR),
    "a ping in pieces": (sent(b"x", first=0x09), ws.PROTOCOL_ERROR),
    "a ping of 126 bytes": (sent(b"x" * 126, ws.PING), ws.PROTOCOL_ERROR),
    "a continuation of nothing": (sent(b"x", first=0x80), ws.PROTOCOL_ERROR),
    "a message inside a message": (sent(b"x", first=0x01) + sent(b"y"), ws.PROTOCOL_ERROR),
    "4 GiB announced": (b"\x81\xff" + struct.pack("!Q", 4 << 30) + KEY, ws.TOO_BIG),
    "all bits of a length": (b"\x81\xff" + b"\xff" * 8 + KEY, ws.TOO_BIG),
    "endless pieces": (sent(b"", first=0x01) + sent(b"", first=0x00) * (MAX_FRAGMENTS + 1), ws.POLICY),
    "text that is no UTF-8": (sent(b'{"type":"\xff"}'), ws.BAD_TEXT),
    "half a character": (sent(TURN[:-1] + b"\xe2\x82"), ws.BAD_TEXT),
    "a goodbye with 1005": (sent(close_payload(1005), ws.CLOSE), ws.PROTOCOL_ERROR),
    "a goodbye of one byte": (sent(b"\x03", ws.CLOSE), ws.PROTOCOL_ERROR),
    "a binary message": (sent(b"x", ws.BINARY), ws.UNSUPPORTED),
}


async def test_b2_whoever_breaks_the_protocol_is_told_so_and_nothing_travels_on(gateway: Gateway) -> None:
    codes = {}
    for case, (raw, _) in BROKEN.items():
        async with upgraded(gateway) as wire:
            wire.writer.write(raw)
            codes[case] = await wire.closed_with()
    assert codes == {case: code for case, (_, code) in BROKEN.items()}
    assert await gateway.arrived() == []
    assert (await over_websocket(gateway, "Reply with exactly: ok")).text == "ok"


async def test_b2_a_turn_may_come_byte_by_byte_and_in_pieces(gateway: Gateway) -> None:
    half = len(TURN) // 2
    raw = sent(TURN[:half], first=0x01) + sent(b"hello", ws.PING) + sent(TURN[half:], first=0x80)
    frames = MessageReader(masked=False)
    async with upgraded(gateway) as wire, asyncio.timeout(10):
        for start in range(len(raw)):
            wire.writer.write(raw[start : start + 1])
            await asyncio.sleep(0)
        told = b""
        pong = None
        while b"response.completed" not in told:
            for message in frames.feed(await wire.reader.read(65536)):
                pong = message.payload if message.opcode == ws.PONG else pong
                told += message.payload
    assert pong == b"hello"


async def test_b2_without_a_key_there_is_no_socket_to_send_turns_on(gateway: Gateway) -> None:
    with pytest.raises(AssertionError, match="401"):
        async with upgraded(gateway, "sk-cxp-000000000000-" + "x" * 43):
            pass
    at = urlsplit(gateway.origin)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(sent(TURN))
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert await gateway.arrived() == []


FLOODS = {"pings": sent(b"p" * 125, ws.PING), "no turns": sent(b"{}"), "no json": sent(b"no json")}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_b2_who_asks_without_end_and_never_listens_costs_bounded_memory(gateway: Gateway, flood: bytes) -> None:
    async with upgraded(gateway) as wire:
        transport = wire.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        most = 0
        for _ in range(200):
            wire.writer.write(flood * 500)
            await asyncio.sleep(0.005)
            most = max(most, *(_buffered(client) for client in gateway.process.house.clients), 0)
            if transport.is_closing():
                break
        assert most < 2 * 1024 * 1024, f"{most} bytes wait for somebody who does not read"
        assert (await over_websocket(gateway, "Reply with exactly: ok")).text == "ok", "others are served meanwhile"


def _buffered(client: object) -> int:
    """Bytes that wait for this client."""
    return int(client._socket._transport.get_write_buffer_size())  # type: ignore[attr-defined]


async def test_b2_a_second_turn_while_one_runs_gets_an_answer_of_its_own(gateway: Gateway) -> None:
    gateway.world.settings.pacing_ms = 20
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.ws_connect(gateway.origin + RESPONSES, headers=headers) as socket:
        for name in ("first", "second"):
            body = {"type": "response.create", "stream_id": name, **spoken(f"Reply with exactly: {name} of two")}
            await socket.send_str(orjson.dumps(body).decode())
        said = {"first": "", "second": ""}
        left = 2
        while left:
            event = orjson.loads((await socket.receive(10)).data)
            if event["type"] == "response.output_text.delta":
                said[event["stream_id"]] += event["delta"]
            left -= event["type"] == "response.completed"
    assert said == {"first": "first of two", "second": "second of two"}
    turns = [one for one in gateway.world.record.arrivals if one.transport == "websocket"]
    assert len({one.socket for one in turns}) == 2, "one turn at a time on each of the backend's sockets"
