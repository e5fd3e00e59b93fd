"""Tasks that run as long as something else does, and end with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5
Loop = Callable[[], Coroutine[Any, Any, None]]
Loops = Mapping[str, Loop]


@asynccontextmanager
async def background(loops: Loops) -> AsyncIterator[None]:
    """Named tasks that end with the block; one that dies by itself is an error in the log, not a silence."""
    tasks = [asyncio.create_task(loop(), name=name) for name, loop in loops.items()]
    for task in tasks:
        task.add_done_callback(_complain_if_dead)
    try:
        yield
    finally:
        await end_all(tasks)


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a database error in the same moment can swallow a cancellation."""
    waiting = set(tasks)
    while pending := {task for task in waiting if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


def _complain_if_dead(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()):
        log.critical("the background task %s died", task.get_name(), exc_info=exc)
