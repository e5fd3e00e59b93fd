"""What keys used is read from the database and joined with what this process knows, each request counted once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.settlement import Asked, Ended, begun_row, final_row
from codex_pooler.accounting.writer import LogWriter
from codex_pooler.keys.limits import Estimate, Limits, now
from codex_pooler.keys.loading import load, read_sums
from codex_pooler.keys.windows import SPANS
from codex_pooler.protocol.usage import Usage
from codex_pooler.snapshot.model import Key, Limit
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.queries_keys import USED_WINDOWS
from codex_pooler.storage.spool import Spool
from codex_pooler.storage.tables import usage_hourly
from tests.keys.examples import key_with

EVERYTHING = (Limit("requests", "month", 100), Limit("tokens", "week", 10_000), Limit("tokens", "week", 500, "Big"))


@asynccontextmanager
async def at_rest() -> AsyncIterator[float]:
    """Nothing has been stored of this process."""
    yield 0.0


def used(limits: Limits, key: Key) -> list[int]:
    return [each.used for each in limits.usage(key, now())]


async def rollup(database: Database, key: Key, hours_ago: float, **values: Any) -> None:
    moment = datetime.now(UTC) - timedelta(hours=hours_ago)
    row = {
        "hour": moment.replace(minute=0, second=0, microsecond=0),
        "pool_id": UUID(int=1),
        "api_key_id": key.id,
        "account_id": uuid4(),
        "model": "m",
        "service_tier": "",
        **values,
    }
    async with database.session() as session:
        await session.execute(sa.insert(usage_hourly).values(**row))


def test_the_query_knows_every_window_that_outlives_a_process() -> None:
    assert tuple(SPANS) == USED_WINDOWS


async def test_the_sums_are_by_key_model_and_window_without_rejected_turns(database: Database) -> None:
    key, other = key_with(*EVERYTHING), key_with(*EVERYTHING, number=2)
    await rollup(database, key, 0, requests=5, rejected=2, input_tokens=100, output_tokens=20, cost_micros=7)
    await rollup(database, key, 0, model="BIG", requests=1, input_tokens=300)
    await rollup(database, key, 6 * 24, requests=4, output_tokens=50)
    await rollup(database, key, 40 * 24, requests=900, input_tokens=900)
    await rollup(database, other, 0, requests=1)
    async with database.session() as session:
        stored = await read_sums(session, [(key.id, key.limits)], time.time(), 0.0)
    assert set(stored.sums) == {key.id}
    assert set(stored.sums[key.id]) == {"m", "big"}
    plain = stored.sums[key.id]["m"]
    assert (plain["week"].amounts[0], plain["week"].amounts[1]) == (7, 170)
    assert plain["day"].amounts == [3, 120, 7]
    assert plain["week"].oldest == pytest.approx(time.time() - 6 * 86400, abs=3600)
    assert stored.sums[key.id]["big"]["day"].amounts == [1, 300, 0]


async def test_what_other_processes_stored_counts_against_the_limit(database: Database) -> None:
    key, limits = key_with(*EVERYTHING), Limits()
    await rollup(database, key, 0, requests=5, input_tokens=100)
    await rollup(database, key, 0, model="big", requests=1, input_tokens=450)
    await load(limits, database, [key], at_rest)
    assert used(limits, key) == [5, 100, 450]
    limits.reserve(key, "m", Estimate(10, 10), now())
    assert used(limits, key) == [6, 120, 450]


async def test_a_turn_counts_once_before_during_and_after_it_is_stored(database: Database, tmp_path: Path) -> None:
    key, limits, spool = key_with(*EVERYTHING), Limits(), Spool(tmp_path / "spool")
    journal = Journal(spool)
    writer = LogWriter(database, spool, journal, lambda count: None)
    await writer.make_partitions()

    def turn() -> None:
        """A turn of 60 tokens from admission to settlement."""
        reservation = limits.reserve(key, "m", Estimate(10, 10), now())
        asked = Asked(
            str(uuid7()), time.time(), UUID(int=1), "t", key.id, "ci", "/r", "http_sse", None, "m", None, None, 9
        )
        journal.begin(asked.id, begun_row(asked))
        ended = Ended("succeeded", 200, None, 1, 1, Usage(50, 0, 10, 0), None, 1, [], {})
        journal.end(asked.id, final_row(asked, begun_row(asked), ended))
        reservation.settle(60, None)

    await load(limits, database, [key], writer.at_rest)
    turn()
    assert used(limits, key)[:2] == [1, 60]
    await load(limits, database, [key], writer.at_rest)
    assert used(limits, key)[:2] == [1, 60]
    await writer.drain()
    assert used(limits, key)[:2] == [1, 60]
    turn()
    await load(limits, database, [key], writer.at_rest)
    assert used(limits, key)[:2] == [2, 120]
    await writer.drain()
    await load(limits, database, [key], writer.at_rest)
    assert used(limits, key)[:2] == [2, 120]
    await rollup(database, key, 0, requests=1, input_tokens=5)
    await load(limits, database, [key], writer.at_rest)
    assert used(limits, key)[:2] == [3, 125]
    spool.close()


async def test_keys_without_such_limits_are_not_asked_for(database: Database) -> None:
    await database.close()
    limits = Limits()
    await load(limits, database, [key_with(), key_with(Limit("requests", "minute", 5), max_concurrency=2)], at_rest)
