"""Turns that wait for a busy account: first come, first served within their pool."""

from __future__ import annotations

import asyncio
from collections import deque
from uuid import UUID


class Line:
    """One per process.  ``wake`` is called whenever an account has become less busy."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, deque[asyncio.Future[None]]] = {}

    def is_waiting(self, pool_id: UUID) -> bool:
        """Somebody stands in this pool's line: whoever comes now stands behind."""
        return pool_id in self._waiting

    async def wait(self, pool_id: UUID, seconds: float, *, in_front: bool) -> bool:
        """Stand in line until it may be one's turn; False when that took too long.

        ``in_front``: it was one's turn already, and there was no room after all.
        """
        if seconds <= 0:
            return False
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(pool_id, deque())
        if in_front:
            line.appendleft(mine)
        else:
            line.append(mine)
        try:
            async with asyncio.timeout(seconds):
                await mine
        except TimeoutError:
            return False
        finally:
            line.remove(mine)
            if not line:
                del self._waiting[pool_id]
        return True

    def wake(self) -> None:
        """Let the first of every pool look again."""
        for line in self._waiting.values():
            first = next((waiter for waiter in line if not waiter.done()), None)
            if first:
                first.set_result(None)
