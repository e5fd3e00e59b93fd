"""One model turn from admission to settlement: the only loop in the product that tries accounts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from codex_pooler.gateway.classify import Verdict
from codex_pooler.gateway.course import Course
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.outcomes import CANCELLED, nobody, outcome_of, rejected
from codex_pooler.gateway.preparation import Prepared, Refused, prepare
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
    course, outcome, draining = Course(turn, sink, house), CANCELLED, False
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
        choice = await _chosen(course, prepared)
    except NoCandidate as none:
        course.excluded.update(none.excluded)
        course.routing = brief(prepared.request, none)
        return rejected(nobody(course, none))
    course.excluded.update(choice.excluded)
    course.routing = brief(prepared.request, choice)
    return outcome_of(course, *await _tried(course, choice))


async def _tried(course: Course, choice: Choice) -> tuple[Ending, Verdict]:
    """Account after account, until one commits or the request itself turns out to be at fault."""
    body, stripped, renewed = course.turn.body, False, False
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
        if verdict.renew and not renewed and (fresh := await _renewed(course.house, account)):
            renewed = True
            waiting.appendleft(fresh)
        if not waiting or not verdict.move:
            return ending, verdict


def routing_headers(account: Account, tried: int) -> Sequence[tuple[str, str]]:
    """For operators who want to see who served: a short hash of the account, and how many attempts it took."""
    return ("x-gateway-account", f"{account.hash_bits:016x}"[:8]), ("x-gateway-attempts", str(tried + 1))


async def _renewed(house: House, account: Account) -> Account | None:
    """The account with a token that was not refused yet, if there is one to be had."""
    if house.refresher is None:
        return None
    renewal = await house.refresher.renew(account.id, account.access_token)
    if renewal.token is None:
        return None
    house.known.quotas.relogin(account.id)
    return replace(account, access_token=renewal.token)


async def _chosen(course: Course, prepared: Prepared) -> Choice:
    """The accounts to try; while all that could serve are busy the turn waits in line.  Raises NoCandidate."""
    house, pool_id = course.house, course.turn.key.pool.id
    deadline, full = 0.0, NoCandidate({"busy": 1})
    while True:
        try:
            if deadline or not house.line.is_waiting(pool_id):
                choice = choose(prepared.request, house.known, moment())
                if deadline:
                    house.line.wake()  # there may be room for the next one, too
                return choice
        except NoCandidate as none:
            if not none.excluded.get("busy"):
                raise
            full = none
        been_here, now = bool(deadline), moment().monotonic
        deadline = deadline or now + house.busy_wait
        if not await house.line.wait(pool_id, deadline - now, in_front=been_here):
            raise full
