"""Keeps prices current: the list that the operator named is fetched every hour, and the last good one counts."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_address

import aiohttp
import psycopg2
from aiohttp.abc import AbstractResolver, ResolveResult

from codex_pooler.accounting.prices import PriceBook, Prices, bundled
from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.protocol.destinations import is_loopback, is_public, may_lead_out
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_prices import StoredList, newest_list, newest_version, store_list

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
LOOK_SECONDS = 15.0  # how soon another address, or a new list, counts
TIMEOUT_SECONDS = 30.0
LARGEST_BYTES = 5 << 20


class FetchFailed(Exception):
    """Why a price list could not be had, for people."""


async def import_prices(services: Services) -> None:
    """Fetch the list that the operator named and keep it for every process.  Raises JobFailed."""
    await services.snapshot.refresh()
    url = services.snapshot.current.settings.catalog.openai_pricing_url
    if url:
        await import_list(services.database, url, loopback_allowed=services.lab)


async def import_list(database: Database, url: str, *, loopback_allowed: bool = False) -> None:
    """Fetch a list, make sure that it is one, and store it.  Raises JobFailed."""
    try:
        document = await fetch(url, loopback_allowed=loopback_allowed)
        book = await asyncio.to_thread(PriceBook.read, document)
    except (FetchFailed, ValueError) as exc:
        log.warning("the price list is of no use, the last good prices stay: %s", exc)
        raise JobFailed("price_list_unusable", f"The last good prices stay: {exc}") from None
    try:
        async with database.transaction() as session:
            await store_list(session, url, book.version, document)
    except psycopg2.DataError:
        log.warning("the price list cannot be stored, the last good prices stay")
        raise JobFailed("price_list_unusable", "The last good prices stay: the list cannot be stored.") from None


class PriceKeeper:
    """One per process that serves turns: the newest list that is stored counts there.

    ``url`` is asked each time, because the setting may change; empty: the bundled prices.  ``wanted`` is called when
    the list of an address was never fetched, or not within the hour, and starts that.
    """

    def __init__(
        self, database: Database, prices: Prices, url: Callable[[], str], wanted: Callable[[], Awaitable[object]]
    ) -> None:
        self._database, self._prices, self._url, self._wanted = database, prices, url, wanted
        self._used: str | None = None  # the address whose prices are in use

    async def run(self) -> None:
        """Keep the prices current until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(LOOK_SECONDS)

    async def tick(self) -> None:
        """Look once.  Never raises for a database or list that cannot be used: the prices stay as they are."""
        url = self._url()
        try:
            if url != self._used:
                await self._start_from(url)
            elif url:
                await self._adopt(url)
        except ValueError as exc:
            log.warning("the stored price list is of no use, the last good prices stay: %s", exc)
        except (psycopg2.Error, TimeoutError) as exc:
            log.warning("price lists cannot be read back now (%s); the last good prices stay", type(exc).__name__)

    async def _start_from(self, url: str) -> None:
        """What was last fetched from this address, or else what the product came with."""
        async with self._database.session() as session:
            stored = await newest_list(session, url) if url else None
        self._prices.current = await asyncio.to_thread(PriceBook.read, stored.document) if stored else bundled()
        if url and not _is_fresh(stored):
            await self._wanted()
        self._used = url

    async def _adopt(self, url: str) -> None:
        async with self._database.session() as session:
            if await newest_version(session, url) in (None, self._prices.current.version):
                return
            stored = await newest_list(session, url)
        if stored:
            self._prices.current = await asyncio.to_thread(PriceBook.read, stored.document)
            log.info("new prices for %d models are in use", len(self._prices.current.feed.models))


def _is_fresh(stored: StoredList | None) -> bool:
    age = (datetime.now(UTC) - stored.fetched_at).total_seconds() if stored else EVERY_SECONDS
    return 0 <= age < EVERY_SECONDS


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
