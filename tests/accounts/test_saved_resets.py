"""A saved reset is spent at most once, whoever asks for it, and whatever becomes of the answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from codex_pooler.accounts import reset_flights
from codex_pooler.accounts.reset_claims import Claim, Denied
from codex_pooler.accounts.reset_flights import ResetFlights
from codex_pooler.accounts.saved_resets import APPLIED, DENIED, NOT_NEEDED, REFUSED, UNKNOWN, UNREADABLE
from codex_pooler.quota.resets import BLOCKED, Rescue
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import SAVED_RESETS
from tests.accounts.reset_scene import POOL, Bank, Node, Scene, made


async def test_scenario_29_twenty_requests_in_two_processes_spend_one(dsn: str, database: Database) -> None:
    scene = await made(database, (3, 3))
    other = await Database.open(dsn, maxsize=5)
    nodes = [scene.node(), scene.node(other)]
    results = await asyncio.gather(
        *(nodes[n % 2].saved.redeem(scene.ids[n // 2 % 2], BLOCKED) for n in range(20)), return_exceptions=True
    )
    await other.close()
    assert not [each for each in results if isinstance(each, BaseException)]
    assert len(scene.bank.spent) == len(scene.bank.asked) == 1
    assert await scene.phases() == ["confirmed"]


@pytest.mark.parametrize("what", ["lost", "never"])
async def test_scenario_29_a_timeout_is_followed_by_the_same_id(database: Database, what: str) -> None:
    scene = await made(database, (2,))
    node, account_id = scene.node(), scene.ids[0]
    scene.bank.does = [what]
    node.sees = False
    await see(node)
    first = await node.saved.redeem(account_id, BLOCKED)
    assert (first.result, await scene.phases()) == (UNKNOWN, ["unknown"])
    await node.settle()
    assert len(scene.bank.asked) == 1, "not before its time"
    await scene.let_pass(61)
    await node.settle()
    assert scene.bank.asked == [scene.bank.asked[0]] * 2
    assert len(scene.bank.spent) == 1
    assert (await scene.claims())[0]["outcome"] == ("already_redeemed" if what == "lost" else "reset")
    assert node.metrics.counts == {(SAVED_RESETS, BLOCKED, UNKNOWN): 1, (SAVED_RESETS, BLOCKED, "applied"): 1}


async def see(node: Node) -> None:
    """The node knows every account's week as it is."""
    was, node.sees = node.sees, True
    for account_id in node.bank.holders:
        await node.look(account_id)
    node.sees = was


async def test_requests_are_repeated_ever_more_seldom_and_then_given_up(database: Database) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    scene.bank.does = ["never"] * 9
    await node.saved.redeem(scene.ids[0], BLOCKED)
    for seconds in (60, 300, 900, 3_600, 10_800):
        before = len(scene.bank.asked)
        await scene.let_pass(seconds - 10)
        await node.settle()
        assert len(scene.bank.asked) == before
        await scene.let_pass(11)
        await node.settle()
        assert len(scene.bank.asked) == before + 1
    assert len(set(scene.bank.asked)) == 1
    assert len(scene.bank.asked) == 6
    await scene.let_pass(6 * 3_600)
    await node.settle()
    assert await scene.phases() == ["expired"]
    await node.settle()
    assert len(scene.bank.asked) == 6


async def test_an_open_claim_keeps_everybody_in_the_pool_from_spending(database: Database) -> None:
    scene = await made(database)
    node = scene.node()
    scene.bank.does = ["never"]
    await node.saved.redeem(scene.ids[0], BLOCKED)
    for account_id in scene.ids:
        denied = await node.saved.redeem(account_id, BLOCKED)
        assert (denied.result, denied.code, denied.ends_the_search) == (DENIED, "in_progress", True)
    assert len(scene.bank.asked) == 1


