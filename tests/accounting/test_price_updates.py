"""Prices follow the feed the operator named, and nothing it does wrong takes the last good ones away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import psycopg2
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from codex_pooler.accounting.prices import Prices, bundled
from codex_pooler.jobs import prices as job
from codex_pooler.jobs.prices import FetchFailed, PriceKeeper, PublicResolver, fetch, import_list
from codex_pooler.jobs.services import JobFailed
from codex_pooler.protocol.usage import Usage
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_prices import KEPT, newest_list, store_list
from codex_pooler.storage.tables import price_catalogs


def feed(price: float, **more: Any) -> bytes:
    buckets = {"default": {"input": price, "output": price}}
    return orjson.dumps({"models": {"m": {"prices": {"standard": buckets}}}, **more})


class Publisher:
    """A server on this machine whose answer a test chooses."""

    def __init__(self) -> None:
        self.body, self.status, self.headers, self.asked = feed(1), 200, {"Content-Type": "application/json"}, 0
        self.delay = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        return web.Response(body=self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def publisher() -> AsyncIterator[tuple[Publisher, str]]:
    made = Publisher()
    app = web.Application()
    app.router.add_get("/{any:.*}", made.answer)
    async with TestServer(app) as server:
        yield made, str(server.make_url("/pricing.json"))


class Follower:
    """A process that keeps prices, and the job that is asked to fetch them."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.prices, self.url, self.wanted = database, Prices(), url, 0
        self.keeper = PriceKeeper(database, self.prices, lambda: self.url, self.want)

    async def want(self) -> None:
        self.wanted += 1

    async def job(self) -> None:
        await import_list(self.database, self.url, loopback_allowed=True)

    async def tick(self) -> None:
        """Look, fetch if that is wanted, and look again."""
        before = self.wanted
        await self.keeper.tick()
        if self.wanted > before:
            await self.job()
            await self.keeper.tick()

    async def later(self) -> None:
        """The hour is over."""
        await self.job()
        await self.keeper.tick()

    def micros(self) -> int | None:
        return self.prices.current.cost(["m"], None, None, Usage(10, 0, 0, 0)).micros


async def age(database: Database, interval: str = "2 hours") -> None:
    async with database.session() as session:
        await session.run(f"UPDATE price_catalogs SET fetched_at = fetched_at - interval '{interval}'")


async def stored(database: Database) -> int:
    async with database.session() as session:
        return len(await session.fetch(sa.select(price_catalogs.c.version)))


