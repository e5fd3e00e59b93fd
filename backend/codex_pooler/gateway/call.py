"""One request that is not a model turn (a file, an image, a dictation, a helper route), from admission to its row in
the log: sent to one account, and moved on by the same rules as a turn."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.gateway import answers
from codex_pooler.gateway.classify import Blame, Verdict, classify
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.learn import learn
from codex_pooler.gateway.turn import Ending, Failure
from codex_pooler.keys.limits import Estimate, KeyLimitReached
from codex_pooler.protocol.http1 import ProtocolError, ResponseHead
from codex_pooler.protocol.usage import Usage, read_usage
from codex_pooler.quota.evidence import from_headers
from codex_pooler.routing.candidates import Moment, NoCandidate, RouteRequest, choose
from codex_pooler.routing.request import WITHOUT_QUOTA
from codex_pooler.snapshot.model import Account, Key, Member
from codex_pooler.telemetry.metrics import ATTEMPTS, CALLS
from codex_pooler.upstream.plain import ANSWERED, TOO_LARGE, Collector, PlainRequest, send_plain
from codex_pooler.upstream.pool import ConnectFailed

# what a client may learn of the backend's head; a coding has to be named for its bytes to make sense
SHOWN_HEADERS = frozenset(
    [
        "cache-control",
        "content-encoding",
        "content-type",
        "etag",
        "last-modified",
        "location",
        "openai-processing-ms",
        "request-id",
        "x-request-id",
    ]
)
LONGEST_SHOWN = 1024
ASK_AGAIN_SECONDS = 0.25  # between two questions whether something is ready
READY_SECONDS = 30.0  # how long to go on asking
GONE = "client_disconnected"


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
class Course:
    """What has happened to a call so far; ``settle`` writes it down."""

    call: CallRequest
    house: House
    asked: Asked
    begun: bytes
    attempts: list[Tried] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)

    def settle(self, answer: CallAnswer) -> None:
        house = self.house
        ended = Ended(
            status=answer.outcome,
            http_status=answer.status,
            error_code=answer.code,
            duration_ms=_ms(moment().monotonic - self.call.admitted.monotonic),
            ttft_ms=None,
            usage=answer.usage,
            service_tier=None,
            response_bytes=len(answer.body),
            attempts=self._attempts(),
            excluded=self.excluded,
            cost=house.prices.current.cost((self.call.model,), None, None, answer.usage),
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


async def run_call(call: CallRequest, house: House) -> CallAnswer:
    """Serve one call and write it down, once.  A client that leaves ends it: the answer is of use to nobody else."""
    known = asked(call)
    course = Course(call, house, known, begun_row(known))
    house.journal.begin(call.id, course.begun)
    answer = CallAnswer(499, outcome="cancelled", code=GONE)
    try:
        answer = await _within_limits(course)
    finally:
        course.settle(answer)
    return answer


async def _within_limits(course: Course) -> CallAnswer:
    """A call that spends something of an account's plan also counts against its key's limits."""
    call, house = course.call, course.house
    if call.route_class in WITHOUT_QUOTA:
        return await _serve(course)
    try:
        reservation = house.limits.reserve(call.key, call.model or "", Estimate(), moment())
    except KeyLimitReached as exc:
        seconds = max(1, math.ceil(exc.retry_after))
        extra = {"resets_at": round(exc.resets_at), "resets_in_seconds": seconds}
        return _failed(Failure(429, exc.code, exc.message, "rate_limit_error", seconds, extra), outcome="rejected")
    try:
        answer = await _serve(course)
        if answer.outcome == "succeeded":
            reservation.settle(answer.usage.total if answer.usage else None, None)
        return answer
    finally:
        reservation.release()


async def _serve(course: Course) -> CallAnswer:
    call, ending, verdict, account = course.call, None, None, None
    try:
        candidates = _candidates(course)
    except NoCandidate as none:
        course.excluded.update(none.excluded)
        return _failed(answers.nobody(none), outcome="rejected")
    for member in candidates:
        account = member.account
        ending, verdict = await _attempt(course, account)
        if not verdict.move or not _may_be_sent_again(call, ending):
            break
    assert ending is not None
    assert verdict is not None
    assert account is not None
    return _answer(course, account, ending, verdict)


def _candidates(course: Course) -> Sequence[Member]:
    """Who is tried, in order.  Raises NoCandidate.  Models of pictures and of speech are in no account's list, so
    nobody is asked for them."""
    call = course.call
    request = RouteRequest(call.key.pool, "", call.route_class, call.seed, call.owner, call.pinned)
    choice = choose(request, course.house.known, moment())
    course.excluded.update(choice.excluded)
    return choice.ranked[: call.key.pool.max_attempts]


def _may_be_sent_again(call: CallRequest, ending: Ending) -> bool:
    """Refused with a status, or never sent; all else may have been carried out, though the answer was lost."""
    return call.replayable or ending.kind in ("http_error", "unsent")


async def _attempt(course: Course, account: Account) -> tuple[Ending, Verdict]:
    """Ask one account, holding its lease meanwhile; once more with a new token when the backend refuses the old."""
    call, house = course.call, course.house
    with house.known.leases.hold(account.id, call.key.pool.id):
        house.known.health.begin_probe(account.id, call.route_class, moment().monotonic)
        try:
            ending, verdict = await _try(course, account)
            if ending.status == 401 and verdict.move and (renewed := await _renewed(house, account)):
                ending, verdict = await _try(course, renewed)
        except asyncio.CancelledError:
            house.known.health.probe_ended(account.id, call.route_class)
            raise
        learn(house.known, account.id, call.route_class, call.model or "", verdict, moment())
    return ending, verdict


async def _renewed(house: House, account: Account) -> Account | None:
    """The account with a token that is newer than the one it has; None when there is none to be had."""
    if house.refresher is None:
        return None
    token = (await house.refresher.renew(account.id, account.access_token)).token
    return replace(account, access_token=token) if token else None


async def _try(course: Course, account: Account) -> tuple[Ending, Verdict]:
    """One attempt, with its line in the log."""
    started = moment().monotonic
    try:
        ending = await _ask_until_ready(course, account)
    except asyncio.CancelledError:
        course.attempts.append(_tried(course, account, started, "cancelled", None, GONE))
        raise
    verdict = classify(ending)
    _observe(course.house, account, ending)
    outcome = "served" if not verdict.code else "failed_over" if verdict.move else "failed"
    course.attempts.append(_tried(course, account, started, outcome, ending.status, verdict.code or None))
    return ending, verdict


def _observe(house: House, account: Account, ending: Ending) -> None:
    """What the backend says of the account's limits beside its answer."""
    now = moment().wall
    if ending.head and (observation := from_headers(ending.head.headers, now)):
        house.known.quotas.observe(account.id, observation, now)