async def test_one_redemption_has_to_do_for_half_an_hour(database: Database) -> None:
    scene = await made(database)
    node = scene.node()
    assert (await node.saved.redeem(scene.ids[0], BLOCKED)).result == APPLIED
    scene.bank.holders[scene.ids[0]].used = 100
    for minutes in (1, 28):
        await scene.let_pass(minutes * 60)
        assert (await node.saved.redeem(scene.ids[1], BLOCKED)).code == "cooling"
    await scene.let_pass(61)
    assert (await node.saved.redeem(scene.ids[1], BLOCKED)).result == APPLIED


async def test_another_process_learns_of_the_reset_where_it_may_not_spend_one(database: Database) -> None:
    scene = await made(database)
    first, second = scene.node(), scene.node()
    await see(second)
    await first.saved.redeem(scene.ids[0], BLOCKED)
    assert (await second.saved.redeem(scene.ids[1], BLOCKED)).code == "cooling"
    week = second.saved.week(scene.ids[0])
    assert week is not None
    assert week.used_percent == 0


@pytest.mark.parametrize(
    ("does", "result"),
    [("no_credit", REFUSED), ("nothing_to_reset", REFUSED), ("status_401", REFUSED), ("connect", REFUSED)],
)
async def test_a_plain_refusal_frees_the_account(database: Database, does: str, result: str) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    scene.bank.does = [does]
    redemption = await node.saved.redeem(scene.ids[0], BLOCKED)
    assert (redemption.result, redemption.code) == (result, does)
    assert redemption.ends_the_search is (does == "nothing_to_reset")
    assert await scene.phases() == ["noop"]
    assert (await node.saved.redeem(scene.ids[0], BLOCKED)).result == APPLIED


async def test_a_refused_login_says_nothing_about_the_request_before(database: Database) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    node.sees = False
    await see(node)
    scene.bank.does = ["lost", "status_401"]
    await node.saved.redeem(scene.ids[0], BLOCKED)
    await scene.let_pass(61)
    await node.settle()
    assert await scene.phases() == ["unknown"]
    await scene.let_pass(301)
    await node.settle()
    assert (await scene.claims())[0]["outcome"] == "already_redeemed"


async def test_what_was_kept_back_stays(database: Database) -> None:
    scene = await made(database, (2,), keep_credits=1)
    node = scene.node()
    assert (await node.saved.redeem(scene.ids[0], BLOCKED)).result == APPLIED
    await scene.let_pass(1_801)
    scene.bank.holders[scene.ids[0]].used = 100
    await see(node)
    assert (await node.saved.redeem(scene.ids[0], BLOCKED)).code == "nothing_to_spend"
    assert list(scene.bank.holders[scene.ids[0]].credits) == ["c2"], "the one that expired first is gone"


