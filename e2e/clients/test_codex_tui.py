"""The interactive Codex in a terminal: it opens two sockets at once, and keeps them from turn to turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from e2e.clients.codex import Codex
from e2e.clients.pool import Pool, troubles
from e2e.clients.programs import THOROUGH
from e2e.clients.terminal import Terminal, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

# A model without an offer to change to a newer one, and how to do without a server of Codex's own that stays behind.
STARTED = {"0.125.0": ("gpt-5.5", "--no-alt-screen"), "0.169.0": ("gpt-6-sol", "--no-alt-screen", "--no-daemon")}
# 0.169 has a title made for the session, in a conversation of its own
TITLES = {"0.125.0": 0, "0.169.0": 1}


@asynccontextmanager
async def interactive(cli: Codex) -> AsyncIterator[Terminal]:
    """Codex waiting for its first prompt."""
    model, *arguments = STARTED[cli.version]
    cli.configure(login=False, model=model)
    async with running(cli.command(*arguments), cli.work, cli.environment) as terminal:
        await terminal.shows("~/work")
        yield terminal


async def say(terminal: Terminal, word: str) -> None:
    """One turn whose answer is the word."""
    await terminal.enter(f"Reply with exactly: {word}")
    await terminal.shows(f"• {word}")


async def test_two_turns_and_the_title_of_the_session(cli: Codex, pool: Pool) -> None:
    async with interactive(cli) as terminal:
        await say(terminal, "zebra")
        await pool.has_answered(1 + TITLES[cli.version])
        await say(terminal, "walrus")
    assert len(await pool.answered()) == 2 + TITLES[cli.version]
    sockets = 1 + TITLES[cli.version] if cli.websockets else 0
    assert await pool.upgrades() == sockets
    used = [one["socket"] for one in await pool.answered() if one["socket"] is not None]
    assert len(set(used)) == sockets
    assert used[:1] == used[-1:], "the first socket was still there after the other had been opened"
    assert {row["status"] for row in await pool.log()} == {"succeeded"}


@pytest.mark.parametrize("version", THOROUGH, indirect=True)
@pytest.mark.parametrize("trouble", troubles("killed"))
async def test_the_account_gives_out_between_two_prompts(cli: Codex, pool: Pool, trouble: str) -> None:
    async with interactive(cli) as terminal:
        await say(terminal, "zebra")
        await pool.has_answered(1 + TITLES[cli.version])
        await pool.trouble(trouble)
        await say(terminal, "walrus")
        assert "■" not in terminal.text, "an error is shown with this mark"
    turns = await pool.answered()
    assert turns[0]["account"] == pool.first
    assert turns[-1]["account"] == pool.second
    assert len(turns) == 2 + TITLES[cli.version]
