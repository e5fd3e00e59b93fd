"""What the sign-in server is asked, and what its answers mean."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest

from codex_pooler.upstream.oauth import (
    CLIENT_ID,
    DOUBTFUL,
    MEANINGS,
    PERMANENT,
    RECOVERY,
    TRANSIENT,
    RefreshRefused,
    SignIn,
)
from codex_pooler.upstream.sign_in_wire import BODY_LIMIT_BYTES

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GRANTED = {"access_token": "a", "refresh_token": "r", "id_token": "i", "expires_in": 60}


@asynccontextmanager
async def server(talk: Talk, *, expected: bool = True) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        if expected:
            await gone.wait()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, Any]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n") if b": " in line)
    return head, orjson.loads(await reader.readexactly(int(fields[b"content-length"])))


def answering(status: int, body: Any, seen: list[Any] | None = None, *, head: str = "") -> Talk:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if seen is not None:
            seen.append(request)
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(raw)}\r\n{head}\r\n".encode() + raw)
        await writer.drain()

    return talk


async def refused(status: int, body: Any) -> tuple[str, str]:
    async with server(answering(status, body)) as origin:
        with pytest.raises(RefreshRefused) as raised:
            await SignIn(origin).refresh("secret")
    assert "secret" not in repr(raised.value)
    return raised.value.code, raised.value.meaning


async def test_the_request_is_the_one_that_codex_makes() -> None:
    seen: list[Any] = []
    async with server(answering(200, GRANTED, seen)) as origin:
        grant = await SignIn(origin).refresh("rt-1", RECOVERY)
        await SignIn(origin).refresh("rt-2")
    assert (grant.access_token, grant.refresh_token, grant.id_token, grant.expires_in_seconds) == ("a", "r", "i", 60)
    (head, body), (_, scheduled) = seen
    assert head.startswith(b"POST /oauth/token HTTP/1.1")
    assert b"content-type: application/json" in head.lower()
    asked = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": "rt-1"}
    assert body == asked | {"refresh_reason": "unauthorized_recovery"}
    assert scheduled == asked | {"refresh_token": "rt-2"}


@pytest.mark.parametrize(
    "more", [{"expires_in": "soon"}, {"expires_in": -1}, {"id_token": 5}, {"refresh_token": None}, {"extra": [1]}]
)
async def test_oddities_of_an_answer_do_not_cost_its_tokens(more: dict[str, Any]) -> None:
    async with server(answering(200, GRANTED | more)) as origin:
        assert (await SignIn(origin).refresh("rt")).access_token == "a"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", {"access_token": ""}, {"access_token": None}, {}])
async def test_an_unreadable_answer_is_tried_again(body: Any) -> None:
    assert await refused(200, body) == ("sign_in_answer_unreadable", TRANSIENT)


@pytest.mark.parametrize("code", MEANINGS)
@pytest.mark.parametrize("shape", ["object", "oauth"])
async def test_known_codes_mean_what_the_table_says(code: str, shape: str) -> None:
    body = {"error": {"code": code, "message": "m"}} if shape == "object" else {"error": code}
    assert await refused(401, body) == (code, MEANINGS[code])


@pytest.mark.parametrize(
    ("status", "body", "code", "meaning"),
    [
        (400, {"error": {"code": "brand_new", "message": "?"}}, "brand_new", DOUBTFUL),
        (418, {}, "sign_in_418", DOUBTFUL),
        (400, {"error": {"code": "odd", "message": "Your refresh token was revoked."}}, "odd", PERMANENT),
        (400, {"detail": "refresh token is invalid"}, "sign_in_400", PERMANENT),
        (400, {"error": {"code": "Bearer abc", "message": "?"}}, "sign_in_400", DOUBTFUL),
        (403, b"<html>checking your browser</html>", "sign_in_403", TRANSIENT),
        (404, b"", "sign_in_404", TRANSIENT),
        (408, {}, "sign_in_408", TRANSIENT),
        (429, {}, "sign_in_429", TRANSIENT),
        (500, {"error": {"code": "oops", "message": "?"}}, "oops", TRANSIENT),
        (503, b"", "sign_in_503", TRANSIENT),
        (302, b"", "sign_in_302", TRANSIENT),
    ],
)
async def test_other_refusals_are_judged_by_status(status: int, body: Any, code: str, meaning: str) -> None:
    assert await refused(status, body) == (code, meaning)


async def test_a_redirect_takes_the_token_nowhere() -> None:
    seen: list[Any] = []
    async with server(answering(200, GRANTED, seen), expected=False) as elsewhere:
        moved = answering(307, b"", head=f"location: {elsewhere}/oauth/token\r\n")
        async with server(moved) as origin:
            with pytest.raises(RefreshRefused):
                await SignIn(origin).refresh("rt")
    assert seen == []


async def test_an_endless_answer_is_cut_off() -> None:
    assert await refused(200, b" " * (BODY_LIMIT_BYTES + 1)) == ("sign_in_answer_too_large", TRANSIENT)


async def test_silence_ends_after_the_timeout() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(say_nothing) as origin:
        with pytest.raises(RefreshRefused) as raised:
            await SignIn(origin, timeout_seconds=0.1).refresh("rt")
    assert (raised.value.code, raised.value.meaning) == ("sign_in_timeout", TRANSIENT)


async def test_a_connection_lost_in_the_middle_may_have_spent_the_token() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")

    async with server(hang_up) as origin:
        with pytest.raises(RefreshRefused) as raised:
            await SignIn(origin).refresh("rt")
    assert (raised.value.code, raised.value.meaning) == ("sign_in_answer_lost", TRANSIENT)


async def test_a_closed_door_has_spent_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(RefreshRefused) as raised:
        await SignIn(f"http://127.0.0.1:{port}").refresh("rt")
    assert (raised.value.code, raised.value.meaning) == ("sign_in_unreachable", TRANSIENT)
