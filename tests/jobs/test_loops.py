"""The work in the background goes on whatever happens to one of its loops, and ends with the process."""

from __future__ import annotations

import asyncio

import pytest

from codex_pooler.jobs import loops
from codex_pooler.jobs.loops import background


async def test_a_loop_that_dies_is_told_of_and_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loops, "AGAIN_SECONDS", 0.01)
    again, began, other = asyncio.Event(), [], []

    async def frail() -> None:
        began.append("frail")
        if len(began) == 1:
            raise RuntimeError("no more")
        again.set()
        await asyncio.Event().wait()

    async def sound() -> None:
        other.append("sound")
        await asyncio.Event().wait()

    async with background({"frail": frail, "sound": sound}), asyncio.timeout(10):
        await again.wait()
    assert (began, other) == (["frail", "frail"], ["sound"])
    assert "the loop frail died and is started again" in caplog.text
    assert {"frail", "sound"} & {task.get_name() for task in asyncio.all_tasks()} == set()
