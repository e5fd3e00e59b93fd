"""Writes to clients at the end of the loop's round: what arrived for many of them together goes out together.

A write wakes the process that reads it; waking one at a time between two reads costs several times the write itself.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary


class Channel(Protocol):
    """A connection with bytes that wait to be written."""

    def flush(self) -> None:
        """Write them; nothing happens when there are none."""
        ...


class Outbox:
    """One per event loop."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Channel] = []

    def add(self, channel: Channel) -> None:
        """Have it flushed in this round."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(channel)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            channel.flush()


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def outbox() -> Outbox:
    """That of the running loop."""
    loop = asyncio.get_running_loop()
    found = _outboxes.get(loop)
    if found is None:
        found = _outboxes[loop] = Outbox(loop)
    return found
