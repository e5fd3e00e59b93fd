"""Which statements about a window are worth remembering, and those that still wait to be stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from codex_pooler.quota.windows import Window, same_reset

EVERY_SECONDS = 600.0  # a window that does not move is remembered so often, or a chart shows a gap
LEAST_MOVE = 1.0  # percent
MOST_WAITING = 50_000  # hours of a large installation while the database is away; then the oldest are let go of
BATCH = 2_000

Place = tuple[UUID, str, str]


class Sample(NamedTuple):
    """How much of one window was used at one moment.  Times are unix seconds."""

    account_id: UUID
    limit_key: str
    kind: str
    observed_at: float
    used_percent: float
    reset_at: float | None

    @property
    def place(self) -> Place:
        """The window it is of."""
        return self.account_id, self.limit_key, self.kind

    def as_row(self) -> dict[str, Any]:
        """Ready for JSON and for the database."""
        return {
            "account_id": str(self.account_id),
            "limit_key": self.limit_key,
            "kind": self.kind,
            "observed_at": datetime.fromtimestamp(self.observed_at, UTC).isoformat(),
            "used_percent": self.used_percent,
            "reset_at": None if self.reset_at is None else datetime.fromtimestamp(self.reset_at, UTC).isoformat(),
        }


def sample_of(account_id: UUID, window: Window) -> Sample:
    """What there is to remember of a window as it was seen."""
    return Sample(account_id, window.limit_key, window.kind, window.observed_at, window.used_percent, window.reset_at)


def is_news(sample: Sample, last: Sample | None) -> bool:
    """It moved, it has another reset, or it was not heard of for a while.

    A window that nothing is used of begins with the next turn, so its reset moves along with the clock: no news.
    """
    if last is None:
        return True
    since = sample.observed_at - last.observed_at
    if since <= 0:
        return False
    moved = abs(sample.used_percent - last.used_percent) >= LEAST_MOVE
    unused = sample.used_percent == last.used_percent == 0
    return moved or since >= EVERY_SECONDS or not (unused or same_reset(sample.reset_at, last.reset_at))


class History:
    """One per process.  What is stored decides again, because other processes watch the same windows."""

    def __init__(self) -> None:
        self._last: dict[Place, Sample] = {}
        self._waiting: deque[Sample] = deque(maxlen=MOST_WAITING)

    def note(self, samples: Iterable[Sample]) -> None:
        """Keep those that are worth it until they are stored."""
        for sample in samples:
            if is_news(sample, self._last.get(sample.place)):
                self._last[sample.place] = sample
                self._waiting.append(sample)

    def next_batch(self) -> list[Sample]:
        """The oldest that wait, at most ``BATCH``; they go on waiting until ``stored``."""
        return [self._waiting[number] for number in range(min(len(self._waiting), BATCH))]

    def stored(self, batch: list[Sample]) -> None:
        """This batch is in the database."""
        for _ in batch:
            self._waiting.popleft()

    def shift(self, seconds: float) -> None:
        """The wall clock was set by so much: what waits moves along."""
        self._last = {place: _shifted(sample, seconds) for place, sample in self._last.items()}
        self._waiting = deque((_shifted(sample, seconds) for sample in self._waiting), MOST_WAITING)


def _shifted(sample: Sample, seconds: float) -> Sample:
    reset_at = None if sample.reset_at is None else sample.reset_at + seconds
    return sample._replace(observed_at=sample.observed_at + seconds, reset_at=reset_at)
