"""Lets each of some loops run in exactly one process: the one whose connection holds the advisory lock of its name.

The order of events when a connection breaks is what makes this safe.  The leader looks at its connection every
CHECK_SECONDS and waits no longer than ANSWER_SECONDS; without an answer it stops its loops.  The server notices a
leader that has vanished from the network only after that (SERVER_NOTICES), and a process that is killed at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
import zlib

import aiopg

from codex_pooler.jobs.loops import Loops, end_all, for_ever
from codex_pooler.storage.database import LOST, Session, dedicated

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.5
ANSWER_SECONDS = 2.0
AGAIN_SECONDS = 1.0  # before the next connection
LOCKS = 0x6C656164  # the first of the two numbers of each lock; the second is made of the name
SERVER_NOTICES = (
    "-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=7000"
)
CONNECTION = {
    "application_name": "codex-pooler-leadership",
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "options": SERVER_NOTICES,
}
TAKE = "SELECT number FROM unnest(%(numbers)s::int[]) AS number WHERE pg_try_advisory_lock(%(locks)s, number)"


class Leadership:
    """One per process.  ``loops`` are started when this process comes to lead them, and stopped when it may not."""

    def __init__(self, dsn: str, loops: Loops) -> None:
        self._dsn, self._loops = dsn, loops
        self._led: dict[str, asyncio.Task[None]] = {}

    def leads(self, name: str) -> bool:
        """Whether this process runs the loop now."""
        return name in self._led

    @property
    def led(self) -> list[str]:
        """The names of the loops that this process runs."""
        return sorted(self._led)

    async def run(self) -> None:
        """Lead what nobody else does, until cancelled."""
        while True:
            try:
                async with dedicated(self._dsn, **CONNECTION) as connection:
                    try:
                        await self._lead_while_connected(connection)
                    finally:
                        await self._resign()  # before the connection closes, and its locks with it
            except LOST as exc:
                log.warning("the connection that leadership depends on is lost (%s), retrying", type(exc).__name__)
            await asyncio.sleep(AGAIN_SECONDS * random.uniform(0.5, 1.5))

    async def _lead_while_connected(self, connection: aiopg.Connection) -> None:
        while True:
            wanted = [name for name in self._loops if name not in self._led]
            taken = await _taken(connection, wanted)
            if taken:
                log.info("this process leads %s", ", ".join(taken))
            for name in taken:
                self._led[name] = asyncio.create_task(for_ever(name, self._loops[name]), name=name)
            await asyncio.sleep(CHECK_SECONDS)

    async def _resign(self) -> None:
        await end_all(self._led.values())
        self._led.clear()


async def _taken(connection: aiopg.Connection, names: list[str]) -> list[str]:
    """Which of the locks this connection has got; also proves that the connection is alive.  Raises one of LOST."""
    numbers = [number(name) for name in names]
    async with asyncio.timeout(ANSWER_SECONDS), connection.cursor() as cursor:
        await Session(cursor).run(TAKE, {"numbers": numbers, "locks": LOCKS})
        got = {row[0] for row in await cursor.fetchall()}
    return [name for name in names if number(name) in got]


def number(name: str) -> int:
    """The second number of a lock: 32 bits with a sign."""
    return zlib.crc32(name.encode()) - (1 << 31)
