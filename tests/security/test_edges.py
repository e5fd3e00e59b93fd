"""What no client should send: it is refused with fixed words, and nothing of it reaches the backend."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from codex_pooler.web import bodies
from tests.integration.whole import Gateway
from tests.security.wire import exchange

RESPONSES = "/backend-api/codex/responses"
TURN = json.dumps(
    {
        "model": "gpt-5.5",
        "stream": True,
        "store": False,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say 3 words"}]}],
    }
).encode()
SMUGGLED = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % RESPONSES.encode()
FIXED_WORDS = "the request is not valid HTTP/1.1 or one of its headers is malformed or too long"

# name -> header lines and body after the request line, host and key
MALFORMED: dict[str, bytes] = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + SMUGGLED,
    "a list of lengths": b"Content-Length: 0, 90\r\n\r\n" + SMUGGLED,
    "a signed length": b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a folded header": b"X-One: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a line that ends early": b"X-One: a\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "an encoding it does not know": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a NUL in a value": b"X-One: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a header of 70 KB": b"X-One: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a header name of 70 KB": b"a" * 70_000 + b": x\r\nContent-Length: 0\r\n\r\n",
    "too many headers": b"".join(b"X-%d: a\r\n" % n for n in range(400)) + b"Content-Length: 0\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED,
}


async def test_malformed_requests_are_refused_in_fixed_words(gateway: Gateway) -> None:
    head = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n".encode()
    for case, rest in MALFORMED.items():
        reply = await exchange(gateway.origin, head + rest)
        assert reply.closed, f"{case}: the connection may not be used any further"
        assert reply.statuses in ([400], [431]), (case, reply.raw)
        assert reply.json["error"]["message"] == FIXED_WORDS, case
    assert await gateway.arrived() == []


async def test_a_request_line_of_70_kb_is_refused(gateway: Gateway) -> None:
    reply = await exchange(gateway.origin, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert reply.closed
    assert reply.statuses == [400]


ODD_PATHS = ["/..%2f..%2fetc/passwd", "/../../etc/passwd", "/assets/..%2f..%2f..%2fpyproject.toml", "/%00", "/a%00.js"]
ODD_PATHS += ["/..\\..\\etc\\passwd", "/assets/%5c..%5cindex.html", "/.vite/manifest.json", "/assets/"]
ODD_PATHS += ["/" + "a" * 5000, "/%ff%fe", "//etc/passwd"]


async def test_odd_paths_open_nothing(gateway: Gateway) -> None:
    for path in ODD_PATHS:
        raw = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        reply = await exchange(gateway.origin, raw)
        assert reply.statuses in ([404], [400]), (path, reply.raw)
        assert reply.json["error"]["code"] in ("not_found", "invalid_request"), path


UNKNOWN = ["/backend-api/codex/nothing", "/api/nothing", "/mcp/nothing", "/backend-api", "/wham/x"]


async def test_unknown_paths_of_the_interfaces_are_a_small_json_404(gateway: Gateway) -> None:
    for path in UNKNOWN:
        for method in ("GET", "POST", "DELETE"):
            headers = {"Accept": "text/html"}
            async with gateway.http.request(method, gateway.origin + path, headers=headers) as answer:
                body = await answer.json()
            assert (answer.status, body["error"]["code"]) == (404, "not_found"), (method, path)


async def test_the_console_is_for_navigations_only(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.origin}/pools", headers={"Accept": "text/html,*/*"}) as answer:
        assert answer.content_type == "text/html"
        assert_secured(answer.headers)
    for method, accept in (("POST", "text/html"), ("GET", "application/json"), ("GET", "*/*")):
        async with gateway.http.request(method, f"{gateway.origin}/pools", headers={"Accept": accept}) as answer:
            assert (answer.status, answer.content_type) == (404, "application/json")


def assert_secured(headers: Mapping[str, str]) -> None:
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


async def test_answers_of_the_admin_api_are_not_cached_or_sniffed(gateway: Gateway) -> None:
    for page in ("pools", "session", "bootstrap", "openapi.json", "nothing"):
        for headers in ({}, {"Authorization": f"Bearer {gateway.token}"}):
            async with gateway.http.get(f"{gateway.origin}/api/admin/v1/{page}", headers=headers) as answer:
                assert answer.headers["Cache-Control"] == "no-store", (page, answer.status)
                assert answer.headers["X-Content-Type-Options"] == "nosniff", (page, answer.status)


async def test_metrics_are_for_the_machine_itself(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.origin}/metrics") as answer:
        assert answer.status == 200
        assert "codex_pooler_turns_in_flight" in await answer.text()
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"):
        async with gateway.http.get(f"{gateway.origin}/metrics", headers={header: "127.0.0.1"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found"), header


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@asynccontextmanager
async def posted(gateway: Gateway, body: Any, encoding: str | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a turn whose body is these bytes."""
    headers = {"Authorization": f"Bearer {gateway.key}", "Content-Type": "application/json"}
    headers |= {"Content-Encoding": encoding} if encoding else {}
    async with gateway.http.post(gateway.origin + RESPONSES, data=body, headers=headers) as answer:
        yield answer


