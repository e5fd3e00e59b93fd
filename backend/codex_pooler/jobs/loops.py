"""Loops that run as long as something else does, whatever happens to them, and end with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5
AGAIN_SECONDS = 1.0  # after the death of a loop, before its next start
Loop = Callable[[], Coroutine[Any, Any, None]]
Loops = Mapping[str, Loop]


@asynccontextmanager
async def background(loops: Loops) -> AsyncIterator[None]:
    """Named tasks that end with the block."""
    tasks = [asyncio.create_task(for_ever(name, loop), name=name) for name, loop in loops.items()]
    try:
        yield
    finally:
        await end_all(tasks)


async def for_ever(name: str, loop: Loop) -> None:
    """A loop that dies is told of and started again, until cancelled: nobody else would do its work."""
    while True:
        try:
            await loop()
        except Exception:
            log.critical("the loop %s died and is started again", name, exc_info=True)
        await asyncio.sleep(AGAIN_SECONDS)


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a database error in the same moment can swallow a cancellation."""
    waiting = set(tasks)
    while pending := {task for task in waiting if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