async def test_without_an_address_nothing_is_called_and_the_bundled_prices_hold(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    follower = Follower(database, "")
    await follower.tick()
    assert follower.prices.current is bundled()
    assert (publisher[0].asked, await stored(database)) == (0, 0)


async def test_a_list_is_used_and_stored_only_when_a_price_changes(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    server, url = publisher
    follower = Follower(database, url)
    await follower.tick()
    assert (follower.micros(), await stored(database)) == (10, 1)
    await follower.tick()
    assert server.asked == 1, "an hour must pass"
    server.body = feed(1, generated_at="later")
    await follower.later()
    assert (server.asked, await stored(database)) == (2, 1)
    server.body = feed(2)
    await follower.later()
    assert (follower.micros(), await stored(database)) == (20, 2)


@pytest.mark.parametrize("wrong", ["down", "garbage", "empty", "huge", "redirect", "nul"])
async def test_a_feed_that_is_down_or_garbage_leaves_the_last_good_prices(
    wrong: str, database: Database, publisher: tuple[Publisher, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = publisher
    follower = Follower(database, url)
    await follower.tick()
    if wrong == "down":
        server.status = 503
    elif wrong == "redirect":
        server.status, server.headers = 302, {"Location": "/elsewhere.json"}
    else:
        garbage = {"garbage": b"<html>", "empty": b"{}", "huge": feed(3) + b" " * (6 << 20)}
        server.body = garbage.get(wrong) or feed(7, odd="\0")
    with pytest.raises(JobFailed, match="The last good prices stay"):
        await follower.job()
    await follower.keeper.tick()
    assert server.asked == 2
    assert (follower.micros(), await stored(database)) == (10, 1)
    assert "the last good prices stay" in caplog.text
    server.status, server.headers, server.body = 200, {}, feed(4)
    await follower.later()
    assert follower.micros() == 40


async def test_a_restart_begins_with_what_was_fetched_last_and_wants_a_newer_one(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    await Follower(database, publisher[1]).tick()
    restarted = Follower(database, publisher[1])
    await restarted.keeper.tick()
    assert (restarted.micros(), restarted.wanted) == (10, 0)
    await age(database)
    restarted = Follower(database, publisher[1])
    await restarted.keeper.tick()
    assert (restarted.micros(), restarted.wanted) == (10, 1)


async def test_processes_that_share_a_database_share_one_fetch(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    server, url = publisher
    one, other = Follower(database, url), Follower(database, url)
    await one.tick()
    await other.tick()
    assert (other.micros(), server.asked) == (10, 1)
    server.body = feed(2)
    await one.later()
    await other.tick()
    assert (other.micros(), server.asked) == (20, 2)


async def test_a_list_that_cannot_be_asked_for_is_asked_for_again(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    class Unlucky(Follower):
        async def want(self) -> None:
            await super().want()
            if self.wanted == 1:
                raise psycopg2.OperationalError

    follower = Unlucky(database, publisher[1])
    await follower.keeper.tick()
    await follower.tick()
    await follower.keeper.tick()
    assert (follower.wanted, follower.micros()) == (2, 10)


async def test_an_address_that_is_taken_away_brings_the_bundled_prices_back(
    database: Database, publisher: tuple[Publisher, str]
) -> None:
    follower = Follower(database, publisher[1])
    await follower.tick()
    follower.url = ""
    await follower.tick()
    assert follower.prices.current is bundled()


async def test_a_database_that_cannot_be_read_ends_nothing(dsn: str, publisher: tuple[Publisher, str]) -> None:
    gone = await Database.open(dsn, maxsize=1)
    follower = Follower(gone, publisher[1])
    async with gone.session() as session:
        await session.run("ALTER TABLE price_catalogs RENAME TO elsewhere")
    await follower.keeper.tick()
    assert follower.prices.current is bundled()
    await gone.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/pricing.json",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/",
        "https://[::1]/",
        "https://user@example.com/",
        "https://0x7f000001/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_only_public_https_addresses_are_called(url: str) -> None:
    with pytest.raises(FetchFailed, match="not a public HTTPS address"):
        await fetch(url)


async def test_names_that_lead_into_a_private_network_are_not_followed() -> None:
    class Poisoned:
        async def resolve(self, host: str, port: int, family: int) -> list[dict[str, Any]]:
            return [{"host": address} for address in ("10.0.0.1", "127.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1")]

        async def close(self) -> None:
            return None

    for loopback_allowed in (False, True):
        resolver = PublicResolver(loopback_allowed=loopback_allowed)
        await resolver.close()
        resolver._inner = Poisoned()  # type: ignore[assignment]
        with pytest.raises(OSError, match="no public address"):
            await resolver.resolve("prices.example.com")


async def test_this_machine_is_called_only_in_a_lab(publisher: tuple[Publisher, str]) -> None:
    server, url = publisher
    with pytest.raises(FetchFailed):
        await fetch(url)
    assert server.asked == 0
    named = url.replace("127.0.0.1", "localhost")
    assert await fetch(named, loopback_allowed=True) == feed(1)


async def test_a_server_that_never_answers_is_given_up(publisher: tuple[Publisher, str]) -> None:
    server, url = publisher
    server.delay = 0.5
    with pytest.raises(FetchFailed, match=r"within 0\.1 seconds"):
        await fetch(url, loopback_allowed=True, timeout_seconds=0.1)


async def test_old_lists_are_forgotten(database: Database) -> None:
    async with database.session() as session:
        for number in range(KEPT + 5):
            await store_list(session, "https://x", str(number), b'{"models": {"m": 1.50}}')
        newest = await newest_list(session, "https://x")
    assert await stored(database) == KEPT
    assert newest is not None
    assert (newest.version, newest.document) == (str(KEPT + 4), b'{"models": {"m": 1.50}}')


async def test_the_loop_looks_again_and_again(
    database: Database, publisher: tuple[Publisher, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LOOK_SECONDS", 0.01)
    follower = Follower(database, "")
    running = asyncio.create_task(follower.keeper.run())
    await asyncio.sleep(0.05)
    follower.url = publisher[1]
    await follower.job()
    for _ in range(200):
        if follower.micros() == 10:
            break
        await asyncio.sleep(0.02)
    assert follower.micros() == 10
    while not running.done():  # a database error in the same moment can swallow a cancellation
        running.cancel()
        await asyncio.wait([running], timeout=0.2)