async def _ask_until_ready(course: Course, account: Account) -> Ending:
    loop, call = asyncio.get_running_loop(), course.call
    deadline = loop.time() + call.ready_seconds
    while True:
        ending = await _ask(course.house, account, call)
        if ending.kind != "completed" or call.ready(ending.body) or loop.time() >= deadline:
            return ending
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _ask(house: House, account: Account, call: CallRequest) -> Ending:
    ending, warm = await _exchange(house, account, call, warm=call.replayable)
    if warm and ending.kind == "lost" and ending.head is None:  # kept warm for too long
        ending, _ = await _exchange(house, account, call, warm=False)
    return ending


async def _exchange(house: House, account: Account, call: CallRequest, *, warm: bool) -> tuple[Ending, bool]:
    """How it ended, and whether it went out on a connection that had served before."""
    collector = Collector(asyncio.get_running_loop())
    request = PlainRequest(call.method, call.path, call.body, call.headers)
    try:
        await send_plain(house.backend, account, request, collector, warm=warm)
        await _patience(collector, call.first_byte_seconds or house.budgets.first_byte, house.budgets.gap)
    except ConnectFailed as exc:
        return Ending("unsent", reason=f"upstream_{exc.reason}_failed"), False
    except ProtocolError:
        return Ending("unsent", reason="unsendable_request"), False
    finally:
        collector.stop("left")
    used = collector.connection is not None and collector.connection.turns_served != 1
    return _ending(collector), used


