"""Old turns go by whole days, what they amounted to stays, and a deleted key takes nothing with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy as sa

from codex_pooler.accounting.prices import Cost
from codex_pooler.accounting.settlement import begun_row, final_row
from codex_pooler.jobs import retention as job
from codex_pooler.jobs.retention import forget_what_is_old
from codex_pooler.snapshot.settings import Retention
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_keys import DELETE
from codex_pooler.storage.queries_log import STORE, create_partition, partition_day, partition_name
from codex_pooler.storage.queries_requests import histogram
from codex_pooler.storage.queries_usage import traffic
from codex_pooler.storage.tables import (
    accounts,
    api_keys,
    audit_events,
    pools,
    requests,
    saved_reset_claims,
    usage_hourly,
)
from tests.accounting.test_writer import asked, ended

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
BY_ITSELF = {"actor_type": "system", "target_type": "pool"}


async def log_a_turn_per_day(database: Database, days: int, **changes: Any) -> None:
    async with database.session() as session:
        for ago in range(days):
            at = NOW - timedelta(days=ago)
            turn = asked(admitted_at=at.timestamp(), **changes)
            row = final_row(turn, begun_row(turn), ended(cost=Cost(100, "priced")))
            await session.run(create_partition(at.date()))
            await session.run(STORE, {"rows": f"[{row.decode()}]"})


async def days_kept(database: Database) -> list[date]:
    async with database.session() as session:
        rows = await session.fetch(sa.select(requests.c.admitted_at).order_by(requests.c.admitted_at.desc()))
    return [row.admitted_at.date() for row in rows]


async def test_scenario_45_old_days_go_and_28_days_of_figures_stay_right(database: Database) -> None:
    await log_a_turn_per_day(database, 28)
    since = {"since": NOW - timedelta(days=28), "until": NOW}
    async with database.session() as session:
        chart, bars = await traffic(session, "30d", None, NOW), await histogram(session, since)
    assert (sum(chart["requests"]), sum(chart["cost_micros"]), sum(bars["succeeded"])) == (28, 2800, 28)

    await forget_what_is_old(database, Retention(request_logs_days=7, rollups_days=730), NOW)

    assert await days_kept(database) == [(NOW - timedelta(days=ago)).date() for ago in range(8)]
    async with database.session() as session:
        assert await traffic(session, "30d", None, NOW) == chart
        assert await histogram(session, since) == bars


async def test_zero_days_keep_everything(database: Database) -> None:
    await log_a_turn_per_day(database, 3)
    await forget_what_is_old(database, Retention(request_logs_days=0, rollups_days=0), NOW + timedelta(days=9999))
    assert len(await days_kept(database)) == 3


async def test_old_hours_go_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "BATCH", 2)
    await log_a_turn_per_day(database, 7)
    await forget_what_is_old(database, Retention(request_logs_days=0, rollups_days=3), NOW)
    async with database.session() as session:
        rows = await session.fetch(sa.select(usage_hourly.c.hour).order_by(usage_hourly.c.hour.desc()))
    assert [row.hour.date() for row in rows] == [(NOW - timedelta(days=ago)).date() for ago in range(3)]


async def test_a_day_that_is_being_read_waits_for_the_next_pass(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LOCK_TIMEOUT", "50ms")
    await log_a_turn_per_day(database, 3)
    keep = Retention(request_logs_days=1)
    async with database.transaction() as reader:
        await reader.fetch(sa.select(requests.c.id))
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            await forget_what_is_old(database, keep, NOW)
    assert len(await days_kept(database)) == 3
    await forget_what_is_old(database, keep, NOW)
    assert len(await days_kept(database)) == 2


async def test_two_processes_may_drop_at_once(database: Database) -> None:
    await log_a_turn_per_day(database, 6)
    keep = Retention(request_logs_days=2)
    await asyncio.gather(*(forget_what_is_old(database, keep, NOW) for _ in range(3)))
    assert len(await days_kept(database)) == 3


async def test_events_and_spent_resets_go_after_their_year_and_nothing_that_is_open(database: Database) -> None:
    pool_id, account_id = uuid4(), uuid4()
    events = [
        {"id": uuid4(), "occurred_at": NOW - timedelta(days=days), "action": f"a{days}", **BY_ITSELF}
        for days in (1, 364, 366, 2000)
    ]
    claims = [
        {"id": uuid4(), "account_id": account_id, "trigger": "manual", "phase": phase, "finished_at": at}
        for phase, at in (
            ("confirmed", NOW - timedelta(days=366)),
            ("noop", NOW - timedelta(days=1)),
            ("claimed", None),
        )
    ]
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=pool_id, slug="team", name="Team"))
        await session.execute(
            sa.insert(accounts).values(id=account_id, chatgpt_account_id="a", identity_key="a", label="A")
        )
        for event in events:
            await session.execute(sa.insert(audit_events).values(event))
        for claim in claims:
            created = NOW - timedelta(days=400)
            await session.execute(sa.insert(saved_reset_claims).values({**claim, "created_at": created}))
    for keep, events_left, claims_left in ((0, 4, 3), (365, 2, 2)):
        await forget_what_is_old(database, Retention(audit_days=keep), NOW)
        async with database.session() as session:
            assert len(await session.fetch(sa.select(audit_events.c.id))) == events_left
            phases = {row.phase for row in await session.fetch(sa.select(saved_reset_claims.c.phase))}
        assert len(phases) == claims_left
    assert phases == {"noop", "claimed"}


async def test_scenario_44_a_deleted_key_leaves_its_turns_and_their_cost(database: Database) -> None:
    pool_id, key_id = uuid4(), uuid4()
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=pool_id, slug="team", name="Team"))
        key = {"id": key_id, "pool_id": pool_id, "name": "ci", "prefix": "p", "digest": b"d"}
        await session.execute(sa.insert(api_keys).values(**key))
    await log_a_turn_per_day(database, 2, pool_id=pool_id, api_key_id=key_id)
    async with database.session() as session:
        before = await traffic(session, "7d", None, NOW)
        await session.execute(DELETE, api_key_id=key_id)
        assert await traffic(session, "7d", None, NOW) == before
        rows = await session.fetch(sa.select(requests.c.api_key_id, requests.c.api_key_name, requests.c.cost_micros))
        spent = await session.one(
            sa.select(sa.func.sum(usage_hourly.c.cost_micros).label("n")).where(usage_hourly.c.api_key_id == key_id)
        )
    assert [tuple(row) for row in rows] == [(None, "ci", 100)] * 2
    assert spent.n == 200


@pytest.mark.parametrize("name", ["requests", "requests_default", "pools", "requests_2026111", "xrequests_20261121x"])
def test_only_our_own_daily_tables_are_known(name: str) -> None:
    assert partition_day(name) is None


def test_names_and_days_belong_together() -> None:
    day = date(2026, 2, 28)
    assert partition_day(partition_name(day)) == partition_day(f"public.{partition_name(day)}") == day
