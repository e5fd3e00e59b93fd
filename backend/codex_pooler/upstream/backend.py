"""Questions to the backend about one account, asked as that account: by its route and with its own cookies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson

from codex_pooler.protocol.http1 import ProtocolError, ResponseHead, request_head
from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.http_turn import Credential, identity_headers
from codex_pooler.upstream.plain import ANSWERED, Collector
from codex_pooler.upstream.pool import ConnectFailed, ConnectionPool
from codex_pooler.upstream.routes import Route

# what the network in front of the backend gives a caller so that it is not challenged again
PASSES = frozenset(
    {"__cf_bm", "__cflb", "__cfruid", "__cfseq", "__cfwaitingroom"}
    | {"_cfuvid", "cf_clearance", "cf_ob_info", "cf_use_ob"}
)
LONGEST_COOKIE = 4096
MOST_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0


class Unreachable(Exception):
    """No whole answer came.  ``reason`` is one word for the log.

    ``timeout``, ``connect_timeout``, ``connect``, ``tls``, ``backend_origin`` and ``egress_proxy_failed`` come of the
    way there; ``reset``, ``closed`` and ``protocol_error`` of the connection, ``too_large`` of the answer;
    ``unsendable`` is a header that cannot be written.  ``sent`` says whether the backend may have seen the request.
    """

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in full; ``headers`` by lower-case name, the first of each."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        try:
            orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return False
        return True

    @property
    def refuses(self) -> bool:
        return self.status in (401, 403)

    @property
    def is_challenge(self) -> bool:
        """A page instead of JSON comes from something that stands before the backend and knows no accounts."""
        return self.refuses and not self.is_json


@dataclass(frozen=True, slots=True)
class _Jar:
    """The passes that an account was given on one route; by another they are worth nothing and tell too much."""

    route: Route
    passes: Mapping[str, str] = field(repr=False)


class Backend:
    """One per process: whatever asks about an account shows the same passes.  They live in memory only."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._jars: dict[UUID, _Jar] = {}

    async def request(
        self,
        account: Credential,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> Reply:
        """Ask by a connection of its own, within so much time and no longer an answer.  Raises Unreachable.

        ``path`` begins with ``/backend-api``; ``headers`` (lower-case names) go before those of the account.  A
        challenge that hands out a pass is answered by asking once more with it: the backend has not seen the first.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        body = b"" if json is None else orjson.dumps(json)
        said = {"accept": "application/json"} | ({"content-type": "application/json"} if body else {})
        question = _Question(method, target, body, said | dict(headers or {}), most_bytes)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask_with_pass(account, question)
        except TimeoutError:
            raise Unreachable("timeout", sent=True) from None
        except ConnectFailed as exc:
            raise Unreachable(exc.reason) from None
        except ProtocolError:
            raise Unreachable("unsendable") from None

    async def _ask_with_pass(self, account: Credential, question: _Question) -> Reply:
        route = self._pool.route_of(account)
        reply, given = await self._ask(account, route, question)
        return (await self._ask(account, route, question))[0] if given and reply.is_challenge else reply

    async def _ask(self, account: Credential, route: Route, question: _Question) -> tuple[Reply, bool]:
        """The answer, and whether it came with passes."""
        head = self._head(account, route, question)
        connection = await self._pool.dial(lambda: UpstreamConnection(UpstreamConnection.abort, route), route)
        collector = Collector(asyncio.get_running_loop(), question.most_bytes)
        collector.connection = connection
        try:
            connection.send(head, question.body, collector)
            reason = await collector.done
        finally:
            collector.stop("left")
            connection.abort()
        if reason != ANSWERED or collector.head is None:
            raise Unreachable(reason, sent=True)
        given = self._keep_passes(account.id, route, collector.head)
        return Reply(collector.head.status, _by_name(collector.head), collector.body), given

    def _head(self, account: Credential, route: Route, question: _Question) -> bytes:
        jar = self._jars.get(account.id)
        cookie = _cookie(jar.passes) if jar and jar.route == route else ""
        headers = {"host": route.authority, **dict(identity_headers(account, self._pool.client_version))}
        headers |= {**question.headers, "accept-encoding": "identity"} | ({"cookie": cookie} if cookie else {})
        length = len(question.body) if question.body or question.method != "GET" else None
        return request_head(question.method, route.path_prefix + question.target, list(headers.items()), length)

    def _keep_passes(self, account_id: UUID, route: Route, head: ResponseHead) -> bool:
        given = dict(passes_in(head))
        if given:
            jar = self._jars.get(account_id)
            known = jar.passes if jar and jar.route == route else {}
            self._jars[account_id] = _Jar(route, {name: value for name, value in {**known, **given}.items() if value})
        return any(given.values())


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    target: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    most_bytes: int


def passes_in(head: ResponseHead) -> Iterator[tuple[str, str]]:
    """The passes that an answer hands out; an empty value takes one back.  Every other cookie is left behind."""
    for name, line in head.headers:
        if name != "set-cookie":
            continue
        key, _, value = line.partition(";")[0].partition("=")
        if key.strip() in PASSES and len(value) <= LONGEST_COOKIE and value.isascii():
            yield key.strip(), value.strip()


def _cookie(passes: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in passes.items())


def _by_name(head: ResponseHead) -> dict[str, str]:
    return dict(reversed(head.headers))
