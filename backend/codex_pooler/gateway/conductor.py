"""One model turn from admission to settlement: the only loop in the product that tries accounts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from codex_pooler.gateway.choosing import chosen, doubt_login, with_newer_login
from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.gateway.course import Course
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.outcomes import CANCELLED, nobody, outcome_of, rejected
from codex_pooler.gateway.preparation import Prepared, Refused, prepare
from codex_pooler.gateway.redeeming import look_ahead, rescued
from codex_pooler.gateway.trial import StillDraining, Trial
from codex_pooler.gateway.turn import Ending, Outcome, Sink, TurnRequest
from codex_pooler.protocol.requests import without_account_bound_items
from codex_pooler.routing.candidates import Choice, NoCandidate, choose
from codex_pooler.routing.explain import brief
from codex_pooler.snapshot.model import Account


async def run_turn(turn: TurnRequest, sink: Sink, house: House) -> Outcome:
    """Serve one model turn: try candidates until output is visible, then settle exactly once.

    Returns how it ended; when ``failure`` is set and the sink has not begun, the caller owes the client an answer.
    """
    course = Course(house=house, admitted=turn.admitted.monotonic, turn=turn, sink=sink)
    outcome, draining = CANCELLED, False
    try:
        prepared = prepare(turn, house)
    except Refused as refused:
        course.begin(None)
        outcome = rejected(refused.failure)
        course.settle(outcome)
        return outcome
    course.begin(prepared)
    try:
        outcome = await _serve(course, prepared)
    except StillDraining:
        draining = True
        raise asyncio.CancelledError from None
    finally:
        if not draining:
            course.settle(outcome)
    return outcome


async def _serve(course: Course, prepared: Prepared) -> Outcome:
    turn, house = course.turn, course.house
    course.shown = house.shown_headers(turn)
    course.sink.show(course.shown)
    try:
        choice = await _chosen(prepared, house)
    except NoCandidate as none:
        course.excluded.update(none.excluded)
        course.routing = brief(prepared.request, none)
        return rejected(nobody(course, none))
    course.excluded.update(choice.excluded)
    course.routing = brief(prepared.request, choice)
    ending, verdict = await _tried(course, choice)
    if verdict.blame is Blame.USAGE and not ending.committed and (more := await _after_exhaustion(prepared, house)):
        ending, verdict = await _tried(course, more)
    return outcome_of(course, ending, verdict)


async def _chosen(prepared: Prepared, house: House) -> Choice:
    """The accounts to try; when the whole pool is used up, perhaps one that got a new week just now.

    Raises NoCandidate.
    """
    try:
        choice = await chosen(prepared.request, house)
    except NoCandidate as none:
        if choice_after := await rescued(prepared.request, none, house):
            return choice_after
        raise
    look_ahead(prepared.request.pool, house)
    return choice


async def _after_exhaustion(prepared: Prepared, house: House) -> Choice | None:
    """Who serves when the turn itself has used up the last account that it may go to; None when nobody does."""
    try:
        choose(prepared.request, house.known, moment())
    except NoCandidate as none:
        return await rescued(prepared.request, none, house)
    return None


async def _tried(course: Course, choice: Choice) -> tuple[Ending, Verdict]:
    """Account after account, until one commits or the request itself turns out to be at fault."""
    body, stripped = course.turn.body, False
    renewed: Account | None = None
    waiting = deque(member.account for member in choice.ranked)
    while True:
        account = waiting.popleft()
        if course.turn.key.pool.switches.show_routing_headers:
            course.sink.show([*course.shown, *routing_headers(account, len(course.attempts))])
        ending, verdict = await Trial(course, account, moment().monotonic).run(body)
        if ending.committed:
            return ending, verdict
        if verdict.strip_reasoning and not stripped and (shorter := without_account_bound_items(body)):
            body, stripped = shorter, True
            waiting.appendleft(account)
            continue
        if verdict.renew and renewed and account.id == renewed.id:
            doubt_login(course.house, account, verdict.code)
        elif verdict.renew and not renewed and (renewed := await with_newer_login(course.house, account)):
            waiting.appendleft(renewed)
        if not waiting or not verdict.move:
            return ending, verdict


def routing_headers(account: Account, tried: int) -> Sequence[tuple[str, str]]:
    """For operators who want to see who served: a short hash of the account, and how many attempts it took."""
    return ("x-gateway-account", f"{account.hash_bits:016x}"[:8]), ("x-gateway-attempts", str(tried + 1))
