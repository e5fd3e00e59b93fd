"""One request that is not a model turn (a file, an image, a dictation, a helper route), from its key's limits to its
answer: sent to one account, and moved on by the same rules as a turn."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import msgspec

from codex_pooler.gateway import answers
from codex_pooler.gateway.call_course import CallAnswer, CallCourse, CallRequest, asked
from codex_pooler.gateway.call_trial import GONE, attempt
from codex_pooler.gateway.choosing import chosen
from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.turn import Ending
from codex_pooler.keys.limits import Estimate, KeyLimitReached
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.usage import Usage, read_usage
from codex_pooler.routing.candidates import Choice, NoCandidate, RouteRequest, choose
from codex_pooler.routing.explain import brief
from codex_pooler.routing.request import WITHOUT_QUOTA
from codex_pooler.snapshot.model import Account

__all__ = ["CallAnswer", "CallRequest", "run_call"]

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
LARGEST_READ = 16 * 1024 * 1024  # bytes


async def run_call(call: CallRequest, house: House) -> CallAnswer:
    """Serve one call and write it down, once.  A client that leaves ends it: the answer is of use to nobody else."""
    course = CallCourse(house=house, admitted=call.admitted.monotonic, call=call)
    course.open(asked(call))
    answer = CallAnswer(499, outcome="cancelled", code=GONE)
    try:
        answer = await _within_limits(course)
    finally:
        course.settle(answer)
    return answer


async def _within_limits(course: CallCourse) -> CallAnswer:
    """A call that spends something of an account's plan also counts against its key's limits."""
    call, house = course.call, course.house
    if call.route_class in WITHOUT_QUOTA:
        return await _serve(course)
    try:
        course.reservation = house.limits.reserve(call.key, call.model or "", Estimate(), moment())
    except KeyLimitReached as exc:
        return _failed(answers.key_limit(exc), outcome="rejected")
    return await _serve(course)


async def _serve(course: CallCourse) -> CallAnswer:
    call = course.call
    # models of pictures and of speech are in no account's list, so nobody is asked for one
    request = RouteRequest(call.key.pool, "", call.route_class, call.seed, call.owner, call.pinned)
    try:
        choice = await chosen(request, course.house)
    except NoCandidate as none:
        course.excluded.update(none.excluded)
        course.routing = brief(request, none)
        return _failed(answers.nobody(none), outcome="rejected")
    course.excluded.update(choice.excluded)
    course.routing = brief(request, choice)
    account, ending, verdict = await _tried(course, choice)
    return replace(_answer(course, request, ending, verdict), account_id=account.id)


async def _tried(course: CallCourse, choice: Choice) -> tuple[Account, Ending, Verdict]:
    """Account after account, until one serves, or the call may go to nobody else."""
    waiting = deque(member.account for member in choice.ranked)
    while True:
        account = waiting.popleft()
        ending, verdict = await attempt(course, account)
        if not waiting or not verdict.move or not _may_be_sent_again(course.call, ending):
            return account, ending, verdict


def _may_be_sent_again(call: CallRequest, ending: Ending) -> bool:
    """Refused with a status, or never sent; all else may have been carried out, though the answer was lost."""
    return call.replayable or ending.kind in ("http_error", "unsent")


def _answer(course: CallCourse, request: RouteRequest, ending: Ending, verdict: Verdict) -> CallAnswer:
    head = ending.head
    if not verdict.code and head:
        if failure := course.call.check(ending.body):
            course.attempts[-1] = replace(course.attempts[-1], outcome="failed", error_code=failure.code)
            return _failed(failure)
        usage = None if course.call.route_class in WITHOUT_QUOTA else usage_in(ending.body)
        return CallAnswer(head.status, shown(head), ending.body, usage=usage)
    if ending.kind == "http_error" and not verdict.move and head:  # about the request: in the backend's own words
        outcome = "rejected" if head.status < 500 else "failed"
        return CallAnswer(head.status, shown(head), ending.body, outcome=outcome, code=verdict.code)
    return replace(_failed(_failure(course, request, ending, verdict)), code=verdict.code)


def _failure(course: CallCourse, request: RouteRequest, ending: Ending, verdict: Verdict) -> Failure:
    """No account is left: a pool that is exhausted by now says so truthfully."""
    if verdict.move and verdict.blame is not Blame.NOBODY:
        try:
            choose(request, course.house.known, moment())
        except NoCandidate as none:
            return answers.nobody(none)
    return answers.last_of(ending, verdict, len(course.attempts))


def _failed(failure: Failure, outcome: str = "failed") -> CallAnswer:
    return CallAnswer(failure.status, failure=failure, outcome=outcome, code=failure.code)


class _Spent(msgspec.Struct):
    usage: Any = None


_spent = msgspec.json.Decoder(_Spent)


def usage_in(body: bytes) -> Usage | None:
    """The tokens that an answer says it cost; None when it says nothing that can be believed, or is so large that
    reading it would hold up everybody else."""
    if len(body) > LARGEST_READ or body.rfind(b'"usage"') < 0:
        return None
    try:
        return read_usage(_spent.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown(head: ResponseHead) -> list[tuple[str, str]]:
    """The headers of the backend that reach the client."""
    return [(name, value) for name, value in head.headers if name in SHOWN_HEADERS and len(value) <= LONGEST_SHOWN]
