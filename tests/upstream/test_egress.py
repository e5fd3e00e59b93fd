"""Whoever is to leave through a proxy leaves through it or not at all, and shares nothing with anybody else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import uvloop

from codex_pooler.protocol import websocket as ws
from codex_pooler.snapshot.model import UNREADABLE, Account, Member
from codex_pooler.upstream import egress
from codex_pooler.upstream.egress import Destination, ProxyFailed, ProxyRefused, masked, parse_proxy, proxied_session
from codex_pooler.upstream.http_turn import HttpTurn, identity_headers, open_turn
from codex_pooler.upstream.plain import Collector, PlainRequest, send_plain
from codex_pooler.upstream.pool import EGRESS, ConnectFailed, ConnectionPool
from codex_pooler.upstream.routes import trusted_origin
from codex_pooler.upstream.websocket import UpstreamSocket, open_socket
from tests.upstream.proxies import BACKEND, certified, listening, proxying

SCHEMES = ("http", "socks5", "socks5h")
NOWHERE = "http://127.0.0.1:1"
TURN = HttpTurn(b'{"model":"m"}', {}, "m")


def account(number: int = 1, **more: Any) -> Account:
    values = {"label": "one", "state": "active", "chatgpt_account_id": f"acct-{number}", "access_token": f"at-{number}"}
    return Account(**{"id": UUID(int=number), **values, **more})


@dataclass
class Server:
    """A backend that answers everything with its own name, upgrades websockets, and remembers who called."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(writer.get_extra_info("peername")[1])
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            fields = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            if key := fields.get("sec-websocket-key"):
                accept = f"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {ws.accept_key(key)}"
                writer.write(f"HTTP/1.1 101 Switching\r\n{accept}\r\n\r\n".encode())
            else:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    made = Server()
    async with listening(made.serve, tls) as made.port:
        yield made


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


async def over_http(pool: ConnectionPool, who: Account) -> bytes:
    """One turn on a connection that may be warm; its answer."""
    collector = Collector(asyncio.get_running_loop())
    collector.connection = await open_turn(pool, who, TURN, collector)
    assert await collector.done == "answered"
    return collector.body


async def as_a_call(pool: ConnectionPool, who: Account) -> bytes:
    collector = Collector(asyncio.get_running_loop())
    await send_plain(pool, who, PlainRequest("POST", "/files", b"{}", ()), collector, warm=True)
    assert await collector.done == "answered"
    return collector.body


async def over_websocket(pool: ConnectionPool, who: Account) -> bytes:
    made = await open_socket(pool, who, {}, "m")
    assert made.head is not None
    assert made.head.status == 101
    made.abort()
    return b"ok"


WAYS = {"http": over_http, "call": as_a_call, "websocket": over_websocket}


# -- the address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example:8080", "http://proxy.example:8080"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("https://proxy.example/", "https://proxy.example:443"),
        ("socks5://10.1.2.3", "socks5://10.1.2.3:1080"),
        ("SOCKS5H://me:se%40cret@Proxy.Example:1", "socks5h://***@proxy.example:1"),
        ("http://me@[::1]:8080", "http://***@[::1]:8080"),
        ("socks5://localhost:9050", "socks5://localhost:9050"),
    ],
)
def test_addresses_are_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert "cret" not in repr(parse_proxy(url))
    assert "me" not in repr(parse_proxy(url)).replace("scheme", "")