async def test_compressed_bodies_are_understood(gateway: Gateway) -> None:
    for encoding, packed in ENCODERS.items():
        async with posted(gateway, packed(TURN), encoding) as answer:
            assert "event: response.completed" in await answer.text(), encoding


async def test_bodies_that_do_not_decode_are_a_400(gateway: Gateway) -> None:
    for encoding, pack in ENCODERS.items():
        packed = pack(TURN)
        for body in (packed[: len(packed) // 2], packed[:1], b"\xff" * 300, TURN, b""):
            async with posted(gateway, body, encoding) as answer:
                assert answer.status == 400, (encoding, body)
                assert (await answer.json())["error"]["type"] == "invalid_request_error", (encoding, body)
    assert await gateway.arrived() == []


async def test_the_admin_api_refuses_bodies_that_do_not_decode(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"}
    for encoding in ENCODERS:
        sent = {**headers, "Content-Encoding": encoding}
        url = f"{gateway.origin}/api/admin/v1/pools"
        async with gateway.http.post(url, data=b"\xff" * 300, headers=sent) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "malformed_body"), encoding


def resident_mib() -> float:
    """What this process, gateway included, holds in memory right now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


BOMB = ("decompression_ratio_exceeded", "decompressed_request_too_large")


async def test_a_bomb_is_refused_before_it_is_unpacked(gateway: Gateway) -> None:
    for encoding in ENCODERS:
        bomb = _bomb(encoding, 256)
        before = peak = resident_mib()
        asking = asyncio.create_task(_refused_as_too_large(gateway, io.BytesIO(bomb), encoding, BOMB))
        while not asking.done():
            peak = max(peak, resident_mib())
            await asyncio.sleep(0.005)
        await asking
        assert peak - before < 150, f"{encoding}: hardly more than the limit of 64 MiB may ever be held"


async def _refused_as_too_large(
    gateway: Gateway, body: Any, encoding: str | None = None, codes: tuple[str, ...] = ("request_too_large",)
) -> None:
    async with posted(gateway, body, encoding) as answer:
        assert answer.status == 413, encoding
        assert (await answer.json())["error"]["code"] in codes, encoding


def _bomb(encoding: str, mebibytes: int) -> bytes:
    """So much nothing, packed piece by piece."""
    piece = bytes(1024 * 1024)
    if encoding == "br":
        packer = brotli.Compressor(quality=1)
        return b"".join(packer.process(piece) for _ in range(mebibytes)) + bytes(packer.finish())
    if encoding == "zstd":
        zipper = zstd.ZstdCompressor()
        return b"".join(zipper.compress(piece) for _ in range(mebibytes)) + bytes(zipper.flush())
    form = zlib.compressobj(1, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    return b"".join(form.compress(piece) for _ in range(mebibytes)) + form.flush()


async def test_a_body_over_the_limit_is_refused(gateway: Gateway) -> None:
    head = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
    told = await exchange(gateway.origin, f"{head}Content-Length: {65 * 1024 * 1024}\r\n\r\n".encode())
    assert told.statuses == [413]

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield bytes(1024 * 1024)

    await _refused_as_too_large(gateway, endless())


async def test_a_body_without_a_key_is_not_read(gateway: Gateway) -> None:
    head = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode()
    reply = await exchange(gateway.origin, head)
    assert reply.statuses == [401]
    assert reply.closed


async def test_a_trickled_body_is_cut_off(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.3)
    head = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\nContent-Length: 900\r\n\r\n"
    reply = await exchange(gateway.origin, head.encode() + b"{")
    assert (reply.statuses, reply.json["error"]["code"], reply.closed) == ([408], "request_timeout", True)


async def test_a_body_may_not_trickle_for_ever(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "TOTAL_SECONDS", 0.5)
    port = int(gateway.origin.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\nContent-Length: 900\r\n\r\n"
    writer.write(head.encode())
    answer = asyncio.create_task(reader.readline())
    async with asyncio.timeout(30):
        while not answer.done():
            writer.write(b" ")
            await asyncio.sleep(0.1)
    assert await answer == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()


async def test_a_strange_model_name_neither_loses_its_row_nor_holds_up_others(gateway: Gateway) -> None:
    strange = ["m" * 100_000, "a\\u0000b", "\\u202e\\n\\u001b[31m", "\\ud800", "=HYPERLINK(1)"]
    for model in strange:
        async with posted(gateway, TURN.replace(b"gpt-5.5", model.encode())) as answer:
            await answer.read()
    async with gateway.turn() as answer:
        await answer.read()
    newest, *rows = await gateway.log()
    assert newest["status"] == "succeeded"
    assert len(rows) >= len(strange) - 1, "half a surrogate pair is no JSON, everything else is a turn"
    assert all(len(row["model"]) <= 160 and row["model"].isprintable() for row in rows)
