"""Lists of saved resets are read as often as they need to be, by one process at a time, and nothing in them is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from codex_pooler.jobs.saved_resets import Held, SavedResetCare, usable
from codex_pooler.quota.resets import Credit, Policy
from codex_pooler.snapshot.model import Account, Member, Pool, Snapshot
from codex_pooler.storage.database import Database
from tests.accounts.reset_scene import POOL, Node, Scene, login, made
from tests.quota.statements import DAY, HOUR, NOW

LATER, TODAY, SOON = (Credit("c", NOW + left) for left in (9 * DAY, 20 * HOUR, HOUR))


@pytest.mark.parametrize(
    ("held", "reported", "seconds"),
    [
        (Held((LATER,), NOW, 1), 1, 6 * HOUR),
        (Held((), NOW, 0), 0, 6 * HOUR),
        (Held((TODAY,), NOW, 1), 1, 1_800),
        (Held((LATER,), NOW, 1), 2, 60),
        (Held((LATER,), NOW, 1), None, 6 * HOUR),
        (Held((LATER,), NOW, 1, failures=1), 2, 900),
        (Held((TODAY,), NOW, 1, failures=9), 1, 300),
        (Held((SOON,), NOW, 1, failures=1), 1, 60),
        (Held((), NOW, None, failures=1), None, 900),
    ],
)
def test_how_soon_a_list_is_read_again(held: Held, reported: int | None, seconds: float) -> None:
    assert held.wait(reported, NOW) == seconds
    assert held.is_due(reported, NOW + seconds)


@pytest.mark.parametrize(("reported", "due"), [(None, False), (0, False), (1, True)])
def test_a_list_is_first_read_when_something_is_reported(reported: int | None, due: bool) -> None:
    assert Held().is_due(reported, NOW) is due


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({"state": "paused"}, True),
        ({"state": "draining"}, True),
        ({"state": "reauth_required"}, False),
        ({"state": "disabled"}, False),
        ({"access_token": ""}, False),
        ({"access_expires_at": NOW}, False),
        ({"access_expires_at": NOW + 1}, True),
    ],
)
def test_only_accounts_whose_login_is_in_order_are_asked(change: dict[str, Any], found: bool) -> None:
    account = replace(login(POOL), **change)
    assert (POOL in usable(snapshot(account), NOW)) is found


def snapshot(*accounts: Account) -> Snapshot:
    pool = Pool(POOL, "Team", "active", "capacity_weighted", 3, tuple(map(Member, accounts)))
    return Snapshot(MappingProxyType({POOL: pool}))


def care(scene: Scene, node: Node, **policy: Any) -> SavedResetCare:
    chosen = Policy(auto_redeem_enabled=True, **policy)
    current = snapshot(*(replace(login(each), reset_policy=chosen) for each in scene.ids))
    return SavedResetCare(scene.database, node.saved, node.quotas, lambda: current)


async def lease_is_over(scene: Scene, seconds: float = 7 * HOUR) -> None:
    earlier = "UPDATE saved_reset_checks SET claimed_at = claimed_at - make_interval(secs => %(seconds)s)"
    async with scene.database.session() as session:
        await session.run(earlier, {"seconds": seconds})


async def test_several_processes_read_each_list_once(database: Database) -> None:
    scene = await made(database, (1, 1))
    nodes = [scene.node(), scene.node()]
    for node in nodes:
        for account_id in scene.ids:
            await node.look(account_id)
    for _ in range(3):
        await asyncio.gather(*(care(scene, node).look() for node in nodes))
    assert scene.bank.reads == 2
    await lease_is_over(scene)
    await asyncio.gather(*(care(scene, node).look() for node in nodes))
    assert scene.bank.reads == 4


async def test_a_list_that_cannot_be_read_is_counted_as_a_failure(database: Database) -> None:
    scene = await made(database, (1,))
    node = scene.node()
    await node.look(scene.ids[0])
    scene.bank.lists = False
    await care(scene, node).look()
    assert await care(scene, node).read_now() == (1, 0)
    scene.bank.lists = True
    assert await care(scene, node).read_now() == (1, 1)
    async with database.session() as session:
        await session.run("SELECT failures, available FROM saved_reset_checks")
        assert await session.cursor.fetchall() == [(0, 1)]


async def about_to_expire(scene: Scene, node: Node, used: float) -> None:
    for account_id, holder in scene.bank.holders.items():
        holder.used = used
        holder.credits = {"c1": datetime.now(UTC) + timedelta(hours=1), "c2": datetime.now(UTC) + timedelta(days=20)}
        await node.look(account_id)
        await node.saved.read(account_id)
    await lease_is_over(scene)


async def test_what_would_be_lost_is_spent_once_for_a_pool(database: Database) -> None:
    scene = await made(database, (0, 0))
    node = scene.node()
    await about_to_expire(scene, node, 30.0)
    other = scene.node()
    await asyncio.gather(care(scene, node).look(), care(scene, other).look())
    await lease_is_over(scene, 61)
    await asyncio.gather(care(scene, node).look(), care(scene, other).look())
    assert len(scene.bank.spent) == 1
    assert [claim["trigger"] for claim in await scene.claims()] == ["expiry"]


@pytest.mark.parametrize(("used", "policy"), [(0.0, {}), (30.0, {"keep_credits": 2})], ids=["unused", "kept back"])
async def test_what_brings_nothing_or_is_kept_back_is_left_alone(
    database: Database, used: float, policy: dict[str, Any]
) -> None:
    scene = await made(database, (0,), **policy)
    node = scene.node()
    await about_to_expire(scene, node, used)
    for _ in range(2):
        await care(scene, node, **policy).look()
        await lease_is_over(scene, 61)
    assert await scene.claims() == []


async def test_the_loop_outlives_trouble(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_pooler.jobs.saved_resets.TICK_SECONDS", 0.0)
    scene = await made(database, (1,))
    node = scene.node()
    rounds = 0

    async def broken() -> None:
        nonlocal rounds
        rounds += 1
        raise RuntimeError("broken")

    looking = care(scene, node)
    monkeypatch.setattr(looking, "look", broken)
    running = asyncio.create_task(looking.run())
    async with asyncio.timeout(5):
        while rounds < 3:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