def test_credentials_are_percent_encoded_in_an_address() -> None:
    proxy = parse_proxy("http://us%20er:p%3Aw%40@h:1")
    assert (proxy.user, proxy.password) == ("us er", "p:w@")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example:8080",
        "ftp://proxy.example",
        "socks4://proxy.example",
        "http://",
        "http://:8080",
        "http://proxy.example/path",
        "http://proxy.example?x",
        "http://proxy.example#x",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://proxy.example:x",
        "http://pro xy.example",
        "http://proxy.example\r\nx: y",
        "http://us%0d%0aer:x@proxy.example",
        "http://us%ffer:x@proxy.example",
        "http://us%3Aer:x@proxy.example",
        "http://:password@proxy.example",
        f"socks5://{'u' * 256}:x@proxy.example",
        f"http://{'h' * 1100}",
        "http://pröxy.example",
        "http://a..b\\c",
        "http://169.254.169.254",
        "http://[::ffff:169.254.169.254]:80",
        "http://[fe80::1]",
        "http://0.0.0.0:3128",
        "http://224.0.0.1",
        UNREADABLE,
    ],
)
def test_what_cannot_be_a_proxys_address_is_refused_in_words_that_do_not_repeat_it(url: str) -> None:
    with pytest.raises(ProxyRefused) as refused:
        parse_proxy(url)
    assert not url or url not in str(refused.value)
    assert masked(url) == "unreadable"


