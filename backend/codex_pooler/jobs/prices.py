"""Keeps prices current: reads the list that the operator named, every hour, and holds on to the last good one."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address

import aiohttp
import psycopg2
from aiohttp.abc import AbstractResolver, ResolveResult

from codex_pooler.accounting.prices import PriceBook, Prices, bundled
from codex_pooler.protocol.destinations import is_loopback, is_public, may_lead_out
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_prices import newest_list, store_list

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
AGAIN_SECONDS = 600.0  # after a failure
LOOK_SECONDS = 60.0  # how soon another address counts
TIMEOUT_SECONDS = 30.0
LARGEST_BYTES = 5 << 20


class FetchFailed(Exception):
    """Why a price list could not be had, for people."""


class PriceUpdates:
    """One per process.  ``url`` is asked each time, because the setting may change; empty: the bundled prices."""

    def __init__(
        self, database: Database, prices: Prices, url: Callable[[], str], *, loopback_allowed: bool = False
    ) -> None:
        self._database, self._prices, self._url = database, prices, url
        self._loopback_allowed = loopback_allowed
        self._used: str | None = None  # the address whose prices are in use
        self._due = 0.0  # loop time

    async def run(self) -> None:
        """Keep the prices current until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(LOOK_SECONDS)

    async def tick(self) -> None:
        """Do what is due.  Never raises for a feed or database that cannot be used: the prices stay as they are."""
        url, now = self._url(), asyncio.get_running_loop().time()
        if url == self._used and (now < self._due or not url):
            return
        try:
            await self._follow(url)
            self._due = now + EVERY_SECONDS
        except (FetchFailed, ValueError) as exc:
            self._due = now + AGAIN_SECONDS
            log.warning("the price list is of no use, the last good prices stay: %s", exc)
        except (psycopg2.Error, TimeoutError) as exc:
            self._due = now + AGAIN_SECONDS
            log.warning("price lists can be neither stored nor read back (%s)", type(exc).__name__)
        self._used = url

    async def _follow(self, url: str) -> None:
        if url != self._used:
            await self._start_from(url)
        if url and not await self._is_fresh(url):
            await self._fetch(url)

    async def _start_from(self, url: str) -> None:
        """What was last fetched from this address, or else what the product came with."""
        async with self._database.session() as session:
            stored = await newest_list(session, url) if url else None
        self._prices.current = await asyncio.to_thread(PriceBook.read, stored.document) if stored else bundled()

    async def _is_fresh(self, url: str) -> bool:
        """Whether another process fetched it within the hour; its prices are then used here too."""
        async with self._database.session() as session:
            stored = await newest_list(session, url)
        age = (datetime.now(UTC) - stored.fetched_at).total_seconds() if stored else EVERY_SECONDS
        if stored is None or not 0 <= age < EVERY_SECONDS - LOOK_SECONDS:
            return False
        if stored.version != self._prices.current.version:
            self._prices.current = await asyncio.to_thread(PriceBook.read, stored.document)
        return True

    async def _fetch(self, url: str) -> None:
        document = await fetch(url, loopback_allowed=self._loopback_allowed)
        book = await asyncio.to_thread(PriceBook.read, document)
        if book.version != self._prices.current.version:
            log.info("new prices for %d models are in use", len(book.feed.models))
            self._prices.current = book
        async with self._database.transaction() as session:
            await store_list(session, url, book.version, document)


async def fetch(url: str, *, loopback_allowed: bool = False, timeout_seconds: float = TIMEOUT_SECONDS) -> bytes:
    """The document at a public HTTPS address.  Raises FetchFailed, also when it leads elsewhere or is too large.

    ``loopback_allowed`` admits this machine as well, for labs and tests.
    """
    if not may_lead_out(url, loopback_allowed=loopback_allowed):
        raise FetchFailed("the address is not a public HTTPS address")
    connector = aiohttp.TCPConnector(resolver=PublicResolver(loopback_allowed=loopback_allowed))
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"accept": "application/json"}) as answer,
        ):
            return await _body_of(answer)
    except TimeoutError:
        raise FetchFailed(f"no answer within {timeout_seconds:g} seconds") from None
    except (aiohttp.ClientError, OSError) as exc:
        raise FetchFailed(f"the server cannot be reached or broke off ({type(exc).__name__})") from None


async def _body_of(answer: aiohttp.ClientResponse) -> bytes:
    if answer.status != 200:
        raise FetchFailed(f"the server answered {answer.status}")
    body = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > LARGEST_BYTES:
            raise FetchFailed(f"the document is larger than {LARGEST_BYTES >> 20} MiB")
    return bytes(body)


class PublicResolver(AbstractResolver):
    """Names lead to public addresses only, whatever their owners let them point to."""

    def __init__(self, *, loopback_allowed: bool = False) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._loopback_allowed = loopback_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host.  Raises OSError when it has no public one."""
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if self._may_be_dialled(host, each["host"])]
        if not allowed:
            raise OSError("the name leads to no public address")
        return allowed

    def _may_be_dialled(self, host: str, address: str) -> bool:
        if is_public(ip_address(address.partition("%")[0])):
            return True
        return self._loopback_allowed and is_loopback(host) and is_loopback(address)

    async def close(self) -> None:
        await self._inner.close()
