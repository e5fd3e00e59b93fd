"""The real Codex CLI from npm, configured as the README says, through the gateway to the simulated backend."""

from __future__ import annotations

import json
import subprocess

import pytest
from e2e.clients.codex import Codex
from e2e.clients.person import Person
from e2e.clients.pool import Pool
from e2e.clients.samples import SCHEMA, picture

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVER_HTTP = pytest.mark.parametrize("way", ["http"], indirect=True)
OVER_WEBSOCKETS = pytest.mark.parametrize("way", ["websocket"], indirect=True)
TRANSPORTS = {"http": "http_sse", "websocket": "websocket"}


def changed_repository(cli: Codex) -> None:
    """Work that is not committed yet."""
    git = ("git", "-c", "user.name=Anna", "-c", "user.email=anna@example.com")
    (cli.work / "sum.py").write_text("print(1 + 1)\n")
    for step in (("init", "--quiet"), ("add", "sum.py"), ("commit", "--quiet", "-m", "Add up")):
        subprocess.run([*git, *step], cwd=cli.work, check=True, env=dict(cli.environment))
    (cli.work / "sum.py").write_text("print(1 - 1)\n")


async def test_a_plain_reply(cli: Codex, pool: Pool, way: str) -> None:
    run = await cli.exec("Reply with exactly: ok")
    assert (run.messages, run.complaints) == (["ok"], [])
    row = (await pool.log())[0]
    assert (row["status"], row["model"], row["transport"]) == ("succeeded", "gpt-5.5", TRANSPORTS[way])
    assert row["client"] == ("codex_exec" if cli.hides_its_version else f"codex_exec/{cli.version}")
    assert len(await pool.answered()) == 1
    assert await pool.upgrades() == cli.websockets


async def test_a_turn_that_runs_a_shell_command(cli: Codex, pool: Pool) -> None:
    run = await cli.exec("Please run the shell command: echo from-the-shell > made.txt; cat made.txt")
    assert (cli.work / "made.txt").read_text() == "from-the-shell\n"
    assert run.messages[-1] == "The command printed: from-the-shell"
    assert {row["status"] for row in await pool.log()} == {"succeeded"}
    assert [one["account"] for one in await pool.answered()] == [pool.first] * 2
    assert await pool.upgrades() == cli.websockets, "the second part went over the socket of the first"


async def test_a_session_is_resumed_with_its_account(cli: Codex, pool: Pool) -> None:
    await cli.exec("Reply with exactly: first")
    await pool.admin("PATCH", f"/pools/{pool.pool_id}", {"strategy": "least_recent_success"})
    run = await cli.resume("Reply with exactly: second")
    assert (run.messages, run.complaints) == (["second"], [])
    assert [one["account"] for one in await pool.answered()] == [pool.first] * 2


async def test_an_answer_in_the_shape_that_was_asked_for(cli: Codex, pool: Pool) -> None:
    (cli.work / "schema.json").write_text(json.dumps(SCHEMA))
    run = await cli.exec("--output-schema", "schema.json", "-o", "answer.json", "Reply with exactly: shaped")
    assert json.loads((cli.work / "answer.json").read_text()) == {"answer": "shaped", "lines": 1}
    assert run.complaints == []


async def test_a_large_picture(cli: Codex, pool: Pool) -> None:
    picture(cli.work / "noise.png")
    run = await cli.exec("Reply with exactly: seen", "-i", "noise.png")
    assert (run.messages, run.complaints) == (["seen"], [])
    (turn,) = await pool.answered()
    assert turn["body_bytes"] > 6_700_000
    assert turn["transport"] == ("websocket" if cli.websockets else "http")


async def test_a_review_is_made_by_a_sub_agent(cli: Codex, pool: Pool) -> None:
    changed_repository(cli)
    run = await cli.exec("review", "--uncommitted")
    assert run.complaints == []
    assert run.messages[-1].startswith("lorem")
    (turn,) = await pool.answered()
    assert turn["headers"]["x-openai-subagent"] == "review"
    assert {row["status"] for row in await pool.log()} == {"succeeded"}


@OVER_WEBSOCKETS
async def test_where_websockets_are_off_it_goes_on_over_http_at_once(cli: Codex, pool: Pool) -> None:
    await pool.admin("PATCH", f"/pools/{pool.pool_id}", {"switches": {"websockets": False}})
    run = await cli.exec("Reply with exactly: ok")
    assert (run.messages, run.complaints) == (["ok"], [])
    (row,) = await pool.log()
    assert row["transport"] == "http_sse"


@OVER_HTTP
async def test_the_snippet_the_console_shows_is_what_works(cli: Codex, pool: Pool) -> None:
    person = Person(cli.home, pool)
    person.has("codex", "node", cli.program)
    for variant in ("http", "websocket"):
        shown = await person.configures("codex_cli", variant)
        cli.use((cli.home / ".codex" / "config.toml").read_text())
        assert (await person.checks(shown)).endswith("ok\n")
        assert (await cli.exec("Reply with exactly: ok")).messages == ["ok"]
        asked = "Please run the shell command: echo from-the-shell > made.txt; cat made.txt"
        said = (await cli.exec("-s", "danger-full-access", asked)).messages
        assert said[-1] == "The command printed: from-the-shell"
    used = {row["transport"] for row in await pool.log()}
    assert used == {"http_sse", "websocket"}