# -- through it


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("user", ["", "me:p%40w"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_everything_reaches_the_backend_from_the_proxy_alone(
    server: Server, scheme: str, user: str, way: str
) -> None:
    credentials = ("me", "p@w") if user else None
    async with proxying({BACKEND: server.port}, credentials=credentials) as proxy:
        pool = ConnectionPool(f"http://{BACKEND}:1234/prefix")
        assert await WAYS[way](pool, account(proxy_url=proxy.url(scheme, user))) == b"ok"
        pool.close()
    assert proxy.tunnels == [(BACKEND, 1234)]
    assert set(server.callers) == proxy.outgoing
    assert f"\r\nhost: {BACKEND}:1234\r\n" in server.heads[0]
    assert server.heads[0].split(" ")[1].startswith("/prefix/backend-api/")
    assert "p@w" not in server.heads[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", [*SCHEMES, "https"])
async def test_tls_ends_at_the_backend_and_is_checked_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, way: str
) -> None:
    shown, trusted = certified(tmp_path, BACKEND)
    proxy_shown, proxy_trusted = certified(tmp_path, "proxy.test", "localhost")
    monkeypatch.setattr(egress, "tls_context", lambda: proxy_trusted)
    async with serving(shown) as server, proxying({BACKEND: server.port}, tls=_only(scheme, proxy_shown)) as proxy:
        who = account(proxy_url=proxy.url(scheme).replace("127.0.0.1", "localhost"))
        pool = ConnectionPool(f"https://{BACKEND}", trusted)
        assert await WAYS[way](pool, who) == b"ok"
        pool.close()
        other = ConnectionPool("https://other.test", trusted)
        proxy.names = {"other.test": server.port}
        with pytest.raises(ConnectFailed) as failed:
            await WAYS[way](other, who)
    assert (failed.value.reason, failed.value.code) == ("tls", "upstream_tls_failed")
    assert proxy.tunnels == [(BACKEND, 443), ("other.test", 443)]
    assert len(server.heads) == 1


def _only(scheme: str, tls: ssl.SSLContext) -> ssl.SSLContext | None:
    return tls if scheme == "https" else None


def test_all_of_it_holds_in_the_event_loop_of_the_product(tmp_path: Path) -> None:
    shown, trusted = certified(tmp_path, BACKEND, "localhost")

    async def scenario() -> None:
        async with serving(shown) as server:
            for scheme in (*SCHEMES, "https"):
                async with proxying({BACKEND: server.port}, tls=_only(scheme, shown)) as proxy:
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setattr(egress, "tls_context", lambda: trusted)
                        who = account(proxy_url=proxy.url(scheme).replace("127.0.0.1", "localhost"))
                        pool = ConnectionPool(f"https://{BACKEND}", trusted)
                        for way in WAYS.values():
                            assert await way(pool, who) == b"ok"
                        pool.close()
                        assert len(proxy.tunnels) == 2, "the call goes by the turn's connection"
                        proxy.names = {"other.test": server.port}
                        with pytest.raises(ConnectFailed, match=r"^tls$"):
                            await over_http(ConnectionPool("https://other.test", trusted), who)
                        proxy.behaviour = "close"
                        with pytest.raises(ConnectFailed, match=EGRESS):
                            await over_http(pool, who)

    uvloop.run(scenario())


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_proxy_may_answer_byte_by_byte(server: Server, scheme: str) -> None:
    async with proxying({BACKEND: server.port}, credentials=("me", "pw"), behaviour="dribble") as proxy:
        pool = ConnectionPool(f"http://{BACKEND}")
        assert await over_http(pool, account(proxy_url=proxy.url(scheme, "me:pw"))) == b"ok"
        pool.close()


# -- or not at all

FAILURES: Sequence[tuple[str, str, str, str]] = [
    # scheme, credentials shown, behaviour, reason
    ("http", "", "close", "closed"),
    ("http", "", "garbage", "not_a_proxy"),
    ("http", "", "chatty", "not_a_proxy"),
    ("http", "", "502", "status_502"),
    ("http", "", "silent", "timeout"),
    ("http", "me:wrong", "", "credentials"),
    ("https", "", "garbage", "tls"),
    ("socks5", "", "close", "closed"),
    ("socks5", "", "garbage", "not_a_proxy"),
    ("socks5", "", "5", "reply_5"),
    ("socks5", "", "silent", "timeout"),
    ("socks5h", "me:wrong", "", "credentials"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("scheme", "user", "behaviour", "reason"), FAILURES)
async def test_a_proxy_that_fails_is_told_as_such_and_never_gone_around(
    server: Server, scheme: str, user: str, behaviour: str, reason: str, way: str
) -> None:
    credentials = ("me", "right") if user else None
    async with proxying(credentials=credentials, behaviour=behaviour) as proxy:
        pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
        pool.connect_seconds = 0.2 if reason == "timeout" else 10.0
        with pytest.raises(ConnectFailed) as failed:
            await WAYS[way](pool, account(proxy_url=proxy.url(scheme, user)))
    assert (failed.value.reason, failed.value.code, failed.value.detail) == (EGRESS, EGRESS, reason)
    assert proxy.knocks == 1
    assert server.callers == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("address", "reason"), [(NOWHERE, "unreachable"), (UNREADABLE, "address"), ("", "address")])
async def test_a_proxy_that_is_not_there_is_not_gone_around(
    server: Server, address: str, reason: str, way: str
) -> None:
    pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
    with pytest.raises(ConnectFailed) as failed:
        await WAYS[way](pool, account(proxy_url=address))
    assert (failed.value.reason, failed.value.detail) == (EGRESS, reason)
    assert server.callers == []


async def test_giving_up_leaves_no_connection_to_the_proxy_behind() -> None:
    async with proxying(behaviour="silent") as proxy:
        dialing = asyncio.create_task(over_http(ConnectionPool("http://h.test"), account(proxy_url=proxy.url())))
        async with asyncio.timeout(10):
            while not proxy.knocks:
                await asyncio.sleep(0.01)
            dialing.cancel()
            await asyncio.gather(dialing, return_exceptions=True)
            while proxy.open:
                await asyncio.sleep(0.01)


def test_an_account_whose_proxy_cannot_be_opened_is_not_routed() -> None:
    assert Member(account(proxy_url=UNREADABLE)).obstacle == "egress_unreadable"
    assert Member(account(proxy_url=NOWHERE)).obstacle is None


# -- changes


@pytest.mark.parametrize("way", ["http", "call"])
async def test_a_connection_by_the_old_way_is_never_used_again(server: Server, way: str) -> None:
    pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
    async with proxying() as first, proxying() as second:
        straight, one, other = account(), account(proxy_url=first.url()), account(proxy_url=second.url("socks5"))
        for who in (straight, straight, one, one, other, other, straight):
            assert await WAYS[way](pool, who) == b"ok"
        pool.close()
    assert (len(first.tunnels), len(second.tunnels)) == (1, 1)
    assert len(server.callers) == 4, "each way was dialled once, and once more after the change back"
    assert [port in first.outgoing for port in server.callers] == [False, True, False, False]
    assert [port in second.outgoing for port in server.callers] == [False, False, True, False]


async def test_another_login_by_the_same_way_keeps_the_connection_and_is_said_at_once(server: Server) -> None:
    pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
    async with proxying() as proxy:
        before = account(proxy_url=proxy.url())
        await over_http(pool, before)
        await over_http(pool, replace(before, access_token="newer", is_fedramp=True, routing_override="us"))
        pool.close()
    assert len(proxy.tunnels) == 1
    assert "authorization: Bearer newer\r\n" in server.heads[1]
    assert "x-openai-fedramp: true\r\nx-openai-account-routing-override: us\r\n" in server.heads[1]


async def test_accounts_with_the_same_proxy_share_no_connection(server: Server) -> None:
    pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
    async with proxying() as proxy:
        for number in (1, 2, 1, 2):
            await over_http(pool, account(number, proxy_url=proxy.url()))
        pool.close()
    assert len(proxy.tunnels) == 2


async def test_routes_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_pooler.upstream.pool.MOST_ROUTES", 3)
    pool = ConnectionPool("http://h.test")
    for number in range(10):
        assert pool.route_of(account(proxy_url=f"http://p:{number + 1}")).proxy == f"http://p:{number + 1}"
    assert len(pool._routes) <= 3
    assert pool.route_of(account()) is pool.route


# -- where to, and what is said there


async def test_a_workspace_may_have_a_backend_of_its_own() -> None:
    async with serving() as everybodys, serving() as own:
        pool = ConnectionPool(f"http://127.0.0.1:{everybodys.port}/prefix")
        who = account(backend_origin=f"http://127.0.0.1:{own.port}")
        for way in WAYS.values():
            assert await way(pool, who) == b"ok"
        pool.close()
    assert everybodys.callers == []
    assert [head.split(" ")[1].startswith("/backend-api/") for head in own.heads] == [True] * 3
    assert all(f"host: 127.0.0.1:{own.port}\r\n" in head for head in own.heads)


@pytest.mark.parametrize("way", WAYS)
async def test_no_token_goes_to_a_backend_that_is_not_the_backends(server: Server, way: str) -> None:
    pool = ConnectionPool("https://chatgpt.com")
    with pytest.raises(ConnectFailed) as failed:
        await WAYS[way](pool, account(backend_origin=f"http://127.0.0.1:{server.port}"))
    assert failed.value.code == "upstream_backend_origin_failed"
    assert server.callers == []


@pytest.mark.parametrize(
    ("origin", "configured", "trusted"),
    [
        ("https://us.chatgpt.com", "https://chatgpt.com", "https://us.chatgpt.com"),
        ("https://EU.api.openai.com/", "https://chatgpt.com", "https://eu.api.openai.com"),
        ("https://chatgpt.com:443", "https://chatgpt.com", "https://chatgpt.com:443"),
        ("http://us.chatgpt.com", "https://chatgpt.com", None),
        ("https://us.chatgpt.com:8443", "https://chatgpt.com", None),
        ("https://chatgpt.com.evil.example", "https://chatgpt.com", None),
        ("https://evilchatgpt.com", "https://chatgpt.com", None),
        ("https://us.chatgpt.com@evil.example", "https://chatgpt.com", None),
        ("https://me@us.chatgpt.com", "https://chatgpt.com", None),
        ("https://us.chatgpt.com/path", "https://chatgpt.com", None),
        ("https://us.chatgpt.com?x", "https://chatgpt.com", None),
        ("https://us.chatgpt.com:x", "https://chatgpt.com", None),
        ("https://us.chatgpt.com\r\n", "https://chatgpt.com", None),
        ("https://127.0.0.1", "https://chatgpt.com", None),
        ("http://127.0.0.1:5", "http://127.0.0.1:4", "http://127.0.0.1:5"),
        ("http://10.0.0.1:5", "http://127.0.0.1:4", None),
        ("https://gate.example", "https://gate.example", "https://gate.example"),
        ("", "https://chatgpt.com", None),
    ],
)
def test_which_backends_may_see_a_token(origin: str, configured: str, trusted: str | None) -> None:
    assert trusted_origin(origin, configured) == trusted


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, {}),
        ({"is_fedramp": True}, {"x-openai-fedramp": "true"}),
        ({"routing_override": "us_cr"}, {"x-openai-account-routing-override": "us_cr"}),
        ({"routing_override": "NO_CONSTRAINT"}, {}),
        ({"routing_override": ""}, {}),
        ({"residency": "eu"}, {"x-openai-internal-codex-residency": "eu"}),
        ({"residency": "no_constraint"}, {}),
    ],
)
def test_what_is_said_of_an_accounts_workspace(facts: dict[str, Any], said: dict[str, str]) -> None:
    headers = dict(identity_headers(account(**facts)))
    always = {"authorization", "originator", "user-agent", "version", "chatgpt-account-id"}
    assert {name: value for name, value in headers.items() if name not in always} == said


