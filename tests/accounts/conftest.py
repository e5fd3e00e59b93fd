"""A stored account whose login the simulated sign-in server issued, and a refresher for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest
import sqlalchemy as sa

from codex_pooler.accounts.auth_json import parse_auth_json
from codex_pooler.accounts.exchange import OwnExchange
from codex_pooler.accounts.importing import import_credentials
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.renewal import Renewed
from codex_pooler.simulator.app import running
from codex_pooler.simulator.faults import Order, fault_of
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.tables import accounts, pools
from codex_pooler.storage.vault import SecretBox
from codex_pooler.upstream.oauth import SignIn


class ShakyLogins(Logins):
    """Stores nothing for as many times as it is told to."""

    def __init__(self, database: Database, box: SecretBox, spool: SecretSpool) -> None:
        super().__init__(database, box, spool)
        self.refusals = 0

    async def store(self, renewed: Renewed) -> bool:
        if self.refusals:
            self.refusals -= 1
            raise psycopg2.OperationalError("the database went away")
        return await super().store(renewed)


@dataclass
class Clock:
    """Now, plus what the test has let pass."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def refresher_of(logins: Logins, sign_in: SignIn, *, clock: Clock | None = None, **told: Any) -> Refresher:
    """One that spends tokens in this process, so that the test can get in between."""
    now = clock or Clock()
    return Refresher(logins, OwnExchange(sign_in, logins.kept, now), clock=now, **told)


@dataclass
class Scene:
    """One account, ``acct-1``, imported into a pool."""

    world: World
    backend: str
    database: Database
    keyring: Keyring
    folder: Path
    pool_id: UUID
    account_id: UUID
    token: str
    logins: ShakyLogins
    refresher: Refresher
    clock: Clock
    told: list[UUID]
    served: list[Renewed]

    async def row(self) -> Any:
        async with self.database.session() as session:
            return await session.one(sa.select(accounts).where(accounts.c.id == self.account_id))

    async def stored(self) -> dict[str, str]:
        """The tokens in the database: ``access`` and ``refresh``."""
        login = await self.logins.current(self.account_id)
        assert login
        return {"access": login.access_token, "refresh": login.refresh_token}

    async def set(self, **columns: Any) -> None:
        async with self.database.session() as session:
            await session.execute(sa.update(accounts).where(accounts.c.id == self.account_id).values(**columns))

    async def log_in_again(self) -> str:
        """Import a fresh login of the same account; its access token."""
        document = self.world.auth_json(self.world.accounts["acct-1"])
        await import_login(self.database, self.keyring, self.pool_id, document)
        return str(document["tokens"]["access_token"])

    def fault(self, name: str, times: int | None = 1, **more: Any) -> None:
        """What the sign-in server does wrong."""
        self.world.faults.add(Order("acct-1", "token", fault_of({"preset": name} | more), times))

    @property
    def exchanges(self) -> int:
        """How often the sign-in server was asked for tokens."""
        return sum(arrival.path == "/oauth/token" for arrival in self.world.record.arrivals)

    def another_process(self, sign_in: SignIn | None = None) -> Refresher:
        """A refresher that shares nothing with the first but the database."""
        spool = SecretSpool(self.folder / "elsewhere")
        logins = Logins(self.database, self.keyring.upstream, spool)
        return refresher_of(logins, sign_in or SignIn(self.backend), clock=self.clock)

    def kept_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.sealed"))


async def import_login(database: Database, keyring: Keyring, pool_id: UUID, document: dict[str, Any]) -> UUID:
    credentials = parse_auth_json(document, datetime.now(UTC))
    async with database.transaction() as session:
        imported = await import_credentials(
            session, keyring, credentials, pool_id=pool_id, label=None, may_change=lambda pools: True
        )
    return imported.account_id


@pytest.fixture
async def scene(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Scene]:
    world, pool_id = new_world(seed=7, accounts=1), uuid4()
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=pool_id, slug="team", name="Team"))
    document = world.auth_json(world.accounts["acct-1"])
    account_id = await import_login(database, keyring, pool_id, document)
    token = document["tokens"]["access_token"]
    async with running(world) as backend:
        logins, clock = ShakyLogins(database, keyring.upstream, SecretSpool(tmp_path)), Clock()
        told: list[UUID] = []
        served: list[Renewed] = []

        async def changed(identity: UUID) -> None:
            told.append(identity)

        refresher = refresher_of(logins, SignIn(backend), changed=changed, serve=served.append, clock=clock)
        yield Scene(
            world=world,
            backend=backend,
            database=database,
            keyring=keyring,
            folder=tmp_path,
            pool_id=pool_id,
            account_id=account_id,
            token=token,
            logins=logins,
            refresher=refresher,
            clock=clock,
            told=told,
            served=served,
        )
        await refresher.close()
