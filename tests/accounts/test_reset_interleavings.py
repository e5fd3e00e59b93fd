"""Whatever the order, and whoever dies meanwhile: one saved reset for one exhaustion, and the rest is kept.

The processes share nothing but the database; the backend keeps exact books.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_pooler.quota.resets import BLOCKED
from codex_pooler.storage.database import Database
from tests.accounts.reset_scene import Node, Scene, made

KEEP, CREDITS = 1, 4
STEPS = st.one_of(
    st.tuples(st.just("both"), st.sampled_from([0, 1]), st.sampled_from([0, 1])),
    st.tuples(st.just("redeem"), st.sampled_from([0, 1]), st.sampled_from([0, 1])),
    st.tuples(st.just("die_before"), st.sampled_from([0, 1]), st.sampled_from([0, 1])),
    st.tuples(st.just("die_after"), st.sampled_from([0, 1]), st.sampled_from([0, 1])),
    st.tuples(st.just("settle"), st.sampled_from([0, 1]), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([61, 121, 301, 901]), st.just(0)),
    st.tuples(st.just("fault"), st.sampled_from(["lost", "never", "no_credit", "status_401"]), st.just(0)),
    st.tuples(st.just("blind"), st.sampled_from([0, 1]), st.just(0)),
    st.tuples(st.just("see"), st.sampled_from([0, 1]), st.just(0)),
)


@dataclass
class Story:
    """Two processes and a pool of two accounts that is used up once, at the start."""

    scene: Scene
    nodes: list[Node]
    passed: float = 0.0
    faults: list[str] = field(default_factory=list)

    async def do(self, step: tuple[str, Any, int]) -> None:
        name, what, which = step
        await getattr(self, f"do_{name}")(what, which)
        self.check()

    def check(self) -> None:
        """Every promise, after every step."""
        bank = self.scene.bank
        assert len(bank.spent) <= 1, "more than one for one exhaustion"
        assert bank.wasted == 0, "spent on a week with room"
        assert all(len(holder.credits) >= KEEP for holder in bank.holders.values())

    async def do_redeem(self, node: int, account: int) -> None:
        await self.nodes[node].saved.redeem(self.scene.ids[account], BLOCKED)

    async def do_both(self, one: int, other: int) -> None:
        await asyncio.gather(self.do_redeem(0, one), self.do_redeem(1, other))

    async def do_die_before(self, node: int, account: int) -> None:
        """Killed between the claim and the request."""
        saved, account_id = self.nodes[node].saved, self.scene.ids[account]
        week = await saved.refresh_week(account_id, -1)
        if week is not None and week.is_used_up:
            await saved.claims.take_automatically(account_id, BLOCKED, week, await saved.read(account_id))

    async def do_die_after(self, node: int, account: int) -> None:
        """Killed between the request and its answer."""
        self.scene.bank.gate = asyncio.Event()
        asked = len(self.scene.bank.asked)
        dying = asyncio.create_task(self.do_redeem(node, account))
        while not dying.done() and len(self.scene.bank.asked) == asked:
            await asyncio.sleep(0)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        self.scene.bank.gate = None

    async def do_settle(self, node: int, _: int) -> None:
        await self.nodes[node].settle()

    async def do_wait(self, seconds: float, _: int) -> None:
        self.passed += seconds
        await self.scene.let_pass(seconds)

    async def do_fault(self, word: str, _: int) -> None:
        self.scene.bank.does.append(word)

    async def do_blind(self, node: int, _: int) -> None:
        self.nodes[node].sees = False

    async def do_see(self, node: int, _: int) -> None:
        self.nodes[node].sees = True

    async def end_well(self) -> None:
        """All is repaired, and time goes by: what is open comes to an end."""
        self.scene.bank.does.clear()
        for node in self.nodes:
            node.sees = True
        for _ in range(8):
            await self.scene.let_pass(3_700)
            await asyncio.gather(*(node.settle() for node in self.nodes))
            self.check()
        assert set(await self.scene.phases()) <= {"confirmed", "noop", "expired"}


async def play(dsn: str, steps: list[tuple[str, Any, int]]) -> None:
    database = await Database.open(dsn, maxsize=4)
    try:
        scene = await made(database, (CREDITS, CREDITS), keep_credits=KEEP)
        story = Story(scene, [scene.node(), scene.node()])
        for node in story.nodes:
            for account_id in scene.ids:
                await node.look(account_id)
        for step in steps:
            # beyond half an hour a second one may be spent for what is then another exhaustion
            if step[0] != "wait" or story.passed + step[1] < 1_700:
                await story.do(step)
        await story.end_well()
    finally:
        await database.close()


def empty(dsn: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts, pools, audit_events CASCADE")
    connection.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=12))
def test_one_saved_reset_for_one_exhaustion_in_any_order(dsn: str, steps: list[tuple[str, Any, int]]) -> None:
    empty(dsn)
    asyncio.run(play(dsn, steps))
