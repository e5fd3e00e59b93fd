"""One account's try at a turn: sent, followed to its end, and remembered, whatever the client does meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.classify import Verdict, classify
from codex_pooler.gateway.course import Course
from codex_pooler.gateway.drain import drain
from codex_pooler.gateway.house import moment
from codex_pooler.gateway.http_way import HttpWay
from codex_pooler.gateway.learn import learn, learn_limits
from codex_pooler.gateway.outcomes import outcome_of
from codex_pooler.gateway.turn import Ending, Outcome
from codex_pooler.protocol.compaction import ends_in_compaction
from codex_pooler.protocol.http1 import ProtocolError
from codex_pooler.routing.candidates import will_be_back
from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.pool import ConnectFailed
from codex_pooler.upstream.websocket import UpgradeRefused

LOST_ANCHOR = Ending("unsent", reason="upstream_socket_gone")
UNSENT = Ending("client_gone", reason="client_disconnected")


class StillDraining(Exception):
    """The client left, and a drain now owns the turn's settlement."""


@dataclass(slots=True)
class Trial:
    """The attempt that runs for an account, and when it began (monotonic seconds)."""

    course: Course
    account: Account
    started: float
    attempt: Attempt | None = None

    async def run(self, body: bytes) -> tuple[Ending, Verdict]:
        """Holds the account's lease until the attempt has ended.  Raises CancelledError, StillDraining."""
        course, known = self.course, self.course.house.known
        with ExitStack() as held:
            held.enter_context(known.leases.hold(self.account.id, course.turn.key.pool.id))
            known.health.begin_probe(self.account.id, course.turn.route_class, self.started)
            try:
                ending = await self._exchange(body, warm=True)
                if self.attempt and self.attempt.found_a_closed_connection:
                    # kept warm for too long: that says nothing about the account
                    anchored = course.turn.anchored is not None
                    ending = LOST_ANCHOR if anchored else await self._exchange(body, warm=False)
            except asyncio.CancelledError:
                self._client_left(held)
                raise
        return ending, classify(ending) if course.settled else self._conclude(ending)

    async def _exchange(self, body: bytes, *, warm: bool) -> Ending:
        course, house = self.course, self.course.house
        turn, self.attempt = course.turn, None
        way = turn.way or HttpWay(house.backend, turn.client_headers, turn.fields.model)
        try:
            attempt = self.attempt = await way.send(self.account, body, course.sink, warm=warm)
        except ConnectFailed as exc:
            return Ending("unsent", reason=exc.code)
        except UpgradeRefused as exc:
            return Ending("http_error", head=exc.head, body=exc.body)
        except ProtocolError:
            return Ending("unsent", reason="unsendable_request")
        attempt.before_the_end = self._settle
        attempt.pool_limits, attempt.budgets = house.limits_of(turn.key.pool), house.budgets
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

    def _settle(self, ending: Ending, last_bytes: int) -> None:
        """A turn that comes to its terminal event is settled before the client can see that: a crash in the next
        moment must not call interrupted what somebody holds complete."""
        self.course.last_bytes = last_bytes
        verdict = self._conclude(ending)
        self.course.settle(outcome_of(self.course, ending, verdict))

    def _conclude(self, ending: Ending) -> Verdict:
        """Remember what the ending says about the account, and the attempt in the turn's log."""
        course, verdict = self.course, classify(ending)
        self._learn(ending, verdict)
        if self.attempt:
            course.first_output_at = self.attempt.first_output_at or course.first_output_at
        moves_on = (verdict.move or verdict.strip_reasoning) and not ending.committed
        outcome = "served" if not verdict.code else "failed_over" if moves_on else "failed"
        outcome = "cancelled" if ending.kind == "client_gone" else outcome
        course.note(self.account, self.started, outcome, ending.status, verdict.code or None)
        return verdict

    def _learn(self, ending: Ending, verdict: Verdict) -> None:
        turn, known, now = self.course.turn, self.course.house.known, moment()
        if self.attempt:
            learn_limits(known, self.account.id, self.attempt, urgent=bool(verdict.code), now=now.wall)
        learn(known, self.account.id, turn.route_class, turn.fields.model, verdict, now)
        if verdict.code:
            return
        if turn.binding and not self._is_a_diversion(now.wall):
            known.bindings.bind(turn.binding, "session", turn.key.pool.id, self.account.id, now.wall)
        if ending.terminal and ending.terminal.response_id and turn.transport != "websocket":
            self.course.house.remember_response(turn, ending.terminal.response_id, self.account.id)

    def _is_a_diversion(self, now: float) -> bool:
        """The session's own account is only in passing trouble: it gets the next turn again.

        Unless this one was a compaction, which from now on is the conversation and is read by its author alone.
        """
        prepared = self.course.prepared
        owner = prepared.request.owner if prepared else None
        if prepared is None or owner is None or owner == self.account.id:
            return False
        return will_be_back(prepared.request, self.course.house.known, now) and not ends_in_compaction(
            self.course.turn.body
        )

    # -- the client leaves

    def _client_left(self, held: ExitStack) -> None:
        """Before output, or in the very moment when the attempt ended by itself, the turn is over; else its usage is
        still to come.  Raises StillDraining."""
        attempt = self.attempt
        if attempt is None or attempt.ending.done():
            self._settle_cut_off(attempt.ending.result() if attempt else UNSENT)
            return
        attempt.before_the_end = None
        drain(self.course.house, attempt, held.pop_all(), self._settle_drained)
        raise StillDraining from None

    def _settle_cut_off(self, ending: Ending) -> None:
        if not self.course.settled:
            verdict = self._conclude(ending)
            self.course.settle(outcome_of(self.course, ending, verdict))

    def _settle_drained(self, ending: Ending) -> None:
        course = self.course
        if course.settled:
            return
        if self.attempt:
            course.first_output_at = self.attempt.first_output_at
        self._learn(ending, classify(ending))
        course.note(self.account, self.started, "cancelled", ending.status, "client_disconnected")
        course.settle(Outcome("cancelled", None, 499, "client_disconnected", ending.terminal))
