"""What a key has used under one set of limits: exact sums per window, of requests in flight and of those that ended.

What the database knows is one sum per window as of some moment; requests that ended later are added from memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from codex_pooler.keys.windows import DAY_SECONDS, METRICS, MINUTE_SECONDS, SPANS, WEEK_SECONDS, Moment, Span
from codex_pooler.snapshot.model import Limit

INDEX = {metric: index for index, metric in enumerate(METRICS)}
MOST_UNSTORED = 10_000  # requests remembered one by one while the database is away


@dataclass(slots=True, eq=False)
class Use:
    """One request: when it was admitted, and what it counts for (requests, tokens, cost in micros) at present."""

    model: str
    wall: float
    monotonic: float
    amounts: Sequence[int]
    ended: float | None = None  # monotonic seconds
    recent: bool = False  # counted in the sliding minute


@dataclass(frozen=True, slots=True)
class StoredSum:
    """A window's sum in the database.  ``oldest``: unix seconds of the first hour in it, where known."""

    amounts: Sequence[int] = (0, 0, 0)
    oldest: float | None = None

    def __add__(self, other: StoredSum) -> StoredSum:
        known = [oldest for oldest in (self.oldest, other.oldest) if oldest is not None]
        return StoredSum([a + b for a, b in zip(self.amounts, other.amounts, strict=True)], min(known, default=None))


NOTHING_STORED = StoredSum()


@dataclass(frozen=True, slots=True)
class Consumption:
    """How far a limit is used up.  ``resets_at``: unix seconds, None while nothing is used."""

    limit: Limit
    used: int
    resets_at: float | None


@dataclass(slots=True)
class Period:
    """A window longer than a minute: what the database has of it, and what only this process knows."""

    name: str
    span: Span
    stored: StoredSum = NOTHING_STORED
    local: list[int] = field(default_factory=lambda: [0, 0, 0])

    def used(self, index: int) -> int:
        return self.stored.amounts[index] + self.local[index]

    def count(self, use: Use, amounts: Iterable[int]) -> None:
        """Add ``amounts`` for a request, if it was admitted in this window."""
        if use.wall >= self.span.counts_from:
            _add(self.local, amounts)

    def roll(self, wall: float, uses: Iterable[Use]) -> None:
        """Begin the next window.  A sliding one keeps the stored sum until the database is asked again."""
        span = SPANS[self.name](wall)
        if span.counts_from >= self.span.valid_until or span.valid_from < self.span.valid_from:
            self.stored = NOTHING_STORED
        self.span, self.local = span, [0, 0, 0]
        for use in uses:
            self.count(use, use.amounts)

    def resets_at(self) -> float:
        """Unix seconds at which the first of what is counted now is counted no more."""
        if self.name != "week":
            return self.span.valid_until
        oldest = self.span.valid_from if self.stored.oldest is None else self.stored.oldest
        return max(oldest + WEEK_SECONDS + 3600.0, self.span.valid_until)


