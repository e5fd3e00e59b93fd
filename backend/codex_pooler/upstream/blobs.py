"""The storage that the backend keeps files in: reached at an address that the backend names, by the account's own way
out, and told nothing of the account."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from urllib.parse import urlsplit

from codex_pooler.protocol.destinations import is_loopback, is_public, may_lead_out
from codex_pooler.protocol.http1 import ProtocolError, request_head
from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.plain import ANSWERED, Collector
from codex_pooler.upstream.pool import ConnectFailed, ConnectionPool, Leaving
from codex_pooler.upstream.routes import Route, route_to

SECONDS = 300.0  # in which even a slow line carries the largest file
MOST_SAID = 64 * 1024  # bytes of an answer that nobody reads
BLOCK_BLOB = ("x-ms-blob-type", "BlockBlob")


class BlobFailed(Exception):
    """The bytes did not get there, or not back.  ``reason`` is one word for the log.

    ``address`` for one that must not be followed, ``status_…`` with the storage's own number, else as of a lost
    connection; ``passing``: whether it may go better at once.
    """

    def __init__(self, reason: str, *, passing: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.passing = reason, passing


async def put_blob(pool: ConnectionPool, account: Leaving, url: str, data: bytes | memoryview) -> None:
    """Write a file to where the backend wants it.  Raises BlobFailed."""
    await _asked(pool, account, "PUT", url, bytes(data), MOST_SAID)


async def get_blob(pool: ConnectionPool, account: Leaving, url: str, most: int) -> bytes:
    """Read a file of at most so many bytes back.  Raises BlobFailed."""
    return await _asked(pool, account, "GET", url, None, most)


async def _asked(pool: ConnectionPool, account: Leaving, method: str, url: str, body: bytes | None, most: int) -> bytes:
    """Ask, and once more when that may help: the same bytes written or read again do no harm."""
    try:
        return await _in_time(pool, account, method, url, body, most)
    except BlobFailed as exc:
        if not exc.passing:
            raise
    return await _in_time(pool, account, method, url, body, most)


async def _in_time(
    pool: ConnectionPool, account: Leaving, method: str, url: str, body: bytes | None, most: int
) -> bytes:
    try:
        async with asyncio.timeout(SECONDS):
            return await _exchange(pool, account, method, url, body, most)
    except TimeoutError:
        raise BlobFailed("timeout", passing=False) from None


async def _exchange(
    pool: ConnectionPool, account: Leaving, method: str, url: str, body: bytes | None, most: int
) -> bytes:
    """Ask once, on a connection of its own.  Redirections are failures: they could lead anywhere."""
    loopback_allowed = is_loopback(pool.host)
    if not may_lead_out(url, loopback_allowed=loopback_allowed):
        raise BlobFailed("address", passing=False)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    route = route_to(f"{parts.scheme}://{parts.netloc}", account.proxy_url)
    kind = [BLOCK_BLOB] if body is not None else []
    headers = [("host", route.authority), *kind, ("accept", "*/*"), ("accept-encoding", "identity")]
    try:
        head = request_head(method, target, headers, None if body is None else len(body))
        connection = await _dialled(pool, route, loopback_allowed=loopback_allowed)
    except ProtocolError:
        raise BlobFailed("address", passing=False) from None
    except ConnectFailed as exc:
        raise BlobFailed(exc.code) from None
    collector = Collector(asyncio.get_running_loop(), most)
    collector.connection = connection
    try:
        connection.send(head, body or b"", collector)
        reason = await collector.done
    finally:
        collector.stop("left")
        connection.abort()
    if reason != ANSWERED or collector.head is None:
        raise BlobFailed(reason)
    if not 200 <= collector.head.status < 300:
        raise BlobFailed(f"status_{collector.head.status}", passing=collector.head.status >= 500)
    return collector.body


async def _dialled(pool: ConnectionPool, route: Route, *, loopback_allowed: bool) -> UpstreamConnection:
    """A connection that has not ended up in a private network.  Raises ConnectFailed, BlobFailed."""
    guarded = route.proxy is None and not (loopback_allowed and is_loopback(route.to.host))
    kind = _ToPublicHost if guarded else UpstreamConnection
    connection = await pool.dial(lambda: kind(UpstreamConnection.abort, route), route)
    if not connection.usable:
        raise BlobFailed("address", passing=False)
    return connection


class _ToPublicHost(UpstreamConnection):
    """Gives up at once where a name leads to an address that it should not."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if not peer or not is_public(ip_address(peer[0].partition("%")[0])):
            self.abort()
