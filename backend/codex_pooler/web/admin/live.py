"""The live channel of the console: changes and counters go to every watching browser that may see the pool."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

QUEUE_LENGTH = 500
MAX_WATCHERS = 200


@dataclass(frozen=True)
class Change:
    """Something was created, updated or deleted; ids only, never rows."""

    topic: str
    kind: str
    ids: tuple[UUID, ...] = ()
    pool_ids: tuple[UUID, ...] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class TooManyWatchers(Exception):
    """This process already serves as many live channels as it may."""


class Broadcaster:
    """Fans changes out to this process's watchers; a watcher that does not keep up misses the oldest."""

    def __init__(self, heartbeat_seconds: float = 15.0) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self._queues: set[asyncio.Queue[Change | None]] = set()
        self.finished: Counter[UUID] = Counter()
        self.on_publish: Callable[[Change], None] = lambda change: None

    @property
    def watchers(self) -> int:
        """How many live channels are open."""
        return len(self._queues)

    def publish(self, change: Change) -> None:
        """Tell every watcher.  Never waits."""
        self.on_publish(change)
        for queue in self._queues:
            self._put(queue, change)

    def count_finished(self, pool_ids: Iterable[UUID]) -> None:
        """Turns that were just written to the request log, one entry per turn."""
        self.finished.update(pool_ids)

    @contextmanager
    def watch(self) -> Iterator[asyncio.Queue[Change | None]]:
        """A queue of changes; None in it means that the process is going away.  Raises TooManyWatchers."""
        if self.watchers >= MAX_WATCHERS:
            raise TooManyWatchers
        queue: asyncio.Queue[Change | None] = asyncio.Queue(QUEUE_LENGTH)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every live channel."""
        for queue in self._queues:
            self._put(queue, None)

    @staticmethod
    def _put(queue: asyncio.Queue[Change | None], item: Change | None) -> None:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(item)


BROADCASTER = web.AppKey("broadcaster", Broadcaster)