# -- sessions of aiohttp


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_session_leaves_through_its_proxy(server: Server, scheme: str) -> None:
    async with (
        proxying({BACKEND: server.port}, credentials=("me", "pw")) as proxy,
        proxied_session(proxy.url(scheme, "me:pw")) as session,
        session.post(f"http://{BACKEND}:99/x", json={"a": 1}) as answer,
    ):
        assert await answer.text() == "ok"
    assert proxy.tunnels == [(BACKEND, 99)]
    assert set(server.callers) == proxy.outgoing


async def test_a_session_over_tls_is_checked_at_its_destination(tmp_path: Path) -> None:
    shown, trusted = certified(tmp_path, BACKEND)
    async with (
        serving(shown) as server,
        proxying({BACKEND: server.port, "other.test": server.port}) as proxy,
        proxied_session(proxy.url(), tls=trusted) as session,
    ):
        async with session.get(f"https://{BACKEND}/") as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectorSSLError):
            await session.get("https://other.test/")


@pytest.mark.parametrize(("address", "reason"), [(NOWHERE, "unreachable"), (UNREADABLE, "address")])
async def test_a_session_whose_proxy_fails_sends_nothing(server: Server, address: str, reason: str) -> None:
    async with proxied_session(address) as session:
        with pytest.raises(ProxyFailed) as failed:
            await session.get(f"http://127.0.0.1:{server.port}/")
    assert failed.value.reason == reason
    assert server.callers == []


