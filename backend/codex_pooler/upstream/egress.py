"""The door by which requests leave: straight to their destination, or through a proxy and then never without it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from math import inf
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler

from codex_pooler.protocol.tunnels import UNTIL_BLANK_LINE, Conversation, TunnelRefused, http_connect, socks5

LONGEST_URL = 1024
LONGEST_CREDENTIAL = 255  # bytes; what SOCKS5 can say
PROXY_SECONDS = 10.0  # in which a proxy answers, or never will
LONGEST_REPLY = 16 * 1024  # bytes of what a proxy says before the tunnel stands
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
TALKS = {"http": http_connect, "https": http_connect, "socks5": socks5, "socks5h": socks5}
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\Z")

P = TypeVar("P", bound=asyncio.Protocol)


class ProxyRefused(ValueError):
    """This cannot be used as the address of a proxy.  The message tells operators why, without the address."""


class ProxyFailed(aiohttp.ClientConnectionError):
    """The proxy let nothing through, so nothing has reached the destination.

    ``reason``: ``address``, ``unreachable``, ``tls``, ``timeout``, ``closed``, ``not_a_proxy``, ``credentials``, or
    ``status_…`` and ``reply_…`` with the proxy's own number.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the egress proxy failed ({reason})")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens and how it wants to be spoken to."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def parse_proxy(url: str) -> Proxy:
    """``scheme://[user:password@]host[:port]`` with http, https, socks5 or socks5h.  Raises ProxyRefused.

    User and password are percent-encoded as in any address.  All four look up the destination's name at the proxy.
    """
    if len(url) > LONGEST_URL or not url.isascii() or any(ord(c) <= 0x20 or ord(c) == 0x7F or c == "\\" for c in url):
        raise ProxyRefused("The proxy's address must be short, plain ASCII without spaces or control characters.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise ProxyRefused("The proxy's address has no readable host and port.") from None
    if parts.scheme not in DEFAULT_PORTS or "://" not in url:
        raise ProxyRefused("Write the proxy as http://, https://, socks5:// or socks5h:// with its host and port.")
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        raise ProxyRefused("The proxy's address must end after its port.")
    if port == 0:
        raise ProxyRefused("A proxy cannot listen on port 0.")
    _check_host(host)
    user, password = _credential(parts.username), _credential(parts.password)
    if ":" in user or (password and not user):
        raise ProxyRefused("The proxy's credentials must be user:password, with no colon in the user's name.")
    return Proxy(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], user, password)


def _check_host(host: str) -> None:
    try:
        reachable = _may_be_a_proxy(host)
    except ValueError:
        if not HOST_NAME.match(host):
            raise ProxyRefused("The proxy's address has no host.") from None
        return
    if not reachable:
        raise ProxyRefused("This address is not one that a proxy can have.")


def _may_be_a_proxy(address: str) -> bool:
    """Proxies live on the internet, at home and on this machine, but not where clouds keep their credentials."""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return not (found.is_link_local or found.is_multicast or found.is_unspecified)


def _credential(text: str | None) -> str:
    plain = unquote(text or "", errors="replace")
    if len(plain.encode()) > LONGEST_CREDENTIAL or not (plain.isprintable() and "\ufffd" not in plain):
        raise ProxyRefused("The proxy's user and password must be printable and at most 255 bytes each.")
    return plain


def masked(url: str) -> str:
    """The proxy's address for people: without its user and password."""
    try:
        proxy = parse_proxy(url)
    except ProxyRefused:
        return "unreadable"
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    return f"{proxy.scheme}://{'***@' if proxy.user else ''}{host}:{proxy.port}"


