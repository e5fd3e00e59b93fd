"""Coding agents that are installed on demand, configured and checked exactly as the product says."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.clients.person import Person
from e2e.clients.pool import Pool
from e2e.clients.tools.shelf import PROGRAMS, missing

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = "Please run the shell command: echo from-the-shell > made.txt; cat made.txt"
ANSWER = "The command printed: from-the-shell"


@pytest.fixture
def person(pool: Pool, tmp_path: Path, request: pytest.FixtureRequest) -> Person:
    """Somebody with the program that the test is named after."""
    program = request.node.originalname.split("_")[1]
    if reason := missing(program):
        pytest.skip(f"SKIPPED: {reason}")
    made = Person(tmp_path / "home", pool)
    made.has(program, PROGRAMS[program])
    return made


async def paths(pool: Pool) -> set[str]:
    """What the request log says was asked for, with how it ended and how it came."""
    return {f"{row['route']} {row['transport']} {row['status']}" for row in await pool.log()}


async def test_claude_code(person: Person) -> None:
    shown = await person.configures("claude_code")
    assert (await person.checks(shown)).rstrip().endswith("ok")
    assert (await person.types(f'claude -p "{ASK}" --allowedTools Bash')).strip() == ANSWER
    assert (person.work / "made.txt").read_text() == "from-the-shell\n"
    events = await person.types(
        'claude -p "Reply with exactly: streamed" --output-format stream-json --include-partial-messages --verbose'
    )
    assert '"text_delta","text":' in events.replace(" ", "")
    assert '"result":"streamed"' in events
    assert await paths(person.pool) == {"/v1/messages http_sse succeeded"}


async def test_opencode(person: Person) -> None:
    shown = await person.configures("opencode")
    # it puts quotes around words that come together, and the model repeats all that it is told
    assert (await person.checks(shown)).rstrip().rstrip('"').endswith("ok")
    assert ANSWER in await person.types(
        "opencode run Please run the shell command: echo from-the-shell '|' tee made.txt"
    )
    assert (person.work / "made.txt").read_text() == "from-the-shell\n"
    assert await paths(person.pool) == {"/v1/responses http_sse succeeded"}


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
async def test_aider(person: Person, how: str) -> None:
    shown = await person.configures("aider")
    assert "ok" in (await person.checks(shown)).split()
    asked = f'OPENAI_API_KEY="$CODEX_POOLER_API_KEY" aider {how} --message "Reply with exactly: said"'
    assert "said" in (await person.types(asked)).split()
    transport = {"--stream": "http_sse", "--no-stream": "http_json"}[how]
    assert f"/v1/chat/completions {transport} succeeded" in await paths(person.pool)
