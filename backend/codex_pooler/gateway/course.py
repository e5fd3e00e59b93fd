"""The book that is kept on one turn: what was asked, who was tried, and, once, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.preparation import Prepared
from codex_pooler.gateway.turn import Outcome, Sink, TurnRequest
from codex_pooler.telemetry.metrics import ATTEMPTS, TURNS


@dataclass(slots=True)
class Course:
    """What has happened to a turn so far; ``settle`` writes it down."""

    turn: TurnRequest
    sink: Sink
    house: House
    prepared: Prepared | None = None
    asked: Asked = field(init=False)
    begun: bytes = field(init=False)
    attempts: list[Tried] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    shown: Sequence[tuple[str, str]] = ()  # of the response head, besides the backend's
    routing: Mapping[str, Any] | None = None
    first_output_at: float | None = None
    last_bytes: int = 0  # of the answer's end, which goes out once the turn is settled
    settled: bool = False

    def begin(self, prepared: Prepared | None) -> None:
        """Write down that the turn began, before anything is sent."""
        self.prepared = prepared
        if prepared:
            self.turn = prepared.turn
        self.asked = asked(self.turn, prepared.requested_model if prepared else None)
        self.begun = begun_row(self.asked)
        self.house.journal.begin(self.turn.id, self.begun)

    def settle(self, outcome: Outcome) -> None:
        if self.settled:
            return
        self.settled = True
        ended = self._ended(outcome)
        self._free_the_limits(outcome, ended)
        self.house.journal.end(self.turn.id, final_row(self.asked, self.begun, ended))
        self.house.finished[self.turn.key.pool.id] += 1
        self.house.metrics.count(TURNS, outcome.status)
        for tried in self.attempts:
            self.house.metrics.count(ATTEMPTS, tried.outcome)

    def _free_the_limits(self, outcome: Outcome, ended: Ended) -> None:
        """What a key reserved is exchanged for the truth; a turn that nobody took counts for nothing."""
        if self.prepared is None:
            return
        usage = ended.usage
        if outcome.status == "rejected" and not usage:
            self.prepared.reservation.release()
        else:
            self.prepared.reservation.settle(usage.total if usage else None, ended.cost.micros)

    def _ended(self, outcome: Outcome) -> Ended:
        terminal, start = outcome.terminal, self.turn.admitted.monotonic
        first = self.first_output_at
        usage, tier = (terminal.usage, terminal.service_tier) if terminal else (None, None)
        models = (terminal.model if terminal else None, self.turn.fields.model)
        return Ended(
            status=outcome.status,
            http_status=outcome.http_status,
            error_code=outcome.error_code,
            duration_ms=ms(moment().monotonic - start),
            ttft_ms=ms(first - start) if first else None,
            usage=usage,
            service_tier=tier,
            response_bytes=self.sink.bytes_sent + self.last_bytes,
            attempts=self._attempts(),
            excluded=self.excluded,
            cost=self.house.prices.current.cost(models, self.turn.fields.service_tier, tier, usage),
            routing=self.routing,
        )

    def _attempts(self) -> list[Tried]:
        """Nothing followed the last attempt: if it was to be replaced, it simply failed."""
        if self.attempts and self.attempts[-1].outcome == "failed_over":
            self.attempts[-1] = replace(self.attempts[-1], outcome="failed")
        return self.attempts


def asked(turn: TurnRequest, requested_model: str | None) -> Asked:
    """The turn as the log knows it."""
    return Asked(
        id=turn.id,
        admitted_at=turn.admitted.wall,
        pool_id=turn.key.pool.id,
        pool_name=turn.key.pool.name,
        api_key_id=turn.key.id,
        api_key_name=turn.key.name,
        route=turn.route,
        transport=turn.transport,
        client=turn.client,
        model=turn.fields.model,
        effort=turn.fields.effort,
        service_tier=turn.fields.service_tier,
        request_bytes=len(turn.body),
        requested_model=requested_model,
        session=turn.session,
        client_ip=turn.client_ip,
    )


def ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
