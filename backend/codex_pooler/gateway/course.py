"""The book of one model turn: what was asked, when output began, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codex_pooler.accounting.settlement import Asked, Ended
from codex_pooler.gateway.book import Book, ms
from codex_pooler.gateway.house import moment
from codex_pooler.gateway.preparation import Prepared
from codex_pooler.gateway.turn import Outcome, Sink, TurnRequest
from codex_pooler.telemetry.metrics import TURNS


@dataclass(slots=True, kw_only=True)
class Course(Book):
    """What has happened to a turn so far; ``settle`` writes it down, once."""

    turn: TurnRequest
    sink: Sink
    prepared: Prepared | None = None
    shown: Sequence[tuple[str, str]] = ()  # of the response head, besides the backend's
    first_output_at: float | None = None
    last_bytes: int = 0  # of the answer's end, which goes out once the turn is settled
    settled: bool = False

    def begin(self, prepared: Prepared | None) -> None:
        """Write down that the turn began, before anything is sent; None for one that its key may not have."""
        self.prepared = prepared
        if prepared:
            self.turn, self.reservation = prepared.turn, prepared.reservation
        self.open(asked(self.turn, self.turn.asked_model or (prepared.requested_model if prepared else None)))

    def settle(self, outcome: Outcome) -> None:
        if not self.settled:
            self.settled = True
            self.close(self._ended(outcome), TURNS)

    def _ended(self, outcome: Outcome) -> Ended:
        terminal, first = outcome.terminal, self.first_output_at
        usage, tier = (terminal.usage, terminal.service_tier) if terminal else (None, None)
        served, asked_for = terminal.model if terminal else None, self.turn.fields.model
        return Ended(
            status=outcome.status,
            http_status=outcome.http_status,
            error_code=outcome.error_code,
            duration_ms=ms(moment().monotonic - self.admitted),
            ttft_ms=ms(first - self.admitted) if first else None,
            usage=usage,
            service_tier=tier,
            response_bytes=self.sink.bytes_sent + self.last_bytes,
            attempts=self.tried(),
            excluded=self.excluded,
            cost=self.house.prices.current.cost((served, asked_for), self.turn.fields.service_tier, tier, usage),
            routing=self.routing,
            served_model=served if served != asked_for else None,
        )


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
