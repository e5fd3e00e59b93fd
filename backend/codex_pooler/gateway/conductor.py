"""One model turn from admission to settlement: the only loop in the product that tries accounts."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.gateway import answers
from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.classify import Blame, Verdict, classify
from codex_pooler.gateway.drain import drain
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.http_way import HttpWay
from codex_pooler.gateway.learn import learn
from codex_pooler.gateway.turn import Ending, Failure, Outcome, Sink, TurnRequest
from codex_pooler.protocol.http1 import ProtocolError
from codex_pooler.protocol.requests import without_account_bound_items
from codex_pooler.routing.candidates import Choice, NoCandidate, RouteRequest, choose
from codex_pooler.snapshot.model import Account
from codex_pooler.telemetry.metrics import ATTEMPTS, TURNS
from codex_pooler.upstream.pool import ConnectFailed
from codex_pooler.upstream.websocket import UpgradeRefused


@dataclass(slots=True)
class Course:
    """What has happened to a turn so far; ``settle`` writes it down, once."""

    turn: TurnRequest
    sink: Sink
    house: House
    asked: Asked
    begun: bytes
    attempts: list[Tried] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    first_output_at: float | None = None
    last_bytes: int = 0  # of the answer's end, which goes out once the turn is settled
    settled: bool = False

    def settle(self, outcome: Outcome) -> None:
        if self.settled:
            return
        self.settled = True
        self.house.journal.end(self.turn.id, final_row(self.asked, self.begun, self._ended(outcome)))
        self.house.finished[self.turn.key.pool.id] += 1
        self.house.metrics.count(TURNS, outcome.status)
        for tried in self.attempts:
            self.house.metrics.count(ATTEMPTS, tried.outcome)

    def _ended(self, outcome: Outcome) -> Ended:
        terminal, start = outcome.terminal, self.turn.admitted.monotonic
        first = self.first_output_at
        return Ended(
            status=outcome.status,
            http_status=outcome.http_status,
            error_code=outcome.error_code,
            duration_ms=_ms(moment().monotonic - start),
            ttft_ms=_ms(first - start) if first else None,
            usage=terminal.usage if terminal else None,
            service_tier=terminal.service_tier if terminal else None,
            response_bytes=self.sink.bytes_sent + self.last_bytes,
            attempts=self._attempts(),
            excluded=self.excluded,
        )

    def _attempts(self) -> list[Tried]:
        """Nothing followed the last attempt: if it was to be replaced, it simply failed."""
        if self.attempts and self.attempts[-1].outcome == "failed_over":
            self.attempts[-1] = replace(self.attempts[-1], outcome="failed")
        return self.attempts


async def run_turn(turn: TurnRequest, sink: Sink, house: House) -> Outcome:
    """Serve one model turn: try candidates until output is visible, then settle exactly once.

    Returns how it ended; when ``failure`` is set and the sink has not begun, the caller owes the client an answer.
    """
    known = asked(turn)
    course = Course(turn, sink, house, known, begun_row(known))
    house.journal.begin(turn.id, course.begun)
    outcome = Outcome("cancelled", http_status=499, error_code="client_disconnected")
    draining = False
    try:
        outcome = await _serve(course)
    except StillDraining:
        draining = True
        raise asyncio.CancelledError from None
    finally:
        if not draining:
            course.settle(outcome)
    return outcome


class StillDraining(Exception):
    """The client left, and a drain now owns the turn's settlement."""


async def _serve(course: Course) -> Outcome:
    turn, house = course.turn, course.house
    try:
        choice = _choose(turn, house)
    except NoCandidate as none:
        course.excluded.update(none.excluded)
        return _rejected(answers.nobody(none))
    course.excluded.update(choice.excluded)
    body, stripped, verdict, ending = turn.body, False, None, None
    candidates = [m for m in choice.ranked[: turn.key.pool.max_attempts] if turn.anchored in (None, m.account.id)]
    while candidates:
        member = candidates.pop(0)
        ending, verdict = await _attempt(course, member.account, body)
        if verdict.strip_reasoning and not stripped and (shorter := without_account_bound_items(body)):
            body, stripped = shorter, True
            candidates.insert(0, member)
            continue
        if ending.committed or not verdict.move:
            break
    assert ending is not None
    assert verdict is not None
    return _outcome(course, ending, verdict)


def _choose(turn: TurnRequest, house: House) -> Choice:
    request = RouteRequest(turn.key.pool, turn.fields.model or "", turn.route_class, turn.seed)
    return choose(request, house.known, moment())


async def _attempt(course: Course, account: Account, body: bytes) -> tuple[Ending, Verdict]:
    """Send the turn to one account and follow it to its end, holding the account's lease meanwhile."""
    house, started = course.house, moment().monotonic
    with ExitStack() as held:
        held.enter_context(house.known.leases.hold(account.id, course.turn.key.pool.id))
        house.known.health.begin_probe(account.id, course.turn.route_class, started)
        trial = Trial(course, account, started)
        try:
            ending = await _exchange(trial, body, warm=True)
            if trial.attempt and trial.attempt.found_a_closed_connection and not course.turn.anchored:
                # kept warm for too long: that says nothing about the account
                ending = await _exchange(trial, body, warm=False)
        except asyncio.CancelledError:
            attempt = trial.attempt
            if attempt is None or attempt.ending.done():
                _settle_cut_off(trial, attempt.ending.result() if attempt else UNSENT)
                raise
            attempt.before_the_end = None
            drain(house, attempt, held.pop_all(), lambda ending: _settle_drained(trial, ending))
            raise StillDraining from None
    return ending, classify(ending) if course.settled else _conclude(trial, ending)


