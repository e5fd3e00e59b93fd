"""The book that is kept on one request, a turn or a call: begun before anything is sent, and closed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.gateway.house import House, moment
from codex_pooler.keys.limits import FREE, Reservation
from codex_pooler.snapshot.model import Account
from codex_pooler.telemetry.metrics import ATTEMPTS


@dataclass(slots=True, kw_only=True)
class Book:
    """Who was tried, who was left out, and what the request holds of its key's limits."""

    house: House
    admitted: float  # when the request was let in, in monotonic seconds
    asked: Asked = field(init=False)
    begun: bytes = field(init=False)
    attempts: list[Tried] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    routing: Mapping[str, Any] | None = None
    reservation: Reservation = FREE

    def open(self, asked: Asked) -> None:
        """Write down that the request began."""
        self.asked, self.begun = asked, begun_row(asked)
        self.house.journal.begin(asked.id, self.begun)

    def note(self, account: Account, started: float, outcome: str, status: int | None, code: str | None) -> None:
        """An attempt has ended; it began at ``started`` (monotonic seconds)."""
        begun, took = ms(started - self.admitted), ms(moment().monotonic - started)
        self.attempts.append(Tried(account.id, account.label, begun, took, outcome, status, code))

    def tried(self) -> list[Tried]:
        """The attempts.  Nothing followed the last one: if it was to be replaced, it simply failed."""
        if self.attempts and self.attempts[-1].outcome == "failed_over":
            self.attempts[-1] = replace(self.attempts[-1], outcome="failed")
        return self.attempts

    def close(self, ended: Ended, metric: str) -> None:
        """Write down how it ended.  What it reserved is exchanged for the truth, or given back when nobody took it."""
        usage = ended.usage
        if ended.status == "rejected" and not usage:
            self.reservation.release()
        else:
            self.reservation.settle(usage.total if usage else None, ended.cost.micros)
        house = self.house
        house.journal.end(self.asked.id, final_row(self.asked, self.begun, ended))
        house.finished[self.asked.pool_id] += 1
        house.metrics.count(metric, ended.status)
        for tried in self.attempts:
            house.metrics.count(ATTEMPTS, tried.outcome)


def ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
