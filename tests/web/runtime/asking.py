"""How the tests of native routes ask the gateway, and look at what the backend and the log saw of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from codex_pooler.quota.quotas import Quotas
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from tests.integration.whole import Gateway


@dataclass(frozen=True)
class Reply:
    """An answer, read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])

    @property
    def param(self) -> str | None:
        """The member at fault."""
        param: str | None = self.json["error"]["param"]
        return param


async def ask(gateway: Gateway, method: str, path: str, *, key: str | None = None, **more: Any) -> Reply:
    """Send a request with the pool's key (``key=""``: with none)."""
    headers = dict(more.pop("headers", {}))
    if key != "":
        headers["Authorization"] = f"Bearer {key or gateway.key}"
    async with gateway.http.request(method, f"{gateway.origin}{path}", headers=headers, **more) as answer:
        return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())


async def arrived(gateway: Gateway, path: str) -> list[Any]:
    """What the backend got on paths that begin so, oldest first."""
    record = await gateway.control("GET", "/record")
    return [one for one in record["arrivals"] if one["path"].startswith(path)]


def forget(gateway: Gateway) -> None:
    """What the process has learned of accounts: everybody is healthy again, and nothing is used up."""
    gateway.process.house.known = Known(Health(), Quotas(), Leases(), Bindings())


async def switch(gateway: Gateway, **switches: bool) -> None:
    """Set switches of the pool, wherever the console keeps them."""
    async with gateway.process.context.database.session() as session:
        values = {"value": orjson.dumps(switches).decode(), "id": gateway.pool_id}
        await session.run("UPDATE pools SET switches = %(value)s::jsonb WHERE id = %(id)s::uuid", values)
    await gateway.process.house.snapshot.refresh()
