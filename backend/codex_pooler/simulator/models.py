"""The model catalogue the simulated backend serves, and who may use which model of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.world import Account, World

_BUNDLED = Path(__file__).with_name("models.json")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Models by slug, in the order of the catalogue."""

    models: Mapping[str, Mapping[str, Any]]

    def shown_to(self, account: Account) -> list[Mapping[str, Any]]:
        """The entries an account may use."""
        return [one for one in self.models.values() if account.models is None or one["slug"] in account.models]

    def find(self, account: Account, slug: Any) -> Mapping[str, Any] | None:
        """The entry of a model this account may use, else None."""
        if not isinstance(slug, str) or (account.models is not None and slug not in account.models):
            return None
        return self.models.get(slug)

    def page(self, account: Account) -> bytes:
        """The body of `GET /models` for this account."""
        return orjson.dumps({"models": self.shown_to(account)})

    def etag(self, account: Account) -> str:
        """A tag that changes when the models shown to the account do."""
        return _tag(tuple(one["slug"] for one in self.shown_to(account)))


@cache
def _tag(slugs: tuple[str, ...]) -> str:
    return f'W/"{hashlib.sha256(" ".join(slugs).encode()).hexdigest()[:32]}"'


@cache
def bundled() -> Catalogue:
    """The catalogue that comes with the simulator."""
    return Catalogue({one["slug"]: one for one in orjson.loads(_BUNDLED.read_bytes())["models"]})


async def list_models(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`GET /backend-api/codex/models`: the catalogue with its ETag; 304 when the client already has it."""
    tag = bundled().etag(account)
    if request.headers.get("if-none-match") == tag:
        return web.Response(status=304, headers={"etag": tag})
    return web.Response(body=bundled().page(account), content_type="application/json", headers={"etag": tag})