async def test_nothing_is_spent_when_the_newest_evidence_has_room(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.holders[scene.ids[0]].used = 40
    assert (await scene.node().saved.redeem(scene.ids[0], BLOCKED)).result == NOT_NEEDED
    assert await scene.claims() == []


async def test_nothing_is_spent_without_a_list(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.lists = False
    assert (await scene.node().saved.redeem(scene.ids[0], BLOCKED)).result == UNREADABLE
    assert await scene.claims() == []


# -- crashes


async def claimed(scene: Scene, node: Node) -> Claim:
    """As a process leaves it that dies before it sends."""
    await see(node)
    listing = await node.saved.read(scene.ids[0])
    claim = await node.saved.claims.take_automatically(scene.ids[0], BLOCKED, node.saved.week(scene.ids[0]), listing)
    assert not isinstance(claim, Denied)
    return claim


async def test_a_claim_that_was_never_sent_is_sent_by_another_process(database: Database) -> None:
    scene = await made(database, (2,))
    claim = await claimed(scene, scene.node())
    other = scene.node()
    await scene.let_pass(119)
    await other.settle()
    assert scene.bank.asked == []
    await scene.let_pass(2)
    await asyncio.gather(other.settle(), scene.node().settle())
    assert scene.bank.asked == [(scene.ids[0], claim.id)]
    assert await scene.phases() == ["confirmed"]


@pytest.mark.parametrize("change", ["renewed", "switched off", "week over"])
async def test_a_claim_that_was_never_sent_is_dropped_when_it_makes_no_sense_any_more(
    database: Database, change: str
) -> None:
    scene = await made(database, (2,))
    holder = scene.bank.holders[scene.ids[0]]
    await claimed(scene, scene.node())
    if change == "renewed":
        holder.used = 0.0
    elif change == "switched off":
        await scene.set_policy()
    else:
        async with database.session() as session:
            await session.run("UPDATE saved_reset_claims SET resets_at = now() - interval '1 second'")
    await scene.let_pass(121)
    await scene.node().settle()
    assert scene.bank.asked == []
    assert [(claim["phase"], claim["outcome"]) for claim in await scene.claims()] == [("noop", "not_needed")]


async def test_a_process_that_dies_while_it_waits_is_followed_by_the_same_id(database: Database) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    scene.bank.gate = asyncio.Event()
    dying = asyncio.create_task(node.saved.redeem(scene.ids[0], BLOCKED))
    async with asyncio.timeout(5):
        while not scene.bank.spent:
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await scene.phases() == ["sent"]
    scene.bank.gate = None
    await scene.let_pass(61)
    blind = scene.node()
    blind.sees = False
    await see(blind)
    scene.bank.holders[scene.ids[0]].used = 100  # the other way to find out is closed
    await see(blind)
    await blind.settle()
    assert len(set(scene.bank.asked)) == 1
    assert len(scene.bank.asked) == 2
    assert len(scene.bank.spent) == 1


async def test_an_effect_that_shows_ends_the_asking(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.does = ["lost"]
    node = scene.node()
    await node.saved.redeem(scene.ids[0], BLOCKED)
    await scene.let_pass(61)
    await node.settle()
    assert len(scene.bank.asked) == 1
    [claim] = await scene.claims()
    assert claim["phase"] == "confirmed"
    assert claim["applied_at"] is not None, "so that it counts for those who share the pool"


async def test_a_week_that_ends_by_itself_ends_the_asking(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.does = ["never"]
    node = scene.node()
    await node.saved.redeem(scene.ids[0], BLOCKED)
    async with database.session() as session:
        await session.run("UPDATE saved_reset_claims SET resets_at = now() - interval '1 second'")
    await scene.let_pass(61)
    await node.settle()
    assert (len(scene.bank.asked), await scene.phases()) == (1, ["expired"])


@pytest.mark.parametrize(("what", "phase"), [("never", "noop"), ("lost", "applied")])
async def test_after_a_change_of_mind_the_list_alone_tells(database: Database, what: str, phase: str) -> None:
    scene = await made(database, (2,))
    scene.bank.does = [what]
    node = scene.node()
    node.sees = False
    await see(node)
    await node.saved.redeem(scene.ids[0], BLOCKED)
    await scene.set_policy()
    await scene.let_pass(61)
    await node.settle()
    assert (len(scene.bank.asked), await scene.phases()) == (1, [phase])


async def test_a_reset_without_an_effect_is_no_longer_waited_for_after_a_quarter_of_an_hour(database: Database) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    node.sees = False
    await see(node)
    await node.saved.redeem(scene.ids[0], BLOCKED)
    assert await scene.phases() == ["applied"]
    await scene.let_pass(899)
    await node.settle()
    assert await scene.phases() == ["applied"]
    await scene.let_pass(2)
    await node.settle()
    assert await scene.phases() == ["expired"]


async def test_an_answer_is_written_down_even_when_nobody_waits_for_it_any_more(database: Database) -> None:
    scene = await made(database, (2,))
    node = scene.node()
    scene.bank.gate = asyncio.Event()
    slow = asyncio.create_task(node.saved.redeem(scene.ids[0], BLOCKED))
    async with asyncio.timeout(5):
        while not scene.bank.spent:
            await asyncio.sleep(0.01)
    async with database.session() as session:
        await session.run("UPDATE saved_reset_claims SET phase = 'expired', finished_at = now()")
    scene.bank.gate.set()
    assert (await slow).result == APPLIED
    assert await scene.phases() == ["confirmed"]


async def test_what_was_spent_stands_in_the_audit_trail(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.does = ["no_credit"]
    node = scene.node()
    await node.saved.redeem(scene.ids[0], BLOCKED)
    await node.saved.redeem(scene.ids[0], BLOCKED)
    async with database.session() as session:
        await session.run(
            "SELECT action, actor_type, target_label, pool_ids, outcome, reason, details FROM audit_events ORDER BY id"
        )
        rows = await session.cursor.fetchall()
    assert [(row[0], row[1], row[2], row[4], row[5]) for row in rows] == [
        ("saved_reset.redeemed", "system", "acct-1", "failure", "no_credit"),
        ("saved_reset.redeemed", "system", "acct-1", "success", None),
    ]
    assert {tuple(row[3]) for row in rows} == {(POOL,)}
    assert rows[1][6]["trigger"] == "blocked"


# -- flights


def rescue(scene: Scene) -> Rescue:
    return Rescue(BLOCKED, tuple(scene.ids))


async def test_those_who_come_meanwhile_wait_for_the_same_attempt(database: Database) -> None:
    scene = await made(database)
    flights = ResetFlights(scene.node().saved)
    found = await asyncio.gather(*(flights.rescue(POOL, rescue(scene)) for _ in range(20)))
    assert [each for each in found if each] == [scene.ids[0]], "one may try the account whatever is known of it"
    assert len(scene.bank.spent) == 1
    assert await flights.rescue(POOL, rescue(scene)) is None, "and then there is a rest"


async def test_the_soonest_to_expire_goes_first_across_accounts(database: Database) -> None:
    scene = await made(database)
    node = scene.node()
    for account_id in scene.ids:
        await node.saved.read(account_id)
    scene.bank.holders[scene.ids[1]].credits["c0"] = datetime.now(UTC) + timedelta(hours=1)
    await node.saved.read(scene.ids[1])
    assert await ResetFlights(node.saved).rescue(POOL, rescue(scene)) == scene.ids[1]


async def test_an_account_that_has_none_is_passed_over(database: Database) -> None:
    scene = await made(database, (0, 1))
    assert await ResetFlights(scene.node().saved).rescue(POOL, rescue(scene)) == scene.ids[1]


async def test_a_request_without_an_answer_ends_the_search(database: Database) -> None:
    scene = await made(database)
    scene.bank.does = ["never"]
    assert await ResetFlights(scene.node().saved).rescue(POOL, rescue(scene)) is None
    assert len(scene.bank.asked) == 1


async def test_who_leaves_does_not_stop_the_attempt(database: Database) -> None:
    scene = await made(database, (2,))
    scene.bank.gate = asyncio.Event()
    flights = ResetFlights(scene.node().saved)
    leaving = asyncio.create_task(flights.rescue(POOL, rescue(scene)))
    async with asyncio.timeout(5):
        while not scene.bank.spent:
            await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    scene.bank.gate.set()
    await flights.close()
    assert await scene.phases() == ["confirmed"]


async def test_nobody_waits_for_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset_flights, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(reset_flights, "LEAVE_SECONDS", 0.05)
    scene = await made(database, (2,))
    scene.bank.gate = asyncio.Event()
    flights = ResetFlights(scene.node().saved)
    assert await flights.rescue(POOL, rescue(scene)) is None
    async with asyncio.timeout(30):
        while not scene.bank.spent:
            await asyncio.sleep(0.01)
    await flights.close()
    assert await scene.phases() == ["sent"], "another process, or the next start, carries it on"


async def test_a_database_that_is_away_means_that_nothing_is_spent(dsn: str, database: Database) -> None:
    scene = await made(database, (2,))
    away = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.2)
    async with away.session():
        assert await ResetFlights(scene.node(away).saved).rescue(POOL, rescue(scene)) is None
    await away.close()
    assert scene.bank.asked == []


async def test_trouble_of_ours_is_nobodys_answer(database: Database) -> None:
    scene = await made(database, (2,))

    class Broken(Bank):
        async def read(self, account: Any) -> Any:
            raise RuntimeError("broken")

    node = Node(database, Broken(scene.bank.holders))
    assert await ResetFlights(node.saved).rescue(POOL, Rescue(BLOCKED, (UUID(int=1),))) is None
