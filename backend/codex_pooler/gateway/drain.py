"""A client that leaves in the middle: the backend is read on for a while, so that what it spent is still known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from codex_pooler.gateway import budgets
from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.house import House
from codex_pooler.gateway.turn import Ending

MOST_AT_ONCE = 200


def drain(house: House, attempt: Attempt, held: ExitStack, settle: Callable[[Ending], None]) -> None:
    """Take over a running attempt with its lease; ``settle`` is called exactly once, whatever happens."""
    seconds = budgets.DRAIN if len(house.draining) < MOST_AT_ONCE else 0.0
    task = asyncio.get_running_loop().create_task(_read_on(house, attempt, held, settle, seconds), name="drain")
    house.draining.add(task)
    task.add_done_callback(house.draining.discard)


async def _read_on(
    house: House, attempt: Attempt, held: ExitStack, settle: Callable[[Ending], None], seconds: float
) -> None:
    with held:
        try:
            await asyncio.wait({attempt.ending}, timeout=seconds)
        finally:
            attempt.client_left()
            house.running.discard(attempt)
            settle(attempt.ending.result())
