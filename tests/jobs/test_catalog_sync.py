"""Model catalogues come by themselves: at once for a new account, again when old, and patiently after failures."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from codex_pooler.jobs.catalog_sync import PERIOD_SECONDS, CatalogSync, is_due
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Account, Snapshot
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.queries_catalog import TRY_LOCK
from codex_pooler.storage.tables import (
    account_models,
    account_secrets,
    accounts,
    instance_settings,
    pool_accounts,
    pools,
)
from codex_pooler.upstream import backend as upstream
from codex_pooler.upstream.models import read_models
from codex_pooler.upstream.pool import ConnectionPool

POOL = uuid4()


@dataclass
class Backend:
    """Answers ``GET /models`` with ``answer``; ``asked`` holds (account, If-None-Match, client_version)."""

    answer: Any = None
    status: int = 200
    etag: str = '"one"'
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    async def models(self, request: web.Request) -> web.Response:
        account, tag = request.headers["chatgpt-account-id"], request.headers.get("if-none-match")
        self.asked.append((account, tag, request.query.get("client_version")))
        if self.status == 200 and tag == self.etag:
            return web.Response(status=304)
        body = self.answer if isinstance(self.answer, bytes) else orjson.dumps(self.answer)
        return web.Response(status=self.status, body=body, headers={"etag": self.etag})


@dataclass
class Lab:
    backend: Backend
    database: Database
    snapshot: SnapshotHolder
    sync: CatalogSync
    keyring: Keyring

    async def add(self, number: int, token: str = "token") -> UUID:
        """One more account in the pool."""
        account_id = UUID(int=number)
        sealed = self.keyring.upstream.seal(token.encode(), f"account_secrets:{account_id}:access")
        values = {"label": str(number), "chatgpt_account_id": f"acc-{number}", "identity_key": str(number)}
        async with self.database.session() as session:
            await session.execute(sa.insert(accounts).values(id=account_id, **values))
            await session.execute(
                sa.insert(account_secrets).values(account_id=account_id, kind="access", sealed=sealed)
            )
            await session.execute(sa.insert(pool_accounts).values(pool_id=POOL, account_id=account_id))
        await self.snapshot.refresh()
        return account_id

    async def look(self, now: float | None = None) -> None:
        await self.sync.look(time.time() if now is None else now)
        await self.snapshot.refresh()

    def models(self, account_id: UUID) -> frozenset[str] | None:
        snapshot = self.snapshot.current
        return next(m.account.models for m in snapshot.pools[POOL].members if m.account.id == account_id)

    async def missing(self) -> dict[str, int]:
        async with self.database.session() as session:
            return dict((await session.one(sa.select(account_models.c.missing))).missing)

    async def age(self, hours: float) -> None:
        async with self.database.session() as session:
            fetched_at = datetime.now(UTC) - timedelta(hours=hours)
            await session.execute(sa.update(account_models).values(fetched_at=fetched_at))
        self.sync.looked_at = 0.0

    async def sync_again(self, times: int = 1) -> None:
        """As often as the catalogues have become old."""
        for _ in range(times):
            await self.age(hours=8)
            await self.look()


@pytest.fixture
async def lab(database: Database, keyring: Keyring) -> AsyncIterator[Lab]:
    backend = Backend({"models": [{"slug": "gpt-5.5"}, {"slug": "gpt-6-sol"}]})
    app = web.Application()
    app.router.add_get("/backend-api/codex/models", backend.models)
    async with TestServer(app, host="127.0.0.1") as server:
        async with database.session() as session:
            await session.execute(sa.insert(pools).values(id=POOL, slug="team", name="Team"))
        snapshot = SnapshotHolder(database, keyring.upstream)
        sync = CatalogSync(database, snapshot, upstream.Backend(ConnectionPool(str(server.make_url("/")))))
        yield Lab(backend, database, snapshot, sync, keyring)


async def test_a_new_account_is_asked_at_once_and_the_pool_lists_its_models(lab: Lab) -> None:
    account = await lab.add(1)
    assert lab.models(account) is None
    await lab.look()
    assert lab.models(account) == frozenset({"gpt-5.5", "gpt-6-sol"})
    assert [model.slug for model in lab.snapshot.current.catalogs[POOL].models] == ["gpt-5.5", "gpt-6-sol"]
    assert lab.backend.asked == [("acc-1", None, "0.169.0")]


async def test_a_fresh_catalogue_is_left_alone_and_an_old_one_asked_for_by_its_etag(lab: Lab) -> None:
    account = await lab.add(1)
    for _ in range(3):
        await lab.look()
    await lab.age(hours=1)
    await lab.look()
    assert len(lab.backend.asked) == 1
    await lab.age(hours=8)
    await lab.look()
    assert lab.backend.asked[1] == ("acc-1", '"one"', "0.169.0")
    lab.backend.etag, lab.backend.answer = '"two"', [{"slug": "gpt-7"}]
    await lab.sync_again(3)
    assert lab.models(account) == frozenset({"gpt-7"})
    await lab.age(hours=8)
    await lab.look()
    assert lab.backend.asked[-1][1] == '"two"'


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"oops"),
        (401, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (200, {"models": []}),
        (200, {"models": "x"}),
        (200, [{"name": "no slug"}, 5]),
        (200, b'{"models":[{"slug":"a","deep":' + b"[" * 900 + b"]" * 900 + b"}]}"),
    ],
)
async def test_what_is_no_catalogue_changes_nothing(lab: Lab, status: int, answer: Any) -> None:
    account = await lab.add(1)
    await lab.look()
    lab.backend.status, lab.backend.answer, lab.backend.etag = status, answer, '"other"'
    await lab.age(hours=8)
    await lab.look()
    assert len(lab.backend.asked) == 2
    assert lab.models(account) == frozenset({"gpt-5.5", "gpt-6-sol"})


@pytest.mark.parametrize("etag", ["", "\xff", '"a\tb"', "x" * 600])
async def test_an_etag_that_cannot_be_kept_is_done_without(lab: Lab, etag: str) -> None:
    lab.backend.etag = etag
    account = await lab.add(1)
    await lab.look()
    await lab.age(hours=8)
    await lab.look()
    assert lab.models(account) == frozenset({"gpt-5.5", "gpt-6-sol"})
    assert [tag for _, tag, _ in lab.backend.asked] == [None, None]


async def test_failures_are_tried_again_later_and_later_and_a_new_login_at_once(lab: Lab) -> None:
    await lab.add(1)
    lab.backend.status, now = 500, time.time()
    asked = []
    for second in range(0, 400, 2):
        await lab.sync.look(now + second)
        asked.append(len(lab.backend.asked))
    assert asked[0] == 1
    assert asked[10] == 1
    assert asked[25] == 2
    assert 4 <= asked[-1] <= 5
    (failure,) = lab.sync.failures.values()
    lab.sync.failures = {UUID(int=1): replace(failure, access_token="the login before")}
    lab.backend.status = 200
    await lab.look(now + 400)
    assert lab.models(UUID(int=1)) is not None
    assert not lab.sync.failures


async def test_a_model_that_nobody_lists_makes_the_lists_doubtful(lab: Lab) -> None:
    account = await lab.add(1)
    await lab.look()
    lab.backend.answer, lab.backend.etag = [{"slug": "gpt-7"}], '"two"'
    for minutes, pool, asked in ((5, POOL, 1), (15, uuid4(), 1), (15, POOL, 2)):
        await lab.age(hours=minutes / 60)
        lab.sync.looked_at = time.time()
        lab.snapshot.doubted = {pool}
        await lab.look()
        assert (len(lab.backend.asked), lab.snapshot.doubted) == (asked, set())
    assert lab.models(account) == frozenset({"gpt-5.5", "gpt-6-sol", "gpt-7"})


async def test_a_model_is_offered_until_it_was_missing_three_times_in_a_row(lab: Lab) -> None:
    account = await lab.add(1)
    await lab.look()
    both, rest = frozenset({"gpt-5.5", "gpt-6-sol"}), frozenset({"gpt-5.5"})
    lab.backend.answer, lab.backend.etag = [{"slug": "gpt-5.5"}], '"two"'
    await lab.sync_again()
    assert (lab.models(account), await lab.missing()) == (both, {"gpt-6-sol": 1})
    assert [model.slug for model in lab.snapshot.current.catalogs[POOL].models] == ["gpt-5.5", "gpt-6-sol"]
    await lab.sync_again()
    assert (lab.models(account), await lab.missing()) == (both, {"gpt-6-sol": 2})
    assert lab.backend.asked[-1][1] == '"two"', "a catalogue that is as it was lacks the same models"
    lab.backend.status = 500
    await lab.sync_again()
    assert await lab.missing() == {"gpt-6-sol": 2}, "what could not be fetched says nothing"
    lab.sync.failures.clear()
    lab.backend.status = 200
    await lab.sync_again()
    assert (lab.models(account), await lab.missing()) == (rest, {})


async def test_a_model_that_is_listed_again_was_never_gone(lab: Lab) -> None:
    account = await lab.add(1)
    await lab.look()
    whole, part = lab.backend.answer, [{"slug": "gpt-5.5"}]
    for number, answer in enumerate((part, part, whole, part, part)):
        lab.backend.answer, lab.backend.etag = answer, f'"{number}"'
        await lab.sync_again()
        assert lab.models(account) == frozenset({"gpt-5.5", "gpt-6-sol"})
    assert await lab.missing() == {"gpt-6-sol": 2}


async def test_another_version_of_codex_has_other_models(lab: Lab) -> None:
    await lab.add(1)
    await lab.look()
    async with lab.database.session() as session:
        setting = {"name": "gateway", "value": {"client_version": "0.170.0"}}
        await session.execute(sa.insert(instance_settings).values(**setting))
    await lab.snapshot.refresh()
    await lab.look()
    await lab.look()
    assert [version for _, _, version in lab.backend.asked] == ["0.169.0", "0.170.0"]


async def test_one_process_at_a_time(lab: Lab) -> None:
    account = await lab.add(1)
    async with lab.database.session() as elsewhere:
        assert (await elsewhere.one(TRY_LOCK)).taken
        await lab.look()
        assert lab.backend.asked == []
        await elsewhere.run("SELECT pg_advisory_unlock_all()")
    await lab.look()
    assert lab.models(account) is not None


async def test_a_hundred_accounts_with_one_catalogue_are_held_once(lab: Lab) -> None:
    for number in range(1, 21):
        await lab.add(number)
    await lab.look()
    offered = {id(lab.models(UUID(int=number))) for number in range(1, 21)}
    assert len(lab.backend.asked) == 20
    assert len(offered) == 1


async def test_an_account_that_was_deleted_meanwhile_is_no_error(lab: Lab) -> None:
    await lab.add(1)
    async with lab.database.session() as session:
        await session.execute(sa.delete(accounts))
    await lab.sync.look(time.time())
    await lab.snapshot.refresh()
    assert lab.snapshot.current.catalogs[POOL].models == ()


def test_accounts_do_not_all_become_due_at_once() -> None:
    now, due_after = time.time(), set()
    for number in range(50):
        account = Account(UUID(int=number), "a", "active", "a", "token")
        row = SimpleNamespace(fetched_at=datetime.fromtimestamp(now, UTC))
        due_after.add(next(h for h in range(0, 48) if is_due(account, row, now + h * 0.25 * 3600)) * 0.25)
    assert min(due_after) >= PERIOD_SECONDS / 3600 * 0.8
    assert max(due_after) <= PERIOD_SECONDS / 3600 * 1.2 + 0.25
    assert len(due_after) > 5
    assert Snapshot().catalogs == {}


def test_all_three_shapes_of_a_catalogue_are_read() -> None:
    entries = [{"slug": "b"}, {"id": "a", "object": "model"}, {"slug": ""}, {"slug": "b", "again": True}, None]
    read = [{"id": "a", "object": "model", "slug": "a"}, {"slug": "b", "again": True}]
    for document in ({"models": entries}, {"data": entries}, entries):
        assert read_models(orjson.dumps(document)) == read


async def test_asked_for_by_hand_a_catalogue_is_fetched_however_new_it_is(lab: Lab) -> None:
    one, other = await lab.add(1), await lab.add(2)
    await lab.look()
    assert await lab.sync.sync_now(time.time(), other) == 0
    assert [account for account, *_ in lab.backend.asked] == ["acc-1", "acc-2", "acc-2"]
    lab.backend.status = 500
    assert await lab.sync.sync_now(time.time()) == 2
    assert len(lab.backend.asked) == 5
    assert lab.models(one)
