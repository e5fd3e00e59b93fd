"""Counts what keys use and refuses what is more than their limits allow: in memory, at once, without the database.

A request is reserved for what it will probably use and settled with what it did use.  Keys without limits cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from codex_pooler.keys.headers import ratelimit_headers
from codex_pooler.keys.ledger import Ledger, Stored
from codex_pooler.keys.policy import BYTES_PER_TOKEN, output_cap
from codex_pooler.keys.tally import INDEX, Consumption, Tally, Use
from codex_pooler.keys.windows import SPANS, Moment
from codex_pooler.keys.wording import AT_ONCE, refusal_text
from codex_pooler.protocol.requests import RoutedFields
from codex_pooler.snapshot.model import Key, Limit

BUSY_RETRY_SECONDS = 1.0


class KeyLimitReached(Exception):
    """A limit of the key leaves no room for the request.

    ``code``: ``rate_limit_exceeded`` when waiting seconds helps, ``key_limit_reached`` when a budget is used up until
    ``resets_at`` (unix seconds).  ``retry_after`` is in seconds.  ``kind`` is the error's type on the wire: Codex waits
    in silence for as long as it is told to, unless the type says that a plan's limit is reached.
    """

    def __init__(self, key: Key, limit: Limit, used: int, attempted: int, retry_after: float, resets_at: float) -> None:
        self.message = refusal_text(key, limit, used, attempted, retry_after, resets_at)
        super().__init__(self.message)
        used_up = limit.window in SPANS
        self.code = "key_limit_reached" if used_up else "rate_limit_exceeded"
        self.kind = "usage_limit_reached" if used_up else "rate_limit_error"
        self.limit, self.used, self.retry_after, self.resets_at = limit, used, retry_after, resets_at


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request will probably use, in tokens.  ``output_cap``: the client's own limit of the answer."""

    input_tokens: int = 0
    output_cap: int | None = None


def estimate(fields: RoutedFields, body_bytes: int) -> Estimate:
    """Of a turn whose prompt has so many bytes; ``Shaped.prompt_bytes`` leaves out media that travels in the body."""
    return Estimate(-(-body_bytes // BYTES_PER_TOKEN), output_cap(fields))


@dataclass(frozen=True, slots=True)
class Clock:
    """One instant on both clocks, in seconds."""

    wall: float
    monotonic: float


def now() -> Clock:
    return Clock(time.time(), time.monotonic())


class Reservation:
    """A request's claim on its key's limits: ended once, by ``settle`` or by ``release``; later calls do nothing."""

    __slots__ = ("_clock", "_estimate", "_ledger", "_use")

    def __init__(self, ledger: Ledger | None, use: Use, estimate: Estimate, clock: Callable[[], Moment]) -> None:
        self._ledger, self._use, self._estimate, self._clock = ledger, use, estimate, clock

    def settle(self, tokens: int | None, cost_micros: int | None) -> None:
        """The request is over and in the log: count what it used; unknown usage counts nothing, the request counts."""
        if (ledger := self._close()) is None:
            return
        model = self._use.model
        ledger.tally_of(model).end(self._use, (1, tokens or 0, cost_micros or 0), self._clock(), stored_soon=True)
        if tokens is not None:
            ledger.habit(model).learn(max(0, tokens - self._estimate.input_tokens), tokens, cost_micros)

    def release(self) -> None:
        """The request was not served and counts for nothing: nobody could take it, or it was rejected."""
        if (ledger := self._close()) is not None:
            ledger.tally_of(self._use.model).end(self._use, (0, 0, 0), self._clock(), stored_soon=False)

    def _close(self) -> Ledger | None:
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.in_flight -= 1
        return ledger


FREE = Reservation(None, Use("", 0.0, 0.0, (0, 0, 0)), Estimate(), now)  # of keys without limits: one for all


class Limits:
    """Every key's use in this process.  Other processes are known by the database's sums, at most seconds old."""

    def __init__(self, clock: Callable[[], Moment] = now) -> None:
        self._clock = clock
        self._ledgers: dict[UUID, Ledger] = {}
        self._stored = Stored()

    def reserve(self, key: Key, model: str, estimate: Estimate, moment: Moment) -> Reservation:
        """Claim room for one request; all limits have to leave it.  Raises KeyLimitReached."""
        if not key.limits and key.max_concurrency is None:
            return FREE
        ledger = self._ledger(key, moment)
        if key.max_concurrency is not None and ledger.in_flight >= key.max_concurrency:
            limit, wait = Limit("requests", AT_ONCE, key.max_concurrency), BUSY_RETRY_SECONDS
            raise KeyLimitReached(key, limit, ledger.in_flight, 1, wait, moment.wall + wait)
        tally = ledger.tally_of(model)
        amounts = _expected(ledger, tally, key, model, estimate)
        _check(key, tally, amounts, moment)
        use = Use(model, moment.wall, moment.monotonic, amounts)
        tally.begin(use)
        ledger.in_flight += 1
        return Reservation(ledger, use, estimate, self._clock)

    def consumption(self, key: Key, model: str, moment: Moment) -> list[Consumption]:
        """The limits that hold for one model, in the key's order."""
        return self._ledger(key, moment).tally_of(model).consumption(moment) if key.limits else []

    def usage(self, key: Key, moment: Moment) -> list[Consumption]:
        """All limits of the key, general ones and those of single models."""
        return self._ledger(key, moment).consumption(moment) if key.limits else []

    def headers(self, key: Key, model: str, moment: Moment) -> list[tuple[str, str]]:
        """``x-ratelimit-*`` as OpenAI's clients read them: of each metric the limit with the least left."""
        return ratelimit_headers(self.consumption(key, model, moment), moment.wall) if key.limits else []

    def load(self, stored: Stored, keys: Iterable[Key]) -> None:
        """Take the database's sums for ``keys``, and forget keys that are gone."""
        self._stored, moment = stored, self._clock()
        known = {key.id: key for key in keys}
        for key_id, ledger in list(self._ledgers.items()):
            if key_id in known:
                ledger.load(stored, moment)
            elif not ledger.in_flight:
                del self._ledgers[key_id]

    def _ledger(self, key: Key, moment: Moment) -> Ledger:
        ledger = self._ledgers.get(key.id)
        if ledger is None:
            ledger = self._ledgers[key.id] = Ledger(key.id, key.limits, moment, self._stored)
        elif ledger.limits is not key.limits and ledger.limits != key.limits:
            ledger.follow(key.limits, moment, self._stored)
        return ledger


def _expected(ledger: Ledger, tally: Tally, key: Key, model: str, estimate: Estimate) -> tuple[int, int, int]:
    """Requests, tokens and cost to reserve: no ceiling makes it more, a client's or a policy's makes it less."""
    if not tally.measures_size:
        return 1, 0, 0
    habit = ledger.habit(model)
    caps = [cap for cap in (estimate.output_cap, key.policy.max_output_tokens) if cap is not None]
    tokens = estimate.input_tokens + min([round(habit.output_tokens), *caps])
    return 1, tokens, round(tokens * habit.micros_per_token)


def _check(key: Key, tally: Tally, amounts: tuple[int, int, int], moment: Moment) -> None:
    """Raises KeyLimitReached at the first limit without room."""
    tally.advance(moment)
    for limit in tally.limits:
        used, attempted = tally.used(limit), amounts[INDEX[limit.metric]]
        if used + max(attempted, 1) > limit.maximum:
            free_at = tally.free_at(limit, max(attempted, 1), moment)
            raise KeyLimitReached(key, limit, used, attempted, free_at - moment.wall, free_at)
