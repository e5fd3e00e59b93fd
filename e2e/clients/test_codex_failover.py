"""The account that serves a session is killed, exhausted or logged out in the middle of it: its user notices nothing
but, at worst, a retry, and no turn is answered twice."""

from __future__ import annotations

import json

import pytest
from e2e.clients.codex import RETRY, Codex
from e2e.clients.pool import TROUBLES, Pool, troubles
from e2e.clients.programs import THOROUGH
from e2e.clients.samples import SCHEMA, picture

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("version", THOROUGH, indirect=True),
]

CAUSES = {
    "killed": {"upstream_reset", "upstream_closed", "upstream_upgrade_failed"},
    # the backend says so, or what is left has been read just before, and nobody has to ask
    "exhausted": {"usage_limit_reached", "usage_limited"},
    "logged_out": {"token_revoked"},
}


async def served_by(pool: Pool) -> list[str]:
    """The account of each turn the backend finished, in order, once the log has been found to say the same."""
    answered = await pool.answered()
    rows = [row for row in await pool.log() if row["status"] == "succeeded"]
    assert len({one["response_id"] for one in answered}) == len(answered)
    used = [row["usage"]["total"] for row in rows]
    assert sum(one["usage"]["total_tokens"] for one in answered) == sum(used), "each answer was counted once"
    return [one["account"] for one in answered]


async def causes(pool: Pool) -> set[str]:
    """Why attempts failed, and why accounts were not asked at all."""
    rows = await pool.log()
    failed = {attempt["error_code"] for row in rows for attempt in row["attempt_log"]}
    return failed | {each["reason"] for row in rows for each in row["excluded"]}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_between_two_turns(cli: Codex, pool: Pool, trouble: str) -> None:
    await cli.exec("Reply with exactly: first")
    await pool.trouble(trouble)
    second = await cli.resume("Reply with exactly: second")
    assert (second.messages, second.complaints) == (["second"], [])
    assert await served_by(pool) == [pool.first, pool.second]
    assert await causes(pool) & CAUSES[trouble]


@pytest.mark.parametrize("trouble", troubles("killed"))
async def test_while_a_tool_runs(cli: Codex, pool: Pool, trouble: str) -> None:
    command = pool.trouble_script(trouble, cli.work)
    run = await cli.exec(f"Please run the shell command: {command}; then reply with exactly: done")
    assert run.messages == ["done"]
    assert run.complaints == []
    again = await cli.resume("Reply with exactly: again")
    assert (again.messages, again.complaints) == (["again"], [])
    assert await served_by(pool) == [pool.first, pool.second, pool.second]


@pytest.mark.parametrize("trouble", troubles("exhausted"))
async def test_while_a_sub_agent_reviews(cli: Codex, pool: Pool, trouble: str) -> None:
    command = pool.trouble_script(trouble, cli.work)
    run = await cli.exec("review", f"Please run the shell command: {command}; then reply with exactly: fine")
    assert (run.messages[-1], run.complaints) == ("fine", [])
    assert await served_by(pool) == [pool.first, pool.second]
    assert {one["headers"]["x-openai-subagent"] for one in await pool.answered()} == {"review"}


async def test_with_a_large_picture_on_its_way(cli: Codex, pool: Pool) -> None:
    picture(cli.work / "noise.png")
    (cli.work / "schema.json").write_text(json.dumps(SCHEMA))
    await pool.fault(pool.first, "usage_limit_reached")
    run = await cli.exec("--output-schema", "schema.json", "Reply with exactly: seen", "-i", "noise.png")
    assert [json.loads(text)["answer"] for text in run.messages] == ["seen"]
    assert run.complaints == []
    assert await served_by(pool) == [pool.second]
    sizes = [one["body_bytes"] for one in await pool.arrived() if one["model"] and not one["prewarm"]]
    assert len(sizes) == 2
    assert min(sizes) > 6_700_000


@pytest.mark.parametrize("fault", ["reset_after_output", "truncated_after_output", "failed_overloaded_after_output"])
async def test_in_the_middle_of_an_answer(cli: Codex, pool: Pool, fault: str) -> None:
    await pool.fault(pool.first, fault)
    run = await cli.exec("Reply with exactly: ok")
    assert run.messages == ["ok"]
    assert all(complaint.startswith(RETRY) for complaint in run.complaints)
    assert len(await served_by(pool)) == 1
    broken = [one for one in await pool.arrived() if one["fault"] == fault]
    assert [one["finished"] for one in broken] == [False]
    assert {row["status"] for row in await pool.log()} == {"succeeded", "failed"}
