"""The book of one call: what was asked, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from codex_pooler.accounting.settlement import Asked, Ended
from codex_pooler.gateway.book import Book, ms
from codex_pooler.gateway.house import moment
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.usage import Usage
from codex_pooler.routing.candidates import Moment
from codex_pooler.snapshot.model import Key
from codex_pooler.telemetry.metrics import CALLS

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


@dataclass(slots=True, kw_only=True)
class CallCourse(Book):
    """What has happened to a call so far; ``settle`` writes it down."""

    call: CallRequest

    def settle(self, answer: CallAnswer) -> None:
        ended = Ended(
            status=answer.outcome,
            http_status=answer.status,
            error_code=answer.code,
            duration_ms=ms(moment().monotonic - self.admitted),
            ttft_ms=None,
            usage=answer.usage,
            service_tier=None,
            response_bytes=len(answer.body),
            attempts=self.tried(),
            excluded=self.excluded,
            cost=self.house.prices.current.cost((self.call.model,), None, None, answer.usage),
            routing=self.routing,
        )
        self.close(ended, CALLS)


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