@cache
def tls_context() -> ssl.SSLContext:
    """How every connection over TLS is checked."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a connection is to end; with ``tls`` None in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None


async def connect(factory: Callable[[], P], to: Destination, proxy: str | None, seconds: float | None) -> P:
    """A connection that ends at ``to``, through the proxy at that address when there is one.

    Raises TimeoutError after so many seconds, ProxyFailed when it is the proxy that fails, else what asyncio raises.
    """
    loop = asyncio.get_running_loop()
    deadline = None if seconds is None else loop.time() + seconds
    if proxy is None:
        async with asyncio.timeout_at(deadline):
            _, protocol = await loop.create_connection(factory, to.host, to.port, ssl=to.tls)
        return protocol
    try:
        async with asyncio.timeout_at(deadline):
            transport = await _tunnel(to, proxy)
    except TimeoutError:
        raise ProxyFailed("timeout") from None
    try:
        async with asyncio.timeout_at(deadline):
            return await _hand_over(transport, factory(), to)
    except BaseException:
        transport.abort()
        raise


async def _hand_over(transport: asyncio.Transport, protocol: P, to: Destination) -> P:
    """Let ``protocol`` speak with the destination."""
    if transport.is_closing():
        raise ProxyFailed("closed")
    if to.tls is None:
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        return protocol
    try:
        secure = await asyncio.get_running_loop().start_tls(transport, protocol, to.tls, server_hostname=to.host)
    except TypeError as exc:  # some versions of asyncio stumble while they report a failure of TLS within TLS
        raise ssl.SSLError from exc
    if secure is None:
        raise ConnectionResetError
    protocol.connection_made(secure)
    return protocol


async def _tunnel(to: Destination, address: str) -> asyncio.Transport:
    """A connection to the proxy on which it has agreed to pass on what comes next.  It does not read."""
    try:
        proxy = parse_proxy(address)
    except ProxyRefused:
        raise ProxyFailed("address") from None
    talk = TALKS[proxy.scheme](to.host, to.port, proxy.user, proxy.password)
    loop, tls = asyncio.get_running_loop(), tls_context() if proxy.scheme == "https" else None
    try:
        _, negotiation = await loop.create_connection(lambda: _Negotiation(talk), proxy.host, proxy.port, ssl=tls)
    except ssl.SSLError:
        raise ProxyFailed("tls") from None
    except OSError:
        raise ProxyFailed("unreachable") from None
    return await negotiation.tunnel()


class _Negotiation(asyncio.Protocol):
    """Holds one conversation with a proxy."""

    def __init__(self, talk: Conversation) -> None:
        self._talk, self._buffer, self._wanted = talk, b"", UNTIL_BLANK_LINE
        self._transport: asyncio.Transport | None = None
        self._agreed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def tunnel(self) -> asyncio.Transport:
        """The connection, once the proxy has agreed.  Raises ProxyFailed."""
        assert self._transport is not None
        try:
            await self._agreed
        except BaseException:
            self._transport.abort()
            raise
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer and not _may_be_a_proxy(peer[0].partition("%")[0]):
            self._fail("address")
            return
        self._say(next(self._talk))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while not self._agreed.done() and (heard := self._heard()) is not None:
            self._go_on(heard)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("closed")

    def _heard(self) -> bytes | None:
        """What the conversation waits for, once it is whole."""
        size = self._wanted
        if size == UNTIL_BLANK_LINE:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0 and len(self._buffer) > LONGEST_REPLY:
                self._fail("not_a_proxy")
            size = end + 4 if end >= 0 else LONGEST_REPLY
        if len(self._buffer) < size:
            return None
        heard, self._buffer = self._buffer[:size], self._buffer[size:]
        return heard

    def _go_on(self, heard: bytes) -> None:
        assert self._transport is not None
        try:
            self._say(self._talk.send(heard))
        except StopIteration:
            self._transport.pause_reading()
            if self._buffer:  # the destination does not speak first
                self._fail("not_a_proxy")
            else:
                self._agreed.set_result(None)
        except TunnelRefused as exc:
            self._fail(exc.reason)

    def _say(self, step: tuple[bytes, int]) -> None:
        assert self._transport is not None
        said, self._wanted = step
        if said:
            self._transport.write(said)

    def _fail(self, reason: str) -> None:
        if not self._agreed.done():
            self._agreed.set_exception(ProxyFailed(reason))
            self._agreed.exception()  # nobody may be waiting any more


class _ProxyConnector(aiohttp.BaseConnector):
    """Makes aiohttp's connections through one proxy."""

    def __init__(self, proxy: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(force_close=True)
        self._proxy, self._tls = proxy, tls

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        host, port = req.url.raw_host, req.url.port
        assert host is not None
        assert port is not None
        to = Destination(host, port, (self._tls or tls_context()) if req.url.scheme == "https" else None)
        try:
            return await connect(self._factory, to, self._proxy, min(timeout.sock_connect or inf, PROXY_SECONDS))
        except TimeoutError:
            raise
        except ssl.SSLError as exc:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, exc) from exc
        except OSError as exc:
            raise aiohttp.ClientConnectorError(req.connection_key, exc) from exc


def proxied_session(proxy: str | None, *, tls: ssl.SSLContext | None = None, **options: Any) -> aiohttp.ClientSession:
    """A session for one purpose that leaves through the proxy at that address, or straight with None.

    It keeps no connections and no cookies and takes no proxy from the environment; ``options`` are those of
    ``aiohttp.ClientSession``.  A request raises ProxyFailed when the proxy is to blame: then nothing has been sent to
    the destination, whose own failures are told as ever.
    """
    connector = aiohttp.TCPConnector(force_close=True) if proxy is None else _ProxyConnector(proxy, tls)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), **options)
