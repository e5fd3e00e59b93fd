"""Somebody who signs in at the simulated sign-in server, and the flows that wait for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import sqlalchemy as sa

from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.flow_view import FlowView
from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.logins import Logins
from codex_pooler.simulator.app import running
from codex_pooler.simulator.faults import Order, fault_of
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.tables import accounts, oauth_flows, pool_accounts, pools
from codex_pooler.upstream.oauth import SignIn
from tests.accounts.conftest import Clock

TOKENS = "/oauth/token"


def anything(pools: Iterable[UUID]) -> bool:
    """A caller who manages every pool."""
    return True


@dataclass
class Lobby:
    """A pool, the flows that lead into it, and the world behind them."""

    world: World
    origin: str
    database: Database
    keyring: Keyring
    pool_id: UUID
    flows: Flows
    clock: Clock
    http: aiohttp.ClientSession
    linked: list[UUID] = field(default_factory=list)

    def another_process(self) -> Flows:
        """Flows that share nothing with the first but the database."""
        return Flows(self.database, self.keyring, SignIn(self.origin), self.clock)

    async def browse(self, view: FlowView, account: str = "acct-1", **more: str) -> str:
        """Sign in as that account; the address that the browser ends at."""
        assert view.authorize_url
        query = {"auto_account": account, **more}
        url = f"{view.authorize_url}&{'&'.join(f'{name}={value}' for name, value in query.items())}"
        async with self.http.get(url, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return str(answer.headers["location"])

    async def approve(self, view: FlowView, **answer: Any) -> None:
        """Type the device code."""
        body = {"user_code": view.user_code, **answer}
        async with self.http.post(f"{self.origin}/__control/devices", json=body) as done:
            assert done.status == 200, await done.text()

    def later(self, seconds: float) -> None:
        """Let time pass for the flows."""
        self.clock.ahead += type(self.clock.ahead)(seconds=seconds)

    def fault(self, name: str, account: str = "acct-1", **more: Any) -> None:
        """What the token endpoint does wrong once."""
        self.world.faults.add(Order(account, "token", fault_of({"preset": name} | more), 1))

    def asked(self, path: str = TOKENS) -> int:
        """How often the sign-in server heard that question."""
        return sum(arrival.path == path for arrival in self.world.record.arrivals)

    async def accounts(self) -> list[Any]:
        async with self.database.session() as session:
            return await session.fetch(sa.select(accounts).order_by(accounts.c.created_at))

    async def members(self) -> list[Any]:
        async with self.database.session() as session:
            return await session.fetch(sa.select(pool_accounts))

    async def row(self, view: FlowView) -> Any:
        async with self.database.session() as session:
            return await session.one(sa.select(oauth_flows).where(oauth_flows.c.id == view.id))

    async def change(self, view: FlowView, **columns: Any) -> None:
        async with self.database.session() as session:
            await session.execute(sa.update(oauth_flows).where(oauth_flows.c.id == view.id).values(**columns))

    async def tokens(self, account_id: UUID) -> tuple[str, str]:
        """Access and refresh token as stored."""
        logins = Logins(self.database, self.keyring.upstream, SecretSpool.__new__(SecretSpool))
        login = await logins.current(account_id)
        assert login
        return login.access_token, login.refresh_token

    async def link(self, account: str = "acct-1", **more: Any) -> FlowView:
        """A whole sign-in by browser."""
        view = await self.flows.start("browser", self.pool_id, **more)
        return await self.flows.paste(view.id, await self.browse(view, account), anything)


@pytest.fixture
async def lobby(database: Database, keyring: Keyring) -> AsyncIterator[Lobby]:
    world, pool_id, clock = new_world(seed=7, accounts=3), uuid4(), Clock()
    world.settings.device_interval_s = 5
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=pool_id, slug="team", name="Team"))
    async with running(world) as origin, aiohttp.ClientSession() as http:
        linked: list[UUID] = []

        async def changed(account_id: UUID) -> None:
            linked.append(account_id)

        flows = Flows(database, keyring, SignIn(origin), clock, changed=changed)
        yield Lobby(world, origin, database, keyring, pool_id, flows, clock, http, linked)
        await flows.close()


async def refusal(doing: Any) -> FlowRefused:
    """What a step was refused with."""
    with pytest.raises(FlowRefused) as caught:
        await doing
    return caught.value


Refuses = Callable[..., Any]
