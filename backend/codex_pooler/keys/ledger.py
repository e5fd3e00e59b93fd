"""The books of one key: its requests in flight, a tally for each set of its limits, and what its answers are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from codex_pooler.keys.tally import NOTHING_STORED, Consumption, StoredSum, Tally, regroup
from codex_pooler.keys.windows import SPANS, Moment
from codex_pooler.snapshot.model import Limit

FIRST_OUTPUT_TOKENS = 512  # expected of an answer before any was seen
LEAST_STEP = 16.0
MOST_MODELS_LEARNED = 64


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database has: a key's sums by model (lower case) and window, since when, and up to which endings.

    ``as_of``: every request of this process that ended until then (monotonic seconds) is in the sums, no later one.
    """

    sums: Mapping[UUID, Mapping[str, Mapping[str, StoredSum]]] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)
    as_of: float = 0.0


@dataclass(slots=True)
class Habit:
    """What answers of one model were like: a high estimate of their tokens, and what a token cost."""

    output_tokens: float = FIRST_OUTPUT_TOKENS
    micros_per_token: float = 0.0

    def learn(self, output: int, tokens: int, cost_micros: int | None) -> None:
        """Nine answers in ten shall be below the estimate: it rises nine times as fast as it falls."""
        step = max(LEAST_STEP, self.output_tokens / 10)
        self.output_tokens += 0.9 * step if output > self.output_tokens else -0.1 * step
        self.output_tokens = max(LEAST_STEP, self.output_tokens)
        if cost_micros is not None and tokens > 0:
            self.micros_per_token += (cost_micros / tokens - self.micros_per_token) / (
                4 if self.micros_per_token else 1
            )


class Ledger:
    """One key: its requests in flight, and a tally for each set of its limits."""

    def __init__(self, key_id: UUID, limits: Sequence[Limit], now: Moment, stored: Stored) -> None:
        self.key_id, self.in_flight = key_id, 0
        self._habits: dict[str, Habit] = {}
        self._set_limits(limits, now, stored)

    def _set_limits(self, limits: Sequence[Limit], now: Moment, stored: Stored) -> None:
        self.limits = limits
        groups: dict[str | None, list[Limit]] = {None: []}
        for limit in limits:
            groups.setdefault(limit.model.casefold() if limit.model else None, []).append(limit)
        self.tallies = {scope: Tally(limits, now) for scope, limits in groups.items()}
        self.load(stored, now)

    def follow(self, limits: Sequence[Limit], now: Moment, stored: Stored) -> None:
        """Take over limits that an operator has changed, with everything counted so far."""
        old = self.tallies
        self._set_limits(limits, now, Stored(stored.sums, stored.starts))
        regroup(old.values(), self.tally_of, now)

    def tally_of(self, model: str) -> Tally:
        """A model's own limits replace the general ones."""
        if len(self.tallies) > 1 and (own := self.tallies.get(model.casefold())):
            return own
        return self.tallies[None]

    def consumption(self, now: Moment) -> list[Consumption]:
        """All limits of the key, general ones and those of single models."""
        return [found for tally in self.tallies.values() for found in tally.consumption(now)]

    def load(self, stored: Stored, now: Moment) -> None:
        """Take the database's sums, where they have been read."""
        if not stored.starts:
            return
        by_model = stored.sums.get(self.key_id, {})
        for scope, tally in self.tallies.items():
            models = [m for m in by_model if (m if m in self.tallies else None) == scope]
            sums = {
                window: sum((by_model[m].get(window, NOTHING_STORED) for m in models), NOTHING_STORED)
                for window in SPANS
            }
            tally.load(sums, stored.starts, stored.as_of, now)

    def habit(self, model: str) -> Habit:
        if len(self._habits) > MOST_MODELS_LEARNED:  # clients choose the names
            self._habits.clear()
        return self._habits.setdefault(model, Habit())