async def test_a_session_gives_a_silent_proxy_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "PROXY_SECONDS", 0.1)
    async with proxying(behaviour="silent") as proxy, proxied_session(proxy.url()) as session:
        with pytest.raises(ProxyFailed, match="timeout"):
            await session.get("http://h.test/")


async def test_a_session_without_a_proxy_goes_straight_whatever_the_environment_says(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    async with proxied_session(None) as session, session.get(f"http://127.0.0.1:{server.port}/") as answer:
        assert await answer.text() == "ok"


async def test_a_destination_that_hangs_up_during_its_handshake_is_no_proxys_fault(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    _, trusted = certified(tmp_path, BACKEND)
    async with listening(hang_up) as port, proxying({BACKEND: port}) as proxy:
        to = Destination(BACKEND, 443, trusted)
        with pytest.raises((OSError, ssl.SSLError)) as failed:
            await egress.connect(asyncio.Protocol, to, proxy.url(), 10.0)
    assert not isinstance(failed.value, TimeoutError)


async def test_a_socket_knows_the_way_it_was_opened_by(server: Server) -> None:
    pool = ConnectionPool(f"http://127.0.0.1:{server.port}")
    made = await pool.dial(lambda: UpstreamSocket(account(), pool.route), pool.route)
    assert made.route is pool.route_of(account())
    made.abort()
