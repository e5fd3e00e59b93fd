"""Compaction as three generations of the Codex CLI ask for it, also when the serving account gives out around it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.clients.codex import Codex, Run
from e2e.clients.pool import TURNS, Pool, troubles
from e2e.clients.programs import THOROUGH

from codex_pooler.protocol.requests import LOST_SUMMARY

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD_ROUTE = f"{TURNS}/compact"
ROUTES = {"0.98.0": OLD_ROUTE, "0.125.0": OLD_ROUTE, "0.169.0": TURNS}
EVERYWHERE = [("0.98.0", "http"), *itertools.product(("0.125.0", "0.169.0"), ("http", "websocket"))]
EACH_VERSION = pytest.mark.parametrize("version", THOROUGH, indirect=True)
AT_ONCE = ("-c", "model_auto_compact_token_limit=1000")


@pytest.fixture(autouse=True)
def bodies(pool: Pool) -> Iterator[None]:
    """Meanwhile the simulated backend remembers what it is sent."""
    pool.world.settings.keep_bodies = True
    yield
    pool.world.settings.keep_bodies = False


def input_types(turn: dict[str, Any]) -> list[str]:
    return [item["type"] for item in turn["body"]["input"]]


async def compactions(pool: Pool) -> list[Any]:
    """The turns that folded a conversation, as they came to the backend."""
    return [turn for turn in await pool.answered() if input_types(turn)[-1:] == ["compaction_trigger"]]


async def compacted(cli: Codex, prompt: str) -> Run:
    """Resume a session that is by now too long for the limit it is given."""
    return await cli.resume(*AT_ONCE, prompt)


async def test_a_long_conversation_is_compacted_and_goes_on(cli: Codex, pool: Pool) -> None:
    await cli.exec("Reply with exactly: first")
    run = await compacted(cli, "Reply with exactly: second")
    assert (run.messages, run.complaints) == (["second"], [])
    assert (await cli.resume("Reply with exactly: third")).messages == ["third"]
    (folded,) = await compactions(pool)
    assert "compaction" in input_types((await pool.answered())[-1])
    assert {one["account"] for one in await pool.answered()} == {pool.first}
    rows = await pool.log()
    assert {row["status"] for row in rows} == {"succeeded"}
    asked_the_old_way = [row["route"] for row in rows].count(OLD_ROUTE)
    assert asked_the_old_way == (ROUTES[cli.version] == OLD_ROUTE)
    assert folded["transport"] == ("websocket" if cli.websockets and not asked_the_old_way else "http")


@pytest.mark.parametrize(("version", "way"), EVERYWHERE, indirect=True)
async def test_who_wrote_the_compaction_serves_what_follows(cli: Codex, pool: Pool) -> None:
    await cli.exec("Reply with exactly: first")
    await pool.fault(pool.first, "server_error")
    run = await compacted(cli, "Reply with exactly: second")
    assert (run.messages, run.complaints) == (["second"], [])
    started, folded, following = await pool.answered()
    if ROUTES[cli.version] == OLD_ROUTE or not cli.websockets:
        assert (started["account"], folded["account"]) == (pool.first, pool.second)
    assert following["account"] == folded["account"]
    newest = (await pool.log())[0]
    assert [attempt["outcome"] for attempt in newest["attempt_log"]] == ["served"], "it reads its compaction at once"


@EACH_VERSION
@pytest.mark.parametrize("trouble", troubles("exhausted"))
async def test_the_account_gives_out_before_the_compaction(cli: Codex, pool: Pool, trouble: str) -> None:
    await cli.exec("Reply with exactly: first")
    await pool.trouble(trouble)
    run = await compacted(cli, "Reply with exactly: second")
    assert (run.messages, run.complaints) == (["second"], [])
    (folded,) = await compactions(pool)
    assert folded["account"] == pool.second


@EACH_VERSION
@pytest.mark.parametrize("trouble", troubles("logged_out"))
async def test_the_account_gives_out_after_the_compaction(cli: Codex, pool: Pool, trouble: str) -> None:
    await cli.exec("Reply with exactly: first")
    assert (await compacted(cli, "Reply with exactly: second")).messages == ["second"]
    (folded,) = await compactions(pool)
    assert folded["account"] == pool.first
    await pool.trouble(trouble)
    run = await cli.resume("Reply with exactly: third")
    assert (run.messages, run.complaints) == (["third"], [])
    newest = (await pool.answered())[-1]
    assert newest["account"] == pool.second
    assert LOST_SUMMARY in json.dumps(newest["body"]), "the model was not told what is missing"