UNSENT = Ending("client_gone", reason="client_disconnected")


@dataclass(slots=True)
class Trial:
    """One account's try: the attempt that runs for it, and when it began (monotonic seconds)."""

    course: Course
    account: Account
    started: float
    attempt: Attempt | None = None

    def settle(self, ending: Ending, last_bytes: int) -> None:
        """A turn that comes to its terminal event is settled before the client can see that: a crash in the next
        moment must not call interrupted what somebody holds complete."""
        self.course.last_bytes = last_bytes
        verdict = _conclude(self, ending)
        self.course.settle(_outcome(self.course, ending, verdict))


async def _exchange(trial: Trial, body: bytes, *, warm: bool) -> Ending:
    course, house = trial.course, trial.course.house
    turn, trial.attempt = course.turn, None
    way = turn.way or HttpWay(house.backend, turn.client_headers, turn.fields.model)
    try:
        attempt = trial.attempt = await way.send(trial.account, body, course.sink, warm=warm)
    except ConnectFailed as exc:
        return Ending("unsent", reason=f"upstream_{exc.reason}_failed")
    except UpgradeRefused as exc:
        return Ending("http_error", head=exc.head, body=exc.body)
    except ProtocolError:
        return Ending("unsent", reason="unsendable_request")
    attempt.before_the_end = trial.settle
    house.running.add(attempt)
    try:
        return await asyncio.shield(attempt.ending)  # cancelling the handler must not cancel the attempt
    except asyncio.CancelledError:
        if not attempt.committed:
            attempt.client_left()
        raise
    finally:
        if attempt.ending.done():
            house.running.discard(attempt)


def _conclude(trial: Trial, ending: Ending) -> Verdict:
    """Remember what the ending says about the account, and the attempt in the turn's log."""
    course, verdict = trial.course, classify(ending)
    _learn(trial, verdict)
    if trial.attempt:
        course.first_output_at = trial.attempt.first_output_at or course.first_output_at
    moves_on = (verdict.move or verdict.strip_reasoning) and not ending.committed
    outcome = "served" if not verdict.code else "failed_over" if moves_on else "failed"
    outcome = "cancelled" if ending.kind == "client_gone" else outcome
    course.attempts.append(_tried(trial, outcome, ending.status, verdict.code or None))
    return verdict


def _learn(trial: Trial, verdict: Verdict) -> None:
    turn = trial.course.turn
    learn(trial.course.house.known, trial.account.id, turn.route_class, turn.fields.model or "", verdict, moment())


def _settle_cut_off(trial: Trial, ending: Ending) -> None:
    """The client left before output, or in the very moment when the attempt ended by itself."""
    if not trial.course.settled:
        verdict = _conclude(trial, ending)
        trial.course.settle(_outcome(trial.course, ending, verdict))


def _settle_drained(trial: Trial, ending: Ending) -> None:
    """The client left in the middle, and the backend was read to its end for the usage."""
    course = trial.course
    if course.settled:
        return
    if trial.attempt:
        course.first_output_at = trial.attempt.first_output_at
    _learn(trial, classify(ending))
    course.attempts.append(_tried(trial, "cancelled", ending.status, "client_disconnected"))
    course.settle(Outcome("cancelled", None, 499, "client_disconnected", ending.terminal))


def _outcome(course: Course, ending: Ending, verdict: Verdict) -> Outcome:
    if not verdict.code:
        return Outcome("succeeded", None, 200, None, ending.terminal)
    if ending.kind == "client_gone":
        return Outcome("cancelled", None, 499, verdict.code, ending.terminal)
    if ending.committed:
        return Outcome("failed", None, 200, verdict.code, ending.terminal)
    failure = _failure(course, ending, verdict)
    rejected = not verdict.move and failure.status < 500
    return Outcome("rejected" if rejected else "failed", failure, failure.status, verdict.code, ending.terminal)


def _failure(course: Course, ending: Ending, verdict: Verdict) -> Failure:
    """Nothing was visible and no account is left: a pool that is exhausted by now says so truthfully."""
    if verdict.move and verdict.blame is not Blame.NOBODY:
        try:
            _choose(course.turn, course.house)
        except NoCandidate as none:
            return answers.nobody(none)
    return answers.last_of(ending, verdict, len(course.attempts))


def _rejected(failure: Failure) -> Outcome:
    return Outcome("rejected", failure, failure.status, failure.code)


def _tried(trial: Trial, outcome: str, status: int | None, code: str | None) -> Tried:
    account, begun = trial.account, _ms(trial.started - trial.course.turn.admitted.monotonic)
    return Tried(account.id, account.label, begun, _ms(moment().monotonic - trial.started), outcome, status, code)


def asked(turn: TurnRequest) -> Asked:
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
    )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
