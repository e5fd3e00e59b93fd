"""Slows down guessing: after a few failures in a quarter of an hour, each further try has to wait longer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

WINDOW_SECONDS = 15 * 60
LONGEST_WAIT_SECONDS = 60
MOST_NAMES = 20_000


class Throttled(Exception):
    """Too many failures; try again after ``retry_after_seconds``."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("too many attempts")
        self.retry_after_seconds = retry_after_seconds


@dataclass
class _Failures:
    count: int
    last_at: float


class LoginThrottle:
    """Failures per name, in this process's memory.  Never locks for good: that would let anybody lock out anybody."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[Hashable, int], _Failures] = {}

    def attempt(self, name: Hashable, *, free: int = 5) -> None:
        """Count a try as failed until ``succeeded`` says otherwise, so that parallel tries do not slip through.

        The first ``free`` tries do not wait.  Raises Throttled, without counting, when it is too early.
        """
        key, now = (name, free), self._clock()
        known = self._failures.get(key)
        if known is None or now - known.last_at > WINDOW_SECONDS:
            known = _Failures(0, now)
        wait = known.last_at + _wait_seconds(known.count - free) - now
        if wait > 0:
            raise Throttled(math.ceil(wait))
        self._make_room()
        self._failures[key] = _Failures(known.count + 1, now)

    def succeeded(self, name: Hashable, *, free: int = 5) -> None:
        """Forget the failures of a name."""
        self._failures.pop((name, free), None)

    def _make_room(self) -> None:
        """Bounded memory: the oldest names are forgotten first."""
        while len(self._failures) >= MOST_NAMES:
            del self._failures[next(iter(self._failures))]


def _wait_seconds(beyond_free: int) -> int:
    """1, 2, 4 … 60 seconds."""
    return 0 if beyond_free < 0 else min(LONGEST_WAIT_SECONDS, 2 ** min(beyond_free, 10))
