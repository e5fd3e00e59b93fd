"""A request to the backend whose answer is wanted whole: sent as Codex would send it, collected within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from codex_pooler.protocol.http1 import Body, ResponseHead, request_head
from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.http_turn import Credential, identity_headers
from codex_pooler.upstream.pool import ConnectionPool

PREFIX = "/backend-api"
MAX_ANSWER_BYTES = 64 * 1024 * 1024
ANSWERED, TOO_LARGE = "answered", "too_large"


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """``target`` is the path below ``/backend-api`` with its query; ``headers`` follow those of the account."""

    method: str
    target: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)


class Collector:
    """The receiver of one such request.

    ``done`` resolves once, to ``answered``, ``too_large``, or the reason why the connection was lost; a connection
    that is dropped on purpose leaves it to ``stop`` to say why.  ``heard_at`` is in the loop's seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int = MAX_ANSWER_BYTES) -> None:
        self.done: asyncio.Future[str] = loop.create_future()
        self.head: ResponseHead | None = None
        self.connection: UpstreamConnection | None = None
        self.heard_at = loop.time()
        self._loop, self._limit, self._size = loop, limit, 0
        self._pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        """What has arrived so far."""
        return b"".join(self._pieces)

    def head_received(self, head: ResponseHead, body: Body) -> None:
        self.head, self.heard_at = head, self._loop.time()

    def body_received(self, raw: bytes, pieces: Sequence[bytes]) -> None:
        self.heard_at = self._loop.time()
        self._size += sum(map(len, pieces))
        if self._size > self._limit:
            self.stop(TOO_LARGE)
        else:
            self._pieces += pieces

    def ended(self) -> None:
        self._end(ANSWERED)

    def lost(self, reason: str) -> None:
        self._end(reason)

    def stop(self, reason: str) -> None:
        """Give up: the connection is dropped, whatever was still to come."""
        if self.done.done():  # the connection may be serving somebody else by now
            return
        if self.connection:
            self.connection.abort()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_result(reason)


async def send_plain(
    pool: ConnectionPool, account: Credential, request: PlainRequest, collector: Collector, *, warm: bool
) -> None:
    """Send the request; ``collector`` hears the answer.  Raises ConnectFailed, ProtocolError.

    Without ``warm`` a connection of its own is made: on one kept from earlier a loss would leave it open whether the
    backend has seen the request.
    """
    route, identity = pool.route_of(account), identity_headers(account, pool.client_version)
    headers = [("host", route.authority), *identity, *request.headers, ("accept-encoding", "identity")]
    head = request_head(request.method, route.path_prefix + PREFIX + request.target, headers, len(request.body))
    connection = pool.take_idle(account.id, route) if warm else None
    if connection is None:
        connection = await pool.connect(account.id, route)
    collector.connection, collector.heard_at = connection, asyncio.get_running_loop().time()
    connection.send(head, request.body, collector)
