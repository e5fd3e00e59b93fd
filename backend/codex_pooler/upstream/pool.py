"""Keep-alive connections to the backend, kept apart by account so that no two accounts ever share one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from codex_pooler.upstream.connection import UpstreamConnection

CONNECT_SECONDS = 10.0
CLIENT_VERSION = "0.169.0"  # the Codex that the backend is told it talks to
IDLE_SECONDS = 55.0
P = TypeVar("P", bound=asyncio.Protocol)


class ConnectFailed(Exception):
    """No connection to the backend could be made.  ``reason``: ``connect_timeout``, ``tls`` or ``connect``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HeadStart(NamedTuple):
    """The beginning of a request head, and the login that it was made for."""

    said: tuple[str, str]
    head: bytes


class ConnectionPool:
    """Connections to one origin, by account."""

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        assert parts.hostname is not None
        self.host, self.path_prefix = parts.hostname, parts.path.rstrip("/")
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.authority = parts.netloc.rpartition("@")[2]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.connect_seconds, self.client_version = CONNECT_SECONDS, CLIENT_VERSION
        self._idle: dict[object, deque[UpstreamConnection]] = {}
        self.head_starts: dict[int, HeadStart] = {}
        self._closed = False

    def take_idle(self, owner: object) -> UpstreamConnection | None:
        """A warm connection of this owner, the most recently used first."""
        waiting = self._idle.get(owner)
        while waiting:
            connection = waiting.pop()
            if connection.usable and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    async def connect(self, owner: object) -> UpstreamConnection:
        """A new connection.  Raises ConnectFailed."""

        def keep(connection: UpstreamConnection) -> None:
            if self._closed:
                connection.abort()
                return
            connection.idle_since = time.monotonic()
            self._idle.setdefault(owner, deque()).append(connection)

        return await self.dial(lambda: UpstreamConnection(keep))

    async def dial(self, factory: Callable[[], P]) -> P:
        """A connection to the origin, whatever is spoken on it.  Raises ConnectFailed."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_seconds):
                _, protocol = await loop.create_connection(factory, self.host, self.port, ssl=self._tls)
        except TimeoutError:
            raise ConnectFailed("connect_timeout") from None
        except ssl.SSLError:
            raise ConnectFailed("tls") from None
        except OSError:
            raise ConnectFailed("connect") from None
        return protocol

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
