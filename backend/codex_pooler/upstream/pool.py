"""Keep-alive connections to the backend, kept apart by account and route so that no two accounts ever share one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.egress import ProxyFailed, connect
from codex_pooler.upstream.routes import Route, route_to, trusted_origin

CONNECT_SECONDS = 10.0
CLIENT_VERSION = "0.169.0"  # the Codex that the backend is told it talks to
IDLE_SECONDS = 55.0
MOST_ROUTES = 4096
EGRESS = "egress_proxy_failed"
P = TypeVar("P", bound=asyncio.Protocol)


class ConnectFailed(Exception):
    """No connection to the backend could be made, so it has seen nothing of the request.

    ``reason``: ``connect_timeout``, ``tls``, ``connect``, ``backend_origin`` for one that is not trusted, or
    ``egress_proxy_failed`` with the proxy's own reason as ``detail``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail

    @property
    def code(self) -> str:
        """What the log and operators call it."""
        return EGRESS if self.reason == EGRESS else f"upstream_{self.reason}_failed"


class Leaving(Protocol):
    """The part of an account that decides where its requests go, and by which door."""

    @property
    def id(self) -> UUID: ...

    @property
    def backend_origin(self) -> str | None: ...

    @property
    def proxy_url(self) -> str | None: ...


class HeadStart(NamedTuple):
    """The beginning of a request head, and what it was made from."""

    account: object
    client_version: str
    head: bytes


class ConnectionPool:
    """Connections by account, to ``origin`` unless the account's own is another.  ``tls``: how to check it."""

    def __init__(self, origin: str, tls: ssl.SSLContext | None = None) -> None:
        self.origin, self._tls = origin, tls
        self.route = route_to(origin, tls=tls)  # of everybody who has no other
        self.connect_seconds, self.client_version = CONNECT_SECONDS, CLIENT_VERSION
        self._idle: dict[UUID, deque[UpstreamConnection]] = {}
        self._routes: dict[tuple[str | None, str | None], Route] = {}
        self.head_starts: dict[int, HeadStart] = {}
        self._closed = False

    @property
    def host(self) -> str:
        """Where everybody's backend is."""
        return self.route.to.host

    def route_of(self, account: Leaving) -> Route:
        """Where this account's requests go.  Raises ConnectFailed."""
        if account.proxy_url is None and account.backend_origin is None:
            return self.route
        ends = account.backend_origin, account.proxy_url
        return self._routes.get(ends) or self._new_route(*ends)

    def _new_route(self, origin: str | None, proxy: str | None) -> Route:
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        there = self.origin if origin is None else trusted_origin(origin, self.origin)
        if there is None:
            raise ConnectFailed("backend_origin")
        route = self._routes[origin, proxy] = route_to(there, proxy, self._tls)
        return route

    def take_idle(self, owner: UUID, route: Route) -> UpstreamConnection | None:
        """A warm connection of this owner, the most recently used first; those that left otherwise are dropped."""
        waiting = self._idle.get(owner)
        while waiting:
            connection = waiting.pop()
            fresh = connection.usable and time.monotonic() - connection.idle_since < IDLE_SECONDS
            if fresh and (connection.route is route or connection.route == route):
                return connection
            connection.abort()
        return None

    async def connect(self, owner: UUID, route: Route) -> UpstreamConnection:
        """A new connection.  Raises ConnectFailed."""

        def keep(connection: UpstreamConnection) -> None:
            if self._closed:
                connection.abort()
                return
            connection.idle_since = time.monotonic()
            self._idle.setdefault(owner, deque()).append(connection)

        return await self.dial(lambda: UpstreamConnection(keep, route), route)

    async def dial(self, factory: Callable[[], P], route: Route) -> P:
        """A connection by this route, whatever is spoken on it.  Raises ConnectFailed."""
        try:
            return await connect(factory, route.to, route.proxy, self.connect_seconds)
        except ProxyFailed as exc:
            raise ConnectFailed(EGRESS, exc.reason) from None
        except TimeoutError:
            raise ConnectFailed("connect_timeout") from None
        except ssl.SSLError:
            raise ConnectFailed("tls") from None
        except OSError:
            raise ConnectFailed("connect") from None

    def drop_stale(self) -> None:
        """Close what has been idle too long."""
        now = time.monotonic()
        for owner, waiting in list(self._idle.items()):
            while waiting and now - waiting[0].idle_since >= IDLE_SECONDS:
                waiting.popleft().abort()
            if not waiting:
                del self._idle[owner]

    def close(self) -> None:
        self._closed = True
        for waiting in self._idle.values():
            for connection in waiting:
                connection.abort()
        self._idle.clear()
