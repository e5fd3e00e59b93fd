"""The book that is kept on one call: what was asked, who was tried, and, once, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from codex_pooler.accounting.prices import Cost
from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.gateway.course import ms
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.turn import Failure
from codex_pooler.protocol.usage import Usage
from codex_pooler.routing.candidates import Moment
from codex_pooler.snapshot.model import Key
from codex_pooler.telemetry.metrics import ATTEMPTS, CALLS

READY_SECONDS = 30.0  # how long to go on asking whether something is ready


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What the client gets: the backend's answer, or ``failure`` in its place.

    ``outcome`` and ``code`` are for the log.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)
    account_id: UUID | None = None
    failure: Failure | None = None
    outcome: str = "succeeded"
    code: str | None = None
    usage: Usage | None = None


def no_objection(body: bytes) -> Failure | None:
    """The check of a route that takes whatever the backend says."""
    return None


def always_ready(body: bytes) -> bool:
    """The readiness of a route that asks once."""
    return True


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One call as a client asked for it.

    ``path`` is below ``/backend-api`` and has the query; ``route`` is the pattern of the route for the log.  A call
    that is not ``replayable`` is sent to another account only when the first refused it or never got it; a ``pinned``
    one is never sent elsewhere.  ``seed`` and ``owner`` name its session to routing.

    ``check`` turns an answer that cannot be what was asked for into a failure; while ``ready`` says no, the same
    account is asked again for up to ``ready_seconds``.  Both see the bodies of good answers only.
    """

    id: str
    key: Key
    method: str
    path: str = field(repr=False)
    route: str
    route_class: str
    admitted: Moment
    seed: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    transport: str = "http_json"
    model: str | None = None
    pinned: UUID | None = None
    owner: UUID | None = None
    client: str | None = None
    client_ip: str | None = field(default=None, repr=False)
    replayable: bool = False
    first_byte_seconds: float | None = None  # None: as the settings say
    check: Callable[[bytes], Failure | None] = no_objection
    ready: Callable[[bytes], bool] = always_ready
    ready_seconds: float = READY_SECONDS


@dataclass(slots=True)
class CallCourse:
    """What has happened to a call so far; ``settle`` writes it down."""

    call: CallRequest
    house: House
    asked: Asked = field(init=False)
    begun: bytes = field(init=False)
    attempts: list[Tried] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    routing: Mapping[str, Any] | None = None

    def begin(self) -> None:
        """Write down that the call began, before anything is sent."""
        self.asked = asked(self.call)
        self.begun = begun_row(self.asked)
        self.house.journal.begin(self.call.id, self.begun)

    def cost(self, usage: Usage | None) -> Cost:
        return self.house.prices.current.cost((self.call.model,), None, None, usage)

    def settle(self, answer: CallAnswer) -> None:
        house = self.house
        ended = Ended(
            status=answer.outcome,
            http_status=answer.status,
            error_code=answer.code,
            duration_ms=ms(moment().monotonic - self.call.admitted.monotonic),
            ttft_ms=None,
            usage=answer.usage,
            service_tier=None,
            response_bytes=len(answer.body),
            attempts=self._attempts(),
            excluded=self.excluded,
            cost=self.cost(answer.usage),
            routing=self.routing,
        )
        house.journal.end(self.call.id, final_row(self.asked, self.begun, ended))
        house.finished[self.call.key.pool.id] += 1
        house.metrics.count(CALLS, answer.outcome)
        for tried in self.attempts:
            house.metrics.count(ATTEMPTS, tried.outcome)

    def _attempts(self) -> list[Tried]:
        """Nothing followed the last attempt: if it was to be replaced, it simply failed."""
        if self.attempts and self.attempts[-1].outcome == "failed_over":
            self.attempts[-1] = replace(self.attempts[-1], outcome="failed")
        return self.attempts


def asked(call: CallRequest) -> Asked:
    """The call as the log knows it."""
    return Asked(
        id=call.id,
        admitted_at=call.admitted.wall,
        pool_id=call.key.pool.id,
        pool_name=call.key.pool.name,
        api_key_id=call.key.id,
        api_key_name=call.key.name,
        route=call.route,
        transport=call.transport,
        client=call.client,
        model=call.model,
        effort=None,
        service_tier=None,
        request_bytes=len(call.body),
        client_ip=call.client_ip,
    )