class Tally:
    """The sums of the requests that one set of limits is for.  Call ``advance`` before reading them."""

    def __init__(self, limits: Sequence[Limit], now: Moment) -> None:
        self.limits = tuple(limits)
        self.measures_size = any(limit.metric != "requests" for limit in limits)
        self._slides = any(limit.window == "minute" for limit in limits)
        windows = {limit.window for limit in limits}
        self._periods = {name: Period(name, SPANS[name](now.wall)) for name in SPANS if name in windows}
        self._running: dict[Use, None] = {}
        self._unstored: deque[Use] = deque()  # in the order they ended
        self._minute: deque[Use] = deque()  # about in the order they were admitted
        self._minute_sums = [0, 0, 0]

    def advance(self, now: Moment) -> None:
        """Let go of what has left the windows."""
        for period in self._periods.values():
            if not period.span.holds(now.wall):
                period.roll(now.wall, (*self._running, *self._unstored))
        while self._minute and self._minute[0].monotonic <= now.monotonic - MINUTE_SECONDS:
            left = self._minute.popleft()
            left.recent = False
            _subtract(self._minute_sums, left.amounts)

    def used(self, limit: Limit) -> int:
        """How much of a limit is used, reservations included."""
        index = INDEX[limit.metric]
        return self._minute_sums[index] if limit.window == "minute" else self._periods[limit.window].used(index)

    def begin(self, use: Use) -> None:
        """Count a request that was just admitted."""
        self._running[use] = None
        for period in self._periods.values():
            period.count(use, use.amounts)
        self.recall(use)

    def end(self, use: Use, amounts: Sequence[int], now: Moment, *, stored_soon: bool) -> None:
        """Replace what a request in flight counts for; ``stored_soon`` when the database will know of it."""
        self.advance(now)
        change = [new - old for new, old in zip(amounts, use.amounts, strict=True)]
        for period in self._periods.values():
            period.count(use, change)
        if use.recent:
            _add(self._minute_sums, change)
        use.amounts, use.ended = amounts, now.monotonic
        del self._running[use]
        if stored_soon and self._periods:
            self._unstored.append(use)
            self._merge_oldest()

    def load(self, sums: Mapping[str, StoredSum], starts: Mapping[str, float], as_of: float, now: Moment) -> None:
        """Take the database's sums, which hold every request that ended up to ``as_of`` (monotonic seconds).

        ``starts`` says since when they were summed: a sum of yesterday says nothing of today.
        """
        self.advance(now)
        while self._unstored and (self._unstored[0].ended or 0.0) <= as_of:
            use = self._unstored.popleft()
            for period in self._periods.values():
                period.count(use, [-amount for amount in use.amounts])
        for name, period in self._periods.items():
            of_this_window = name == "week" or starts[name] == period.span.counts_from
            period.stored = sums.get(name, NOTHING_STORED) if of_this_window else NOTHING_STORED

    def _take_over(self, use: Use, *, running: bool) -> None:
        if running:
            self._running[use] = None
        elif self._periods:
            self._unstored.append(use)
        for period in self._periods.values():
            period.count(use, use.amounts)

    def recall(self, use: Use) -> None:
        """Count a request for the minute it was admitted in; they come about in that order."""
        use.recent = self._slides
        if self._slides:
            self._minute.append(use)
            _add(self._minute_sums, use.amounts)

    def free_at(self, limit: Limit, attempted: int, now: Moment) -> float:
        """Unix seconds at which ``attempted`` more may be used, as far as can be told."""
        if limit.window != "minute":
            return self._periods[limit.window].resets_at()
        index, excess = INDEX[limit.metric], self.used(limit) + attempted - limit.maximum
        for use in self._minute:
            excess -= use.amounts[index]
            if excess <= 0:
                return _leaves_at(use, now)
        return now.wall + MINUTE_SECONDS

    def consumption(self, now: Moment) -> list[Consumption]:
        """Every limit and how much of it is used."""
        self.advance(now)
        used = [(limit, self.used(limit)) for limit in self.limits]
        return [Consumption(limit, amount, self._empty_at(limit, now) if amount else None) for limit, amount in used]

    def _empty_at(self, limit: Limit, now: Moment) -> float:
        """Unix seconds at which nothing of what is used now counts any more, or of a week the first."""
        if limit.window != "minute":
            return self._periods[limit.window].resets_at()
        return _leaves_at(self._minute[-1], now)

    def _merge_oldest(self) -> None:
        """With the database away for long, a day's oldest requests become one: stored a little late, never lost."""
        uses = self._unstored
        if len(uses) <= MOST_UNSTORED:
            return
        for place in range(len(uses) - 1):
            first, second = uses[place], uses[place + 1]
            if first.wall // DAY_SECONDS == second.wall // DAY_SECONDS:
                amounts = [a + b for a, b in zip(first.amounts, second.amounts, strict=True)]
                uses[place] = Use(second.model, second.wall, second.monotonic, amounts, second.ended)
                del uses[place + 1]
                return


def regroup(old: Iterable[Tally], place: Callable[[str], Tally], now: Moment) -> None:
    """Hand the requests of ``old`` tallies to those that ``place`` names for their models: the limits have changed."""
    old = tuple(old)
    for tally in old:
        tally.advance(now)
    running = [use for tally in old for use in tally._running]
    recent = {use for tally in old for use in tally._minute}
    recent.update(use for use in running if use.monotonic > now.monotonic - MINUTE_SECONDS)
    for use in running:
        place(use.model)._take_over(use, running=True)
    for use in sorted((use for tally in old for use in tally._unstored), key=lambda use: use.ended or 0.0):
        place(use.model)._take_over(use, running=False)
    for use in sorted(recent, key=lambda use: use.monotonic):
        place(use.model).recall(use)


def _leaves_at(use: Use, now: Moment) -> float:
    return now.wall + use.monotonic + MINUTE_SECONDS - now.monotonic


def _add(sums: list[int], amounts: Iterable[int]) -> None:
    for index, amount in enumerate(amounts):
        sums[index] += amount


def _subtract(sums: list[int], amounts: Iterable[int]) -> None:
    for index, amount in enumerate(amounts):
        sums[index] -= amount
