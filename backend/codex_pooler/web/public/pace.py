"""How often somebody may ask who has not signed in: a steady pace with a little haste, in this process's memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST_NAMES = 20_000


class TooFast(Exception):
    """Ask again after ``retry_after_seconds``."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("too many requests")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Limit:
    """So many a minute in the long run, and so many at once."""

    per_minute: int
    at_once: int


class Pace:
    """One limit for every name."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._paid_until: dict[Hashable, float] = {}  # when the name has used nothing of its haste any more

    def step(self, name: Hashable) -> None:
        """Count one.  Raises TooFast, without counting."""
        now, cost = self._clock(), 60 / self._limit.per_minute
        paid_until = max(self._paid_until.pop(name, now), now) + cost
        early = paid_until - now - self._limit.at_once * cost
        if early > 1e-6:
            self._keep(name, paid_until - cost)
            raise TooFast(math.ceil(early))
        self._keep(name, paid_until)

    def _keep(self, name: Hashable, paid_until: float) -> None:
        """Bounded memory: who has asked least lately is forgotten first."""
        while len(self._paid_until) >= MOST_NAMES:
            del self._paid_until[next(iter(self._paid_until))]
        self._paid_until[name] = paid_until
