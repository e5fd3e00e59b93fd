"""A pool of one test's own within the gateway that this folder's tests share, and what befalls its accounts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from e2e.clients.programs import EVERY

from tests.integration.whole import Gateway

TURNS = "/backend-api/codex/responses"
CAUSE = """
import json, urllib.request
for path, body in json.loads({calls!r}):
    headers = {{"Content-Type": "application/json"}}
    request = urllib.request.Request({backend!r} + "/__control" + path, json.dumps(body).encode(), headers)
    urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request).read()
"""

Call = tuple[str, dict[str, Any]]


def _standing(account: str, fault: str, **more: Any) -> Call:
    return "/faults", {"account": account, "fault": fault, **more}


def killed(account: str) -> list[Call]:
    """Whatever is sent to the account ends in a reset connection."""
    return [_standing(account, "upgrade_reset"), _standing(account, "reset_before_headers", prewarm=True)]


def exhausted(account: str) -> list[Call]:
    """The account's short window is used up."""
    return [(f"/accounts/{account}", {"used_percent": {"primary": 100}})]


def logged_out(account: str) -> list[Call]:
    """The account's tokens are revoked, sockets that are open included, and a refresh is refused."""
    revoked = {"transport": "websocket", "prewarm": True}
    return [(f"/accounts/{account}", {"logged_out": True}), _standing(account, "token_revoked", **revoked)]


TROUBLES = {"killed": killed, "exhausted": exhausted, "logged_out": logged_out}


def troubles(*enough: str) -> list[str]:
    """All of them, or those that are enough for the gate."""
    return [name for name in TROUBLES if EVERY or name in enough]


@dataclass
class Pool(Gateway):
    """The gateway as one pool's clients see it.  ``first`` serves until it cannot, then ``second`` does."""

    first: str = ""
    second: str = ""

    async def trouble(self, kind: str) -> None:
        """Let it befall the first account now."""
        for path, body in TROUBLES[kind](self.first):
            await self.control("POST", path, body)

    def trouble_script(self, kind: str, folder: Path) -> str:
        """A shell command that lets it befall the first account when it is run in ``folder``."""
        calls = json.dumps(TROUBLES[kind](self.first))
        (folder / "trouble.py").write_text(CAUSE.format(calls=calls, backend=self.backend))
        return f"{sys.executable} trouble.py"

    async def arrived(self) -> list[Any]:
        """What came to the pool's accounts by way of the gateway's clients."""
        kept = self.world.record.arrivals
        return [asdict(one) for one in kept if one.account in (self.first, self.second) and one.path == TURNS]

    async def has_answered(self, turns: int, seconds: float = 20) -> None:
        """Wait for so many turns to end; programs begin some of them on their own."""
        async with asyncio.timeout(seconds):
            while len(await self.answered()) < turns:
                await asyncio.sleep(0.05)

    async def upgrades(self) -> int:
        """How many sockets were opened to the backend."""
        return sum(one["transport"] == "upgrade" for one in await self.arrived())

    async def answered(self) -> list[Any]:
        """The turns that the backend answered to their end, in order; getting ready for one is not a turn."""
        return [one for one in await self.arrived() if one["finished"] and not one["prewarm"]]

    async def log(self) -> list[Any]:
        """This pool's rows, newest first."""
        await self.process.writer.drain()
        page = await self.admin("GET", f"/request-logs?limit=200&pool_id={self.pool_id}")
        return [await self.admin("GET", f"/request-logs/{item['id']}") for item in page["items"]]


async def new_pool(shared: Gateway, name: str, accounts: Sequence[str]) -> Pool:
    """Two new accounts in a pool that fills the first before it asks the second, and a key for it."""
    world = shared.world
    pool = await shared.admin("POST", "/pools", {"name": name, "strategy": "fill_first"})
    for account in accounts:
        body = {"pool_id": pool["id"], "auth_json": world.auth_json(world.add_account(account)), "label": account}
        await shared.admin("POST", "/upstreams/import", body)
    key = await shared.admin("POST", "/api-keys", {"name": name, "pool_id": pool["id"]})
    made = replace(shared, key=key["secret"], pool_id=pool["id"])
    await _are_known(shared, accounts)
    return Pool(**vars(made), first=accounts[0], second=accounts[1])


async def _are_known(shared: Gateway, labels: Sequence[str]) -> None:
    """Wait until it is known what is left of them: whose limits are known goes before whose are not."""
    async with asyncio.timeout(60):
        while not set(labels) <= await _with_limits(shared):
            await asyncio.sleep(0.05)


async def _with_limits(shared: Gateway) -> set[str]:
    items = (await shared.admin("GET", "/upstreams"))["items"]
    return {item["label"] for item in items if item["windows"]}
