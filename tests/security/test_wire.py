"""Requests as an attacker or a careless proxy frames them, and what of a client's headers the backend may see."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from codex_pooler.upstream.http_turn import FORWARDED
from codex_pooler.web import bodies
from tests.integration.whole import Gateway
from tests.security.test_edges import RESPONSES, SMUGGLED, TURN
from tests.security.wire import exchange

CANARY = b"canary-Zq7Xw2Kp"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"%x\r\n%b\r\n0\r\n" % (len(TURN), TURN)
LENGTH = b"Content-Length: %d\r\n" % len(TURN)


async def arrivals(gateway: Gateway) -> list[dict[str, Any]]:
    record = await gateway.control("GET", "/record")
    return [one for one in record["arrivals"] if one["path"].endswith("/responses")]


def head(gateway: Gateway, *, host: bytes = b"x") -> bytes:
    start = f"POST {RESPONSES} HTTP/1.1\r\nAuthorization: Bearer {gateway.key}\r\n".encode()
    return start + b"Host: " + host + b"\r\n"


# name -> what follows the request line, key and host: refused whole, with nothing of it repeated
AMBIGUOUS: dict[str, bytes] = {
    "two hosts": b"Host: " + CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "two lengths that agree": LENGTH + LENGTH + b"\r\n" + TURN,
    "two lengths that do not": LENGTH + b"Content-Length: 5\r\n\r\n" + TURN,
    "two content types": b"Content-Type: a/b\r\nContent-Type: " + CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "chunked twice": CHUNKED + CHUNKED + b"\r\n" + BODY + b"\r\n" + SMUGGLED,
    "chunked and identity": b"Transfer-Encoding: chunked, identity\r\n\r\n" + BODY + b"\r\n" + SMUGGLED,
    "length after chunked": CHUNKED + LENGTH + b"\r\n" + BODY + b"\r\n" + SMUGGLED,
    "a length in hex": b"Content-Length: 0x5\r\n\r\n" + SMUGGLED,
    "a negative length": b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "an endless length": b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + SMUGGLED,
    "a folded length": b"Content-Length:\r\n 0\r\n\r\n" + SMUGGLED,
    "a folded key": b"X-One: a\r\n\t" + CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "a carriage return in a value": b"X-One: a\r" + CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "a name with a space": b"X " + CANARY + b": 1\r\n" + LENGTH + b"\r\n" + TURN,
    "a name of bytes": b"X-\xff" + CANARY + b": 1\r\n" + LENGTH + b"\r\n" + TURN,
    "a line without a colon": CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "an empty name": b": " + CANARY + b"\r\n" + LENGTH + b"\r\n" + TURN,
    "a chunk with a sign": CHUNKED + b"\r\n+5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk that is too long": CHUNKED + b"\r\n" + b"f" * 20 + b"\r\n" + SMUGGLED,
    "a chunk that ends without a line": CHUNKED + b"\r\n5\r\nhelloX0\r\n\r\n" + SMUGGLED,
    "many header lines": b"".join(b"X-%d: %b\r\n" % (n, CANARY) for n in range(2000)) + LENGTH + b"\r\n" + TURN,
}


async def test_b3_what_can_be_read_in_two_ways_is_refused(gateway: Gateway) -> None:
    for case, rest in AMBIGUOUS.items():
        reply = await exchange(gateway.origin, head(gateway) + rest)
        assert reply.closed, f"{case}: the connection may not be used any further"
        assert reply.statuses in ([400], [431]), (case, reply.raw)
        assert CANARY not in reply.raw, case
    assert await arrivals(gateway) == []


async def test_b3_trailers_are_dropped(gateway: Gateway) -> None:
    trailers = b"X-Trailer: %b\r\nAuthorization: Bearer %b\r\nContent-Length: 7\r\n\r\n" % (CANARY, CANARY)
    raw = head(gateway) + b"Connection: close\r\nTrailer: X-Trailer\r\n" + CHUNKED + b"\r\n" + BODY + trailers
    reply = await exchange(gateway.origin, raw)
    assert reply.statuses in ([200], [400]), reply.raw
    for arrival in await arrivals(gateway):
        assert CANARY.decode() not in json.dumps(arrival)
        assert "x-trailer" not in arrival["headers"]


async def test_b3_a_pipelined_request_is_a_request_of_its_own(gateway: Gateway) -> None:
    """What follows a complete request is answered by itself: without a key it gets nowhere."""
    reply = await exchange(gateway.origin, head(gateway) + CHUNKED + b"\r\n" + BODY + b"\r\n" + SMUGGLED, patience=1.5)
    assert reply.statuses == [200, 401]
    assert len(await arrivals(gateway)) == 1


async def test_b3_what_follows_a_refused_request_is_not_looked_at(gateway: Gateway) -> None:
    inner = head(gateway) + LENGTH + b"\r\n" + TURN
    outer = f"POST {RESPONSES} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner) + 9}\r\n\r\n".encode()
    reply = await exchange(gateway.origin, outer + inner)
    assert (reply.statuses, reply.closed) == ([401], True)
    assert await arrivals(gateway) == []


# what the backend hears of a turn, whatever its client says
HEARD = {"host", "authorization", "originator", "user-agent", "version", "chatgpt-account-id", "content-type", "accept"}
HEARD |= {"accept-encoding", "content-length", "x-codex-routing-hint", "x-openai-internal-codex-residency"}
HEARD |= set(FORWARDED)
IDENTIFYING = [
    "Cookie",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Via",
    "Origin",
    "Referer",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "X-Api-Key",
    "Session-Id",
    "Session_id",
    "Thread-Id",
    "X-Session-Id",
    "X-Session-Affinity",
    "X-Codex-Conversation-Id",
    "X-Client-Request-Id",
    "X-Request-Id",
    "Idempotency-Key",
    "Traceparent",
    "OpenAI-Organization",
    "OpenAI-Project",
    "OpenAI-Beta",
    "ChatGPT-Account-Id",
    "Originator",
    "User-Agent",
    "Version",
    "X-Stainless-Arch",
    "X-Hop",
    "X-OpenAI-Internal-Codex-Residency",
    "X-Codex-Routing-Hint",
    "CF-Connecting-IP",
]


async def test_b4_the_backend_hears_nothing_that_names_the_client(gateway: Gateway) -> None:
    lines = b"".join(f"{name}: ".encode() + CANARY + b"\r\n" for name in IDENTIFYING)
    raw = head(gateway, host=CANARY) + b"Connection: close, X-Hop\r\n" + lines + LENGTH + b"\r\n" + TURN
    reply = await exchange(gateway.origin, raw)
    assert reply.statuses == [200], reply.raw
    (arrival,) = await arrivals(gateway)
    assert CANARY.decode() not in json.dumps(arrival)
    assert {name.lower() for name in arrival["header_names"]} <= HEARD
    assert gateway.key not in json.dumps(arrival)
    assert CANARY not in reply.raw, "nor does the client hear its own words"


async def test_b4_a_header_meant_for_the_next_hop_only_ends_here(gateway: Gateway) -> None:
    lines = b"Connection: close, X-Codex-Installation-Id\r\nX-Codex-Installation-Id: abc\r\nX-Codex-Window-Id: t:1\r\n"
    assert (await exchange(gateway.origin, head(gateway) + lines + LENGTH + b"\r\n" + TURN)).statuses == [200]
    (arrival,) = await arrivals(gateway)
    assert "x-codex-installation-id" not in arrival["headers"]
    assert arrival["headers"]["x-codex-window-id"]


VALUES = [b"a\xffb", b"a\x01b", b"a\xc3\xa9b", b"a\x7fb", b"a" * 20_000]


async def test_b4_values_that_are_no_plain_text_do_not_travel(gateway: Gateway) -> None:
    for name in (*FORWARDED, "session-id", "user-agent", "x-request-id"):
        for value in VALUES:
            line = name.encode() + b": " + value + CANARY + b"\r\n"
            reply = await exchange(
                gateway.origin, head(gateway) + b"Connection: close\r\n" + line + LENGTH + b"\r\n" + TURN
            )
            assert reply.statuses in ([200], [400]), (name, value[:9], reply.raw)
            assert CANARY not in reply.raw, (name, value[:9])
    assert CANARY.decode() not in json.dumps(await arrivals(gateway))
    async with gateway.turn() as answer:
        assert answer.status == 200, "and no account is blamed for it"
    assert {one["account"] for one in await arrivals(gateway)} == {"acct-1"}


async def test_f7_a_body_that_trickles_into_the_console_is_cut_off(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.3)
    for path in ("/api/admin/v1/auth/login", "/api/admin/v1/bootstrap"):
        raw = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{{"
        async with asyncio.timeout(20):
            reply = await exchange(gateway.origin, raw.encode())
        assert (reply.statuses, reply.closed) == ([408], True), path