async def _patience(collector: Collector, first_byte_seconds: float, gap_seconds: float) -> None:
    """Wait for the answer; between any two signs of life of the backend there may be only so much time."""
    loop = asyncio.get_running_loop()
    while not collector.done.done():
        budget = gap_seconds if collector.head else first_byte_seconds
        left = collector.heard_at + budget - loop.time()
        if left <= 0:
            collector.stop("upstream_idle_timeout" if collector.head else "upstream_first_byte_timeout")
            return
        await asyncio.wait({collector.done}, timeout=left)


def _ending(collector: Collector) -> Ending:
    reason, head = collector.done.result(), collector.head
    if reason == ANSWERED and head:
        kind = "completed" if head.status < 400 else "http_error"
        return Ending(kind, head=head, body=collector.body)
    if reason == TOO_LARGE:
        return Ending("truncated", head=head, reason="upstream_response_too_large")
    if reason.endswith("_timeout"):
        return Ending("timeout", head=head, reason=reason)
    return Ending("lost", head=head, reason=f"upstream_{reason}")


def _answer(course: Course, account: Account, ending: Ending, verdict: Verdict) -> CallAnswer:
    head = ending.head
    if not verdict.code and head:
        if failure := course.call.check(ending.body):
            course.attempts[-1] = replace(course.attempts[-1], outcome="failed", error_code=failure.code)
            return replace(_failed(failure), account_id=account.id)
        usage = None if course.call.route_class in WITHOUT_QUOTA else usage_in(ending.body)
        return CallAnswer(head.status, shown(head), ending.body, account.id, usage=usage)
    if ending.kind == "http_error" and not verdict.move and head:  # about the request: in the backend's own words
        outcome = "rejected" if head.status < 500 else "failed"
        return CallAnswer(head.status, shown(head), ending.body, account.id, outcome=outcome, code=verdict.code)
    return replace(_failed(_failure(course, ending, verdict)), account_id=account.id, code=verdict.code)


def _failure(course: Course, ending: Ending, verdict: Verdict) -> Failure:
    """No account is left: a pool that is exhausted by now says so truthfully."""
    if verdict.move and verdict.blame is not Blame.NOBODY:
        try:
            _candidates(replace(course, excluded=Counter()))
        except NoCandidate as none:
            return answers.nobody(none)
    return answers.last_of(ending, verdict, len(course.attempts))


def _failed(failure: Failure, outcome: str = "failed") -> CallAnswer:
    return CallAnswer(failure.status, failure=failure, outcome=outcome, code=failure.code)


class _Spent(msgspec.Struct):
    usage: Any = None


_spent = msgspec.json.Decoder(_Spent)


def usage_in(body: bytes) -> Usage | None:
    """The tokens that an answer says it cost; None when it says nothing that can be believed."""
    if b'"usage"' not in body:
        return None
    try:
        return read_usage(_spent.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown(head: ResponseHead) -> list[tuple[str, str]]:
    """The headers of the backend that reach the client."""
    return [(name, value) for name, value in head.headers if name in SHOWN_HEADERS and len(value) <= LONGEST_SHOWN]


def _tried(
    course: Course, account: Account, started: float, outcome: str, status: int | None, code: str | None
) -> Tried:
    begun = _ms(started - course.call.admitted.monotonic)
    return Tried(account.id, account.label, begun, _ms(moment().monotonic - started), outcome, status, code)


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


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
