"""Request bodies in every encoding, within every limit, and what is told when one is broken."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]
import pytest
from aiohttp import web
from backports import zstd

from codex_pooler.snapshot.settings import DEFAULTS, Ingress
from codex_pooler.web import bodies
from codex_pooler.web.errors import answered
from codex_pooler.web.server import Runner
from tests.security.wire import exchange

MIB = 1024 * 1024
PACKED = gzip.compress(b"{}")
ENCODERS: dict[str, Any] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=3),
    "zstd": zstd.compress,
    "GZIP": gzip.compress,
    "identity, zstd": zstd.compress,
}


@dataclass
class Reader:
    """A server that reads bodies and says how long they were; what it last read is ``body``."""

    http: aiohttp.ClientSession
    port: int = 0
    body: bytes = b""
    limit: int = bodies.MAX_BODY_BYTES
    limits: Ingress = DEFAULTS.ingress

    async def read(self, request: web.Request) -> web.StreamResponse:
        async def handler(request: web.Request) -> web.StreamResponse:
            self.body = await bodies.read_body(request, self.limit)
            return web.Response(text=str(len(self.body)))

        return await answered(request, handler)

    async def post(self, data: bytes | AsyncIterator[bytes], *encodings: str) -> tuple[int, str]:
        """The status, and the error's code or the body's length."""
        headers = [("Content-Encoding", encoding) for encoding in encodings]
        sent = io.BytesIO(data) if isinstance(data, bytes) and data else data
        async with self.http.post(f"http://127.0.0.1:{self.port}/", data=sent, headers=headers) as answer:
            text = await answer.text()
            return answer.status, text if answer.status == 200 else json.loads(text)["error"]["code"]


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with aiohttp.ClientSession() as http:
        made = Reader(http)
        app = web.Application()
        app[bodies.LIMITS] = lambda: made.limits
        app.router.add_post("/", made.read)
        runner = Runner(app, drain_seconds=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.port = runner.addresses[0][1]
        yield made
        await runner.cleanup()


@pytest.mark.parametrize("encoding", ENCODERS)
async def test_every_encoding_is_undone(reader: Reader, encoding: str) -> None:
    for data in (b"{}", b'{"a":1}' * 10_000, os.urandom(3 * MIB)):
        assert await reader.post(ENCODERS[encoding](data), encoding) == (200, str(len(data)))
        assert reader.body == data


async def test_plain_bodies_pass_as_they_are(reader: Reader) -> None:
    packed = gzip.compress(b"{}")
    assert await reader.post(packed) == (200, str(len(packed)))
    assert await reader.post(packed, "identity") == (200, str(len(packed)))
    assert await reader.post(b"") == (200, "0")


@pytest.mark.parametrize("encodings", [("gzip, zstd",), ("gzip", "zstd"), ("gzip,gzip",), ("compress",), ("zstd;q=1",)])
async def test_other_and_nested_encodings_are_a_415(reader: Reader, encodings: tuple[str, ...]) -> None:
    assert await reader.post(gzip.compress(zstd.compress(b"{}")), *encodings) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_broken_bodies_are_a_400(reader: Reader, encoding: str) -> None:
    packed = ENCODERS[encoding](os.urandom(600_000))
    for data in (b"", b"{}", packed[:1], packed[:-1], packed[:1000], packed + b"x", b"\xff" * 400_000):
        assert await reader.post(data, encoding) == (400, "invalid_request")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_bombs_are_a_413(reader: Reader, encoding: str) -> None:
    assert await reader.post(ENCODERS[encoding](bytes(32 * MIB)), encoding) == (413, "decompression_ratio_exceeded")
    reader.limit = 2 * MIB
    assert await reader.post(ENCODERS[encoding](os.urandom(MIB) * 4), encoding) == (
        413,
        "compressed_request_too_large" if encoding in ("gzip", "deflate") else "decompressed_request_too_large",
    )


async def test_a_compressed_body_has_a_limit_of_its_own(reader: Reader) -> None:
    reader.limits = replace(reader.limits, max_compressed_body_bytes=1000)

    async def trickled() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield bytes(100)

    assert await reader.post(os.urandom(1001), "gzip") == (413, "compressed_request_too_large")
    assert await reader.post(trickled(), "gzip") == (413, "compressed_request_too_large")
    assert await reader.post(os.urandom(1001)) == (200, "1001")


async def test_decompression_has_its_time(reader: Reader) -> None:
    reader.limits = replace(reader.limits, decompression_timeout_ms=0)
    packed = zstd.compress(os.urandom(3 * MIB))
    assert await reader.post(packed, "zstd") == (408, "request_decompression_timeout")


async def test_an_operator_may_tighten_every_limit(reader: Reader) -> None:
    packed = gzip.compress(bytes(3 * MIB))
    reader.limits = replace(reader.limits, max_decompression_ratio=10_000)
    assert (await reader.post(packed, "gzip"))[0] == 200
    reader.limits = replace(reader.limits, max_decompressed_body_bytes=2 * MIB)
    assert await reader.post(packed, "gzip") == (413, "decompressed_request_too_large")
    reader.limits = replace(reader.limits, max_decompression_ratio=100)
    assert await reader.post(packed, "gzip") == (413, "decompression_ratio_exceeded")
    reader.limits = replace(reader.limits, decompression_algorithms=("zstd",))
    assert await reader.post(packed, "gzip") == (415, "unsupported_content_encoding")
    assert await reader.post(packed, "x-gzip") == (415, "unsupported_content_encoding")
    assert await reader.post(packed) == (200, str(len(packed)))


async def test_a_body_may_come_byte_by_byte(reader: Reader) -> None:
    packed = zstd.compress(b'{"model":"gpt-5.5"}')

    async def trickled() -> AsyncIterator[bytes]:
        for number in range(len(packed)):
            yield packed[number : number + 1]

    assert await reader.post(trickled(), "zstd") == (200, "19")


async def test_others_are_served_while_a_large_body_is_decoded(reader: Reader) -> None:
    packed = gzip.compress(os.urandom(MIB) + bytes(60 * MIB), 1)
    large = asyncio.create_task(reader.post(packed, "gzip"))
    asked = 0
    while not large.done():
        assert await reader.post(b"{}") == (200, "2")
        asked += 1
    assert (await large)[0] == 200
    assert asked > 3


# -- the frame around a body


KEPT = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
CHUNKED = KEPT + b"Connection: close\r\n"
PLAIN = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
FRAMES: dict[str, tuple[bytes, list[int], bytes | None]] = {
    # name -> what is sent, the statuses that come back, the body that was read last
    "trailers": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX-One: a\r\n\r\n", [200], b"{}"),
    "trailers about the frame": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n", [400], None),
    "chunk extensions": (CHUNKED + b'\r\n2;a=b;c="d"\r\n{}\r\n0;e\r\n\r\n', [200], b"{}"),
    "a chunk a byte": (
        CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in b"{} ") + b"0\r\n\r\n",
        [200],
        b"{} ",
    ),
    "a compressed body in chunks": (
        CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED),
        [200],
        b"{}",
    ),
    "a chunk longer than it says": (CHUNKED + b"\r\n2\r\n{}garbage\r\n0\r\n\r\n", [400], None),
    "two encodings in two lines": (
        CHUNKED + b"Content-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        [415],
        None,
    ),
    "two requests": (KEPT + b"\r\n2\r\n{}\r\n0\r\n\r\n" + CHUNKED + b"\r\n1\r\n[\r\n0\r\n\r\n", [200, 200], b"["),
    "a body and one more request": (PLAIN + CHUNKED.replace(b"/ ", b"/x ") + b"\r\n0\r\n\r\n", [200, 404], b"{}"),
}


@pytest.mark.parametrize("case", FRAMES)
async def test_a_frame_is_read_for_what_it_is(reader: Reader, case: str) -> None:
    sent, statuses, body = FRAMES[case]
    reply = await exchange(f"http://127.0.0.1:{reader.port}", sent)
    assert list(map(int, re.findall(rb"HTTP/1\.[01] (\d+)", reply.raw))) == statuses, reply.raw
    assert reply.closed
    if body is not None:
        assert reader.body == body
