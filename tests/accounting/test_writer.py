"""Rows reach the database exactly once, through crashes, outages and odd text."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from codex_pooler.accounting.journal import Journal
from codex_pooler.accounting.prices import Cost
from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.accounting.writer import LogWriter
from codex_pooler.protocol.usage import Usage
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.spool import Spool
from codex_pooler.storage.tables import api_keys, pools, requests, usage_hourly

NOW = time.time()


def asked(**changes: Any) -> Asked:
    base = Asked(
        id=str(uuid7()),
        admitted_at=NOW,
        pool_id=uuid4(),
        pool_name="Team",
        api_key_id=uuid4(),
        api_key_name="ci",
        route="/r",
        transport="http_sse",
        client="codex/1",
        model="gpt-5.5",
        effort="high",
        service_tier=None,
        request_bytes=9,
        requested_model="gpt-5",
        session="5e55",
        client_ip="192.0.2.1",
    )
    return replace(base, **changes)


def ended(**changes: Any) -> Ended:
    tried = Tried(UUID(int=1), "acct-1", 0, 10, "served", 200, None)
    base = Ended(
        status="succeeded",
        http_status=200,
        error_code=None,
        duration_ms=1500,
        ttft_ms=300,
        usage=Usage(10, 4, 5, 2, 3),
        service_tier="default",
        response_bytes=100,
        attempts=[tried],
        excluded={"paused": 1},
        cost=Cost(70, "priced"),
        routing={"strategy": "fill_first", "ranked": [{"id": str(UUID(int=1)), "name": "acct-1"}]},
    )
    return replace(base, **changes)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


async def writer_for(database: Database, spool: Spool, stored: list[int] | None = None) -> LogWriter:
    writer = LogWriter(database, spool, Journal(spool), (stored if stored is not None else []).append)
    await writer.make_partitions()
    return writer


async def rows_of(database: Database) -> list[Any]:
    async with database.session() as session:
        return await session.fetch(sa.select(requests).order_by(requests.c.id))


async def total(database: Database, column: str) -> int:
    async with database.session() as session:
        row = await session.one(sa.select(sa.func.coalesce(sa.func.sum(usage_hourly.c[column]), 0).label("n")))
        return int(row.n)


async def test_a_finished_turn_becomes_a_row_and_is_counted(database: Database, spool: Spool) -> None:
    stored: list[int] = []
    writer, turn = await writer_for(database, spool, stored), asked()
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=turn.pool_id, slug="team", name="Team"))
    Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
    await writer.drain()
    (row,) = await rows_of(database)
    assert (row.pool_id, row.pool_name, row.input_tokens, row.ttft_ms) == (turn.pool_id, "Team", 10, 300)
    assert row.api_key_id is None, "a key that is gone leaves its name, not its id"
    assert row.api_key_name == "ci"
    assert row.attempts[0]["account_label"] == "acct-1"
    assert row.excluded == {"paused": 1}
    assert row.routing == {"strategy": "fill_first", "ranked": [{"id": str(UUID(int=1)), "name": "acct-1"}]}
    assert (row.model, row.requested_model, row.session, row.client_ip) == ("gpt-5.5", "gpt-5", "5e55", "192.0.2.1")
    assert (row.cost_micros, row.pricing_status, row.cache_write_tokens) == (70, "priced", 3)
    assert (row.service_tier, row.completed_at - row.admitted_at) == ("default", timedelta(seconds=1.5))
    counted = ("requests", "succeeded", "input_tokens", "cache_write_tokens", "cost_micros", "unpriced")
    assert [await total(database, name) for name in counted] == [1, 1, 10, 3, 70, 0]
    assert (stored, spool.backlog) == ([1], 0)


async def test_scenario_42_a_turn_without_a_price_is_counted_as_such_and_not_as_free(
    database: Database, spool: Spool
) -> None:
    writer = await writer_for(database, spool)
    unknown = ended(usage=None, cost=Cost(None, "usage_unknown"), routing=None)
    for end in (ended(), ended(cost=Cost(None, "unpriced_missing_model")), unknown):
        turn = asked()
        Journal(spool).end(turn.id, final_row(turn, begun_row(turn), end))
    await writer.drain()
    assert {(row.pricing_status, row.cost_micros) for row in await rows_of(database)} == {
        ("priced", 70),
        ("unpriced_missing_model", None),
        ("usage_unknown", None),
    }
    assert [await total(database, name) for name in ("requests", "cost_micros", "unpriced")] == [3, 70, 1]


async def test_what_an_older_version_left_in_the_spool_is_stored(database: Database, spool: Spool) -> None:
    writer, turn = await writer_for(database, spool), asked()
    new = {
        "requested_model",
        "served_model",
        "session",
        "client_ip",
        "cost_micros",
        "pricing_status",
        "cache_write_tokens",
        "routing",
    }
    row = orjson.loads(final_row(turn, begun_row(turn), ended()))
    spool.end(turn.id, orjson.dumps({name: value for name, value in row.items() if name not in new}))
    await writer.drain()
    (stored,) = await rows_of(database)
    assert {getattr(stored, name) for name in new} == {None}
    assert [await total(database, name) for name in ("requests", "cost_micros", "unpriced")] == [1, 0, 0]


async def test_a_key_shows_when_it_was_last_used(database: Database, spool: Spool) -> None:
    writer, newer, older = await writer_for(database, spool), asked(), asked(admitted_at=NOW - 60)
    older = replace(older, api_key_id=newer.api_key_id)
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=newer.pool_id, slug="team", name="Team"))
        key = {"id": newer.api_key_id, "pool_id": newer.pool_id, "name": "ci", "prefix": "p", "digest": b"d"}
        await session.execute(sa.insert(api_keys).values(**key))
    for turn in (newer, older):
        Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
        await writer.drain()
    async with database.session() as session:
        row = await session.one(sa.select(api_keys.c.last_used_at))
    assert abs(row.last_used_at.timestamp() - NOW) < 0.001


async def test_a_row_that_comes_twice_counts_once(database: Database, spool: Spool) -> None:
    writer, turn = await writer_for(database, spool), asked()
    for _ in range(2):
        Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
        await writer.drain()
    assert len(await rows_of(database)) == 1
    assert await total(database, "requests") == 1


async def test_what_a_killed_process_left_is_stored_once_and_its_running_turns_are_interrupted(
    database: Database, spool: Spool
) -> None:
    script = (
        "import os, sys, signal; sys.path.insert(0, '.')\n"
        "from pathlib import Path; from codex_pooler.storage.spool import Spool\n"
        "from codex_pooler.accounting.journal import Journal\n"
        "from codex_pooler.accounting.settlement import begun_row, final_row\n"
        "from tests.accounting.test_writer import asked, ended\n"
        "j = Journal(Spool(Path(sys.argv[1])))\n"
        "for n in range(20):\n"
        "    turn = asked(); j.begin(turn.id, begun_row(turn))\n"
        "    n % 2 and j.end(turn.id, final_row(turn, begun_row(turn), ended()))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, str(spool.folder)], check=False)
    writer = await writer_for(database, spool)
    for _ in range(2):
        await writer.replay_orphans()
    found = [row.status for row in await rows_of(database)]
    assert (found.count("succeeded"), found.count("interrupted"), len(found)) == (10, 10, 20)
    counted = ("requests", "failed", "input_tokens", "cache_write_tokens", "cost_micros")
    assert [await total(database, name) for name in counted] == [20, 10, 100, 30, 700]
    interrupted = [row for row in await rows_of(database) if row.status == "interrupted"]
    assert {(row.session, row.client_ip, row.requested_model, row.cost_micros) for row in interrupted} == {
        ("5e55", "192.0.2.1", "gpt-5", None)
    }


async def test_rows_wait_in_the_spool_while_the_database_is_away(dsn: str, spool: Spool) -> None:
    gone = await Database.open(dsn, maxsize=1)
    writer = await writer_for(gone, spool)
    await gone.close()
    turn = asked()
    Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
    with pytest.raises(RuntimeError, match="closing"):
        await writer.drain()
    assert spool.backlog > 0
    back = await Database.open(dsn, maxsize=1)
    await LogWriter(back, spool, Journal(spool), lambda count: None).drain()
    assert len(await rows_of(back)) == 1
    await back.close()


async def test_a_day_without_a_partition_gets_one(database: Database, spool: Spool) -> None:
    writer, turn = await writer_for(database, spool), asked(admitted_at=NOW - 20 * 86400)
    Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
    await writer.drain()
    assert len(await rows_of(database)) == 1


@pytest.mark.parametrize("text", ["nul \0 byte", "lone \ud800 surrogate", "x" * 5000, "new\nline \x1b[31m"])
async def test_odd_text_from_clients_is_made_fit_and_never_blocks_the_log(
    text: str, database: Database, spool: Spool
) -> None:
    writer, turn = await writer_for(database, spool), asked(model=text, client=text, effort=text, session=text)
    Journal(spool).begin(turn.id, begun_row(turn))
    Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended(error_code=text, service_tier=text)))
    await writer.drain()
    (row,) = await rows_of(database)
    assert len(row.model) <= 160
    assert row.model.isprintable()


async def test_a_row_the_database_refuses_does_not_hold_up_the_others(database: Database, spool: Spool) -> None:
    writer, turn = await writer_for(database, spool), asked()
    spool.end("bad", b'{"id":"not a uuid","admitted_at":"2026-01-01T00:00:00+00:00"}')
    Journal(spool).end(turn.id, final_row(turn, begun_row(turn), ended()))
    await writer.drain()
    assert len(await rows_of(database)) == 1
    assert spool.backlog == 0
