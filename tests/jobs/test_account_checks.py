"""Accounts are checked after a login, when in doubt and every six hours, by one process, and ended only on its word
twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.jobs.account_checks import CONFIRM_SECONDS, DEACTIVATED, PERIOD_SECONDS, AccountChecks
from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import Account, World, new_world
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Account as Known
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.queries_checks import TRY_LOCK
from codex_pooler.storage.tables import account_secrets, accounts, pool_accounts, pools
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.pool import ConnectionPool

POOL = uuid4()
ID = UUID(int=1)
PATH = "/backend-api/wham/accounts/check"


@dataclass
class Lab:
    world: World
    database: Database
    keyring: Keyring
    snapshot: SnapshotHolder
    backend: Backend
    origin: str
    given_up: list[tuple[UUID, str, str]] = field(default_factory=list)
    told: list[UUID] = field(default_factory=list)

    @property
    def simulated(self) -> Account:
        return self.world.accounts["acct-1"]

    def process(self) -> AccountChecks:
        async def give_up(account_id: UUID, token: str, code: str) -> None:
            self.given_up.append((account_id, token, code))

        async def changed(account_id: UUID) -> None:
            await self.snapshot.refresh()
            self.told.append(account_id)

        return AccountChecks(self.database, self.backend, lambda: self.snapshot.current, self.origin, give_up, changed)

    async def row(self) -> Any:
        async with self.database.session() as session:
            [row] = await session.fetch(sa.select(accounts))
        return row

    async def change(self, **values: Any) -> None:
        async with self.database.session() as session:
            await session.execute(sa.update(accounts).values(**values))
        await self.snapshot.refresh()

    @property
    def asked(self) -> int:
        return sum(line["path"] == PATH for line in self.world.record.lines(None))

    @property
    def known(self) -> Known:
        return self.snapshot.current.pools[POOL].members[0].account


@pytest.fixture
async def lab(database: Database, keyring: Keyring) -> AsyncIterator[Lab]:
    world = new_world(accounts=1)
    simulated = world.accounts["acct-1"]
    sealed = keyring.upstream.seal(world.issue(simulated)["access_token"].encode(), f"account_secrets:{ID}:access")
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=POOL, slug="team", name="Team"))
        row = {"label": "one", "chatgpt_account_id": simulated.account_id, "identity_key": "one"}
        await session.execute(sa.insert(accounts).values(id=ID, **row))
        await session.execute(sa.insert(account_secrets).values(account_id=ID, kind="access", sealed=sealed))
        await session.execute(sa.insert(pool_accounts).values(pool_id=POOL, account_id=ID))
    snapshot = SnapshotHolder(database, keyring.upstream)
    await snapshot.refresh()
    async with running(world) as origin:
        yield Lab(world, database, keyring, snapshot, Backend(ConnectionPool(origin)), origin)


async def test_a_new_login_is_checked_and_then_left_alone_for_hours(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    for _ in range(3):
        await checks.look(now)
    assert lab.asked == 1
    row = await lab.row()
    assert row.checked_at is not None
    assert (row.is_fedramp, row.routing_override, row.backend_origin, row.state_reason) == (False, None, None, None)
    await checks.look(now + PERIOD_SECONDS * 0.7)
    assert lab.asked == 1
    await checks.look(now + PERIOD_SECONDS * 1.3)
    assert lab.asked == 2


async def test_what_is_said_reaches_the_turns(lab: Lab) -> None:
    lab.simulated.routing_override, lab.simulated.fedramp = "us_cr", True
    lab.simulated.backend_origin = "http://127.0.0.1:4999"
    await lab.process().look(time.time())
    await lab.snapshot.refresh()
    assert (lab.known.routing_override, lab.known.is_fedramp) == ("us_cr", True)
    assert lab.known.backend_origin == "http://127.0.0.1:4999"


async def test_whoever_watches_hears_of_what_is_new_and_of_nothing_else(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    lab.simulated.routing_override = "us_cr"
    await checks.look(now)
    assert (lab.told, lab.known.routing_override) == ([ID], "us_cr")
    await checks.look(now + PERIOD_SECONDS * 1.3)
    assert (lab.asked, lab.told) == (2, [ID])


async def test_an_origin_that_leads_nowhere_is_put_right_by_the_next_check(lab: Lab) -> None:
    await lab.change(backend_origin="http://127.0.0.1:9")
    await lab.process().look(time.time())
    assert (await lab.row()).backend_origin is None


async def test_a_foreign_origin_is_never_stored(lab: Lab) -> None:
    lab.simulated.backend_origin = "https://evil.example.org"
    await lab.process().look(time.time())
    assert (await lab.row()).backend_origin is None


async def test_a_doubted_account_is_checked_at_once(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    await checks.look(now - 60)
    checks.wish(ID)
    await checks.look(now + 1)
    await checks.look(now + 2)
    assert lab.asked == 2


async def test_a_paused_account_is_checked_as_well_and_one_without_a_login_is_not(lab: Lab) -> None:
    await lab.change(state="paused")
    await lab.process().look(time.time())
    assert lab.asked == 1
    await lab.change(state="reauth_required", checked_at=None)
    await lab.process().look(time.time())
    assert lab.asked == 1


async def test_being_called_deactivated_is_shown_at_once_and_ends_the_login_when_it_is_said_again(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    lab.simulated.called_deactivated = True
    await checks.look(now)
    assert (await lab.row()).state_reason == DEACTIVATED
    assert (await lab.row()).state == "active"
    await checks.look(now + CONFIRM_SECONDS / 2)
    assert lab.given_up == []
    await lab.process().look(now + CONFIRM_SECONDS + 1)
    assert lab.given_up == [(ID, lab.known.access_token, DEACTIVATED)]


async def test_a_single_mistake_ends_nothing(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    lab.simulated.called_deactivated = True
    await checks.look(now)
    lab.simulated.called_deactivated = False
    await checks.look(now + CONFIRM_SECONDS + 1)
    assert (await lab.row()).state_reason is None
    lab.simulated.called_deactivated = True
    await checks.look(now + PERIOD_SECONDS * 1.5)
    assert lab.given_up == []


async def test_a_failure_is_repeated_later_and_changes_nothing(lab: Lab) -> None:
    checks, now = lab.process(), time.time()
    await lab.change(routing_override="us")
    lab.simulated.logged_out = True
    for _ in range(3):
        await checks.look(now)
    assert lab.asked == 1
    row = await lab.row()
    assert (row.checked_at, row.routing_override) == (None, "us")
    lab.simulated.logged_out = False
    await checks.look(now + 120)
    assert (await lab.row()).routing_override is None


async def test_of_two_processes_one_asks(lab: Lab) -> None:
    now = time.time()
    await asyncio.gather(lab.process().look(now), lab.process().look(now))
    assert lab.asked == 1
    await lab.change(checked_at=datetime.now(UTC) - timedelta(days=1))
    async with lab.database.session() as session:
        assert (await session.one(TRY_LOCK)).taken
        await lab.process().look(time.time())
    assert lab.asked == 1
