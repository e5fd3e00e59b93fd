"""What is known of quotas outlives the process, reaches the others, and survives an absent database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest

from codex_pooler.quota import keeper as keeping
from codex_pooler.quota.evidence import from_event
from codex_pooler.quota.keeper import ClockWatch, QuotaKeeper
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.quota.standing import KNOWN_GOOD
from codex_pooler.storage.database import Database
from tests.quota.statements import DAY, HOUR, NOW, event, head, metered, poll, usage, window

MODEL = "gpt-5.5"
A, B = UUID(int=1), UUID(int=2)


async def accounts(database: Database, *ids: UUID) -> None:
    async with database.session() as session:
        for account_id in ids:
            values = {"id": str(account_id), "key": f"{account_id}||"}
            await session.run(
                "INSERT INTO accounts (id, label, chatgpt_account_id, identity_key)"
                " VALUES (%(id)s, 'one', 'acct', %(key)s)",
                values,
            )


async def restored(database: Database) -> Quotas:
    quotas = Quotas()
    await QuotaKeeper(database, quotas).load()
    return quotas


async def test_everything_known_is_there_after_a_restart(database: Database) -> None:
    await accounts(database, A, B)
    quotas = Quotas()
    limits = [{"limit_id": "vision", "model": "gpt-9", "rate_limit": {"primary_window": window(10)}}]
    closed = {"gpt-6-astra": {"available": False, "available_at": NOW + HOUR}}
    quotas.observe(A, poll(30, weekly=60, additional_rate_limits=limits, model_usage=closed), NOW)
    quotas.observe(B, metered(), NOW)
    quotas.refuse(A, refusal_of("usage_limit_reached", NOW + HOUR, None, "", MODEL), NOW + 1)
    quotas.refuse(B, refusal_of("rate_limit_exceeded", None, 30.0, "", MODEL), NOW + 1)
    await QuotaKeeper(database, quotas).store()
    after = await restored(database)
    for account_id in (A, B):
        before, again = quotas.record(account_id), after.record(account_id)
        assert before is not None
        assert again is not None
        assert again.windows == before.windows
        for name in ("verdicts", "credits", "spend", "gates", "reached", "plan_type", "saved_resets"):
            assert getattr(again, name) == getattr(before, name), name
    for model in (MODEL, "gpt-9", "gpt-6-astra"):
        assert after.standing(A, model, NOW + 2) == quotas.standing(A, model, NOW + 2)
    assert not after.standing(B, MODEL, NOW + 2).reason, "a burst is over before anybody else could know"


async def test_whoever_watches_hears_what_changed_here_and_elsewhere(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "RELOAD_SECONDS", 0.01)
    await accounts(database, A, B)
    here, elsewhere, told = Quotas(), Quotas(), asyncio.Queue[set[UUID]]()
    keeper = QuotaKeeper(database, here, changed=lambda ids: told.put_nowait(set(ids)))
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(30):
        here.observe(A, head(10, 20), NOW)
        assert await told.get() == {A}
        elsewhere.observe(B, head(10, 20), NOW)
        await QuotaKeeper(database, elsewhere).store()
        assert await told.get() == {B}
    assert told.empty(), "what everybody knows already is no news"
    running.cancel()
    await asyncio.wait({running})


async def test_only_what_changed_is_written_and_only_once(database: Database) -> None:
    await accounts(database, A)
    quotas = Quotas()
    quotas.observe(A, head(10, 20), NOW)
    keeper = QuotaKeeper(database, quotas)
    await keeper.store()
    assert not quotas.changes()
    quotas.observe(A, head(11, 20, NOW + 1), NOW + 1)
    changes = quotas.changes()
    assert [row["kind"] for row in changes.windows] == ["5h"]
    assert not changes.states


async def test_the_newer_statement_wins_between_processes(database: Database) -> None:
    await accounts(database, A)
    one, other = Quotas(), Quotas()
    other.observe(A, head(50, at=NOW + 10), NOW + 10)
    one.observe(A, head(20, at=NOW), NOW)
    await QuotaKeeper(database, other).store()
    await QuotaKeeper(database, one).store()
    await QuotaKeeper(database, one).load()
    record = one.record(A)
    assert record is not None
    assert record.windows["account", "5h"].used_percent == 50.0
    one.observe(A, head(60, at=NOW + 20), NOW + 20)
    await QuotaKeeper(database, one).load()
    assert record.windows["account", "5h"].used_percent == 60.0


async def test_a_busy_process_learns_what_another_was_told_of_models_and_money(database: Database) -> None:
    await accounts(database, A)
    busy, asking = Quotas(), Quotas()
    asking.observe(A, metered(model_usage={"gpt-6-astra": {"available": False}}), NOW)
    await QuotaKeeper(database, asking).store()
    busy.observe(A, event(10, NOW + 5, credits={"has_credits": True, "unlimited": False}), NOW + 5)
    await QuotaKeeper(database, busy).load()
    record = busy.record(A)
    assert record is not None
    assert record.spend is not None
    assert busy.standing(A, "gpt-6-astra", NOW + 6).reason == "model_unavailable"
    await QuotaKeeper(database, busy).store()
    again = (await restored(database)).record(A)
    assert again is not None
    assert again.credits is not None
    assert again.credits.observed_at == NOW + 5
    assert again.spend == record.spend


async def test_a_withdrawn_verdict_does_not_come_back_from_another_process(database: Database) -> None:
    await accounts(database, A)
    one, other = Quotas(), Quotas()
    for quotas in (one, other):
        quotas.observe(A, usage({"rate_limit": {"allowed": False}}), NOW)
    one.observe(A, head(5, at=NOW + 40), NOW + 40)
    other.observe(A, usage({"plan_type": "plus"}, NOW + 50), NOW + 50)
    for quotas in (one, other) * 3:
        await QuotaKeeper(database, quotas).store()
        await QuotaKeeper(database, quotas).load()
    for quotas in (one, other, await restored(database)):
        assert quotas.standing(A, MODEL, NOW + 51).grade == KNOWN_GOOD


async def test_blocks_and_their_end_reach_other_processes(database: Database) -> None:
    await accounts(database, A)
    one, other = Quotas(), Quotas()
    one.refuse(A, refusal_of("usage_limit_reached", NOW + HOUR, None, "", MODEL), NOW)
    await QuotaKeeper(database, one).store()
    await QuotaKeeper(database, other).load()
    assert other.standing(A, MODEL, NOW + 1).until == NOW + HOUR
    one.observe(A, head(5, at=NOW + 40), NOW + 40)
    await QuotaKeeper(database, one).store()
    await QuotaKeeper(database, other).load()
    assert other.standing(A, MODEL, NOW + 41).grade == KNOWN_GOOD


async def test_rows_from_the_future_give_way(database: Database) -> None:
    """A clock that was ahead is set back: what it stored must not stand for hours."""
    await accounts(database, A)
    ahead, right = Quotas(), Quotas()
    now = time.time()
    late = from_event(b'{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":90}}}', now + 3 * HOUR)
    seen = from_event(b'{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":10}}}', now)
    assert late is not None
    assert seen is not None
    ahead.observe(A, late, now + 3 * HOUR)
    await QuotaKeeper(database, ahead).store()
    right.observe(A, seen, now)
    await QuotaKeeper(database, right).store()
    record = (await restored(database)).record(A)
    assert record is not None
    assert record.windows["account", "5h"].used_percent == 10.0


async def test_what_is_known_of_a_deleted_account_is_left_out(database: Database) -> None:
    await accounts(database, B)
    quotas = Quotas()
    quotas.observe(A, head(10), NOW)
    quotas.observe(B, head(20), NOW)
    await QuotaKeeper(database, quotas).store()
    after = await restored(database)
    assert after.record(A) is None
    assert after.record(B) is not None


async def test_a_state_of_another_version_is_read_as_far_as_possible(database: Database) -> None:
    await accounts(database, A)
    async with database.session() as session:
        state = '{"plan_type":"pro","verdicts":[{"odd":1}],"credits":{"has_credits":true},"spend":[]}'
        values = {"id": str(A), "state": state}
        await session.run("INSERT INTO quota_states VALUES (%(id)s, %(state)s, now())", values)
    record = (await restored(database)).record(A)
    assert record is not None
    assert (record.plan_type, record.verdicts, record.credits, record.spend) == ("pro", {}, None, None)


@asynccontextmanager
async def kept(keeper: QuotaKeeper, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0.01)
    task = asyncio.create_task(keeper.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_with_the_database_away_nothing_is_lost(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts(database, A)
    quotas = Quotas()
    away = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.5)
    keeper = QuotaKeeper(away, quotas)
    async with kept(keeper, monkeypatch):
        async with away.session():  # the only connection is taken
            quotas.observe(A, head(10), NOW)
            await asyncio.sleep(0.8)
            assert (await restored(database)).record(A) is None
        for _ in range(100):
            if (await restored(database)).record(A) is not None:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("what waited was not stored")
    await away.close()


async def test_what_was_learned_last_is_stored_when_the_process_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts(database, A)
    quotas = Quotas()
    keeper = QuotaKeeper(database, quotas)
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    quotas.observe(A, head(10), NOW)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (await restored(database)).record(A) is not None


@pytest.mark.parametrize(
    ("wall", "steady", "jump"), [(1.0, 1.0, 0.0), (601.0, 1.0, 600.0), (-599.0, 1.0, -600.0), (28_800.0, 28_800.0, 0.0)]
)
def test_only_a_clock_that_was_set_jumps(wall: float, steady: float, jump: float) -> None:
    """The last row is a machine that slept for eight hours: time has passed, and nobody set anything."""
    times = {"wall": NOW, "steady": 50.0}
    watch = ClockWatch(lambda: times["wall"], lambda: times["steady"])
    times["wall"] += wall
    times["steady"] += steady
    assert watch.jump() == jump
    assert watch.jump() == 0.0


async def test_a_jump_of_the_clock_moves_what_is_known(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = Quotas()
    quotas.observe(A, usage({"rate_limit": {"primary_window": window(100, 10_080, DAY)}}), NOW)
    times = {"wall": NOW}
    keeper = QuotaKeeper(database, quotas, ClockWatch(lambda: times["wall"], lambda: 0.0))
    async with kept(keeper, monkeypatch):
        times["wall"] += 2 * DAY
        await asyncio.sleep(0.1)
    assert quotas.standing(A, MODEL, NOW + 2 * DAY).until == NOW + 3 * DAY
