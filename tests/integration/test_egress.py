"""An account with an egress proxy, in a whole gateway: from its import on, it is that door or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.models import FetchFailed, fetch_models
from codex_pooler.upstream.usage import UsageClient, UsageUnavailable
from tests.integration.clients import TRANSPORTS
from tests.integration.test_websocket import answer_id, connected
from tests.integration.whole import Gateway
from tests.upstream.proxies import ProxyServer, proxying

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Pair:
    """A pool of its own: an account behind a proxy, which always goes first, and one without."""

    gateway: Gateway
    name: str
    upstream_id: UUID

    async def turn(self, transport: str = "http") -> Any:
        return await TRANSPORTS[transport](self.gateway, "Reply with exactly: ok")

    def account(self) -> Account:
        """As the gateway sees it now."""
        pools = self.gateway.process.house.snapshot.current.pools.values()
        members = (member for pool in pools for member in pool.members)
        return next(member.account for member in members if member.account.id == self.upstream_id)

    async def arrivals(self) -> int:
        """How often the backend has heard of the account, whatever it was about."""
        arrived = (await self.gateway.control("GET", "/record"))["arrivals"]
        return sum(arrival["account"] == self.name for arrival in arrived)

    async def last(self) -> list[tuple[str, str | None]]:
        """The attempts of the newest request: outcome and code."""
        return [(each["outcome"], each["error_code"]) for each in (await self.gateway.log())[0]["attempt_log"]]


@asynccontextmanager
async def behind(gateway: Gateway, proxy: str) -> AsyncIterator[Pair]:
    pool = await gateway.admin("POST", "/pools", {"name": "Proxied", "strategy": "fill_first"})
    ids = []
    for number, address in ((1, proxy), (2, None)):
        account = gateway.world.add_account(f"proxied-{number}")
        body = {"pool_id": pool["id"], "auth_json": gateway.world.auth_json(account), "label": account.name}
        more = {"egress_proxy": address} if address else {}
        ids.append((await gateway.admin("POST", "/upstreams/import", body | more))["account"]["id"])
    key = await gateway.admin("POST", "/api-keys", {"name": "proxied", "pool_id": pool["id"]})
    yield Pair(replace(gateway, key=key["secret"], pool_id=pool["id"]), "proxied-1", UUID(ids[0]))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_behind_a_dead_proxy_nothing_is_sent_and_the_next_account_serves(
    gateway: Gateway, transport: str
) -> None:
    async with behind(gateway, NOWHERE) as pair:
        told = await pair.turn(transport)
        assert (told.end, told.text) == ("response.completed", "ok")
        assert await pair.last() == [("failed_over", "egress_proxy_failed"), ("served", None)]
        backend = gateway.process.context.backend
        with pytest.raises(UsageUnavailable, match=r"^egress_proxy_failed$"):
            await UsageClient(backend).fetch(pair.account())
        with pytest.raises(FetchFailed, match=r"^egress_proxy_failed$"):
            await fetch_models(backend, pair.account(), "0.169.0", None)
        assert await pair.arrivals() == 0, "the backend has never heard of this account"


async def test_an_account_whose_proxy_is_dead_goes_last_and_says_why(gateway: Gateway) -> None:
    async with behind(gateway, NOWHERE) as pair:
        for _ in range(2):
            assert (await pair.turn()).text == "ok"
        assert await pair.last() == [("served", None)], "what has just failed is not tried first again"
        health = await gateway.admin("GET", f"/upstreams/{pair.upstream_id}/route-health")
        assert [each["last_error"] for each in health["items"]] == ["egress_proxy_failed"]
        assert await pair.arrivals() == 0


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_behind_a_proxy_everything_goes_through_it_until_it_dies(gateway: Gateway, scheme: str) -> None:
    async with proxying(credentials=("me", "pw")) as proxy, behind(gateway, proxy.url(scheme, "me:pw")) as pair:
        for transport in TRANSPORTS:
            before = len(proxy.tunnels)
            assert (await pair.turn(transport)).text == "ok"
            assert await pair.last() == [("served", None)]
            assert len(proxy.tunnels) > before
        await _asked_for_models(pair, proxy)
        proxy.behaviour = "close"
        proxy.cut()
        heard = await pair.arrivals()
        assert (await pair.turn()).text == "ok"
        assert await pair.last() == [("failed_over", "egress_proxy_failed"), ("served", None)]
        assert await pair.arrivals() == heard


async def _asked_for_models(pair: Pair, proxy: ProxyServer) -> None:
    async with asyncio.timeout(20):
        while pair.account().models is None:
            await asyncio.sleep(0.05)
    port = int(pair.gateway.backend.rpartition(":")[2])
    assert set(proxy.tunnels) == {("127.0.0.1", port)}


async def test_an_open_socket_takes_the_new_door_with_its_next_turn(gateway: Gateway) -> None:
    """Also a socket that is idle: what it could have continued has to be sent in full."""
    async with (
        proxying() as first,
        proxying() as second,
        behind(gateway, first.url()) as pair,
        connected(pair.gateway) as talk,
    ):
        told = await talk.turn()
        assert told[-1]["type"] == "response.completed"
        await gateway.admin("PATCH", f"/upstreams/{pair.upstream_id}", {"egress_proxy": second.url("socks5")})
        async with asyncio.timeout(20):
            while pair.account().proxy_url != second.url("socks5"):
                await asyncio.sleep(0.02)
        second.tunnels.clear()  # of models and usage
        (refused,) = await talk.turn(previous_response_id=answer_id(told))
        assert refused["error"]["code"] == "previous_response_not_found"
        assert (await talk.turn())[-1]["type"] == "response.completed"
        assert await pair.last() == [("served", None)]
        assert second.tunnels
        async with asyncio.timeout(20):
            while first.open:
                await asyncio.sleep(0.02)
