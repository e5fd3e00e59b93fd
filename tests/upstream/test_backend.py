"""Questions about an account are asked as that account, with its own passes, within bounds, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.upstream.backend import LONGEST_COOKIE, Backend, Unreachable, passes_in
from codex_pooler.upstream.pool import ConnectionPool
from tests.upstream.proxies import listening, proxying
from tests.upstream.test_egress import account

PATH = "/backend-api/wham/usage"
CHALLENGE = "<!DOCTYPE html><html>Just a moment...</html>"


class Origin:
    """Answers as told and remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self.status, self.text = 200, "{}"
        self.cookies: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.bodies.append(await request.read())
        response = web.Response(status=self.status, text=self.text, headers={"X-One": "1"})
        for cookie in self.cookies:
            response.headers.add("set-cookie", f"{cookie}; Path=/; HttpOnly; Secure; SameSite=None")
        return response

    def shown(self) -> list[str | None]:
        """The passes that the questions came with."""
        return [request.headers.get("cookie") for request in self.asked]


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    made, app = Origin(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        made.port = server.port
        yield made


@pytest.fixture
def backend(origin: Origin) -> Backend:
    return Backend(ConnectionPool(f"http://127.0.0.1:{origin.port}"))


async def test_a_question_is_asked_as_codex_would(origin: Origin, backend: Backend) -> None:
    reply = await backend.request(account(), "GET", PATH, params={"a": "b c"}, headers={"if-none-match": '"x"'})
    assert (reply.status, reply.headers["x-one"], reply.body, reply.is_json) == (200, "1", b"{}", True)
    (asked,) = origin.asked
    assert asked.path_qs == f"{PATH}?a=b+c"
    assert {
        "authorization": "Bearer at-1",
        "chatgpt-account-id": "acct-1",
        "originator": "codex_cli_rs",
        "accept": "application/json",
        "accept-encoding": "identity",
        "if-none-match": '"x"',
        "host": f"127.0.0.1:{origin.port}",
    }.items() <= {name.lower(): value for name, value in asked.headers.items()}.items()
    assert "content-length" not in asked.headers


async def test_a_question_may_have_a_body(origin: Origin, backend: Backend) -> None:
    await backend.request(account(), "POST", PATH, json={"id": "7"})
    assert origin.bodies == [b'{"id":"7"}']
    assert origin.asked[0].headers["content-type"] == "application/json"
    await backend.request(account(), "POST", PATH)
    assert origin.asked[1].headers["content-length"] == "0"


async def test_a_pass_is_shown_by_the_account_it_was_given_to_and_by_no_other(origin: Origin, backend: Backend) -> None:
    origin.cookies = ["__cf_bm=one", "session=secret", "_cfuvid=two"]
    await backend.request(account(), "GET", PATH)
    origin.cookies = []
    await backend.request(account(), "GET", "/backend-api/codex/models")
    await backend.request(account(2), "GET", PATH)
    assert origin.shown() == [None, "__cf_bm=one; _cfuvid=two", None]


async def test_a_pass_is_worth_nothing_by_another_way(origin: Origin, backend: Backend) -> None:
    origin.cookies = ["__cf_bm=one"]
    await backend.request(account(), "GET", PATH)
    async with proxying() as proxy:
        await backend.request(account(proxy_url=proxy.url()), "GET", PATH)
        await backend.request(account(proxy_url=proxy.url()), "GET", PATH)
    await backend.request(account(), "GET", PATH)
    assert origin.shown() == [None, None, "__cf_bm=one", None]
    assert len(proxy.tunnels) == 2


async def test_a_challenge_with_a_pass_is_answered_once(origin: Origin, backend: Backend) -> None:
    origin.status, origin.text, origin.cookies = 403, CHALLENGE, ["cf_clearance=pass"]
    reply = await backend.request(account(), "POST", PATH, json={})
    assert reply.is_challenge
    assert origin.shown() == [None, "cf_clearance=pass"]


@pytest.mark.parametrize(
    ("status", "text", "cookies"),
    [(403, CHALLENGE, []), (403, '{"detail":"no"}', ["__cf_bm=x"]), (500, "oops", ["__cf_bm=x"]), (302, "", [])],
)
async def test_nothing_else_is_asked_twice(
    origin: Origin, backend: Backend, status: int, text: str, cookies: list[str]
) -> None:
    origin.status, origin.text, origin.cookies = status, text, cookies
    assert (await backend.request(account(), "GET", PATH)).status == status
    assert len(origin.asked) == 1


def test_which_cookies_are_kept() -> None:
    lines = ["__cf_bm=a=b; Path=/", "session=s", "__cflb=; Max-Age=0", f"__cfseq={'x' * (LONGEST_COOKIE + 1)}", "odd"]
    head = ResponseHead(200, tuple(("set-cookie", line) for line in lines), keep_alive=True)
    assert list(passes_in(head)) == [("__cf_bm", "a=b"), ("__cflb", "")]


async def test_a_pass_can_be_taken_back(origin: Origin, backend: Backend) -> None:
    for cookie in ("__cf_bm=one", "__cf_bm=", "__cflb=two"):
        origin.cookies = [cookie]
        await backend.request(account(), "GET", PATH)
    await backend.request(account(), "GET", PATH)
    assert origin.shown() == [None, "__cf_bm=one", None, "__cflb=two"]


async def test_an_answer_without_end_is_not_read(origin: Origin, backend: Backend) -> None:
    origin.text = " " * 2000
    with pytest.raises(Unreachable, match=r"^too_large$") as failed:
        await backend.request(account(), "GET", PATH, most_bytes=1999)
    assert failed.value.sent
    assert len((await backend.request(account(), "GET", PATH, most_bytes=2000)).body) == 2000


async def test_a_backend_that_never_answers_is_given_up_and_hung_up_on(origin: Origin) -> None:
    hung_up = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(4096):
                pass
        finally:
            hung_up.set()

    async with listening(mute) as port:
        backend = Backend(ConnectionPool(f"http://127.0.0.1:{port}"))
        with pytest.raises(Unreachable, match=r"^timeout$") as failed:
            await backend.request(account(), "GET", PATH, timeout_seconds=0.1)
        assert failed.value.sent
        async with asyncio.timeout(10):
            await hung_up.wait()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "closed"),
        (b"rubbish\r\n\r\n", "protocol_error"),
    ],
)
async def test_half_an_answer_is_none(answer: bytes, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.write_eof()

    async with listening(talk) as port:
        backend = Backend(ConnectionPool(f"http://127.0.0.1:{port}"))
        with pytest.raises(Unreachable, match=f"^{reason}$") as failed:
            await backend.request(account(), "GET", PATH)
    assert failed.value.sent


async def test_what_fails_on_the_way_was_not_sent(origin: Origin, backend: Backend) -> None:
    absent = Backend(ConnectionPool("http://127.0.0.1:1"))
    dead = account(proxy_url="http://127.0.0.1:1")
    odd = account(routing_override="a\r\nb")
    for asking, who, reason in (
        (absent, account(), "connect"),
        (backend, dead, "egress_proxy_failed"),
        (backend, odd, "unsendable"),
        (backend, replace(dead, backend_origin="https://example.com"), "backend_origin"),
    ):
        with pytest.raises(Unreachable, match=f"^{reason}$") as failed:
            await asking.request(who, "GET", PATH)
        assert not failed.value.sent
    assert origin.asked == []
