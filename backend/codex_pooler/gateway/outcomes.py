"""How a turn ended, told from how its last attempt did."""

from __future__ import annotations

from codex_pooler.gateway import answers
from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.gateway.course import Course
from codex_pooler.gateway.house import moment
from codex_pooler.gateway.turn import Ending, Outcome
from codex_pooler.protocol.failure import Failure
from codex_pooler.routing.candidates import NoCandidate, choose

CANCELLED = Outcome("cancelled", http_status=499, error_code="client_disconnected")


def rejected(failure: Failure) -> Outcome:
    """Nobody was asked, or nobody is to blame but the request."""
    return Outcome("rejected", failure, failure.status, failure.code)


def outcome_of(course: Course, ending: Ending, verdict: Verdict) -> Outcome:
    if not verdict.code:
        return Outcome("succeeded", None, 200, None, ending.terminal)
    if ending.kind == "client_gone":
        return Outcome("cancelled", None, 499, verdict.code, ending.terminal)
    if ending.committed:
        return Outcome("failed", None, 200, verdict.code, ending.terminal)
    failure = _failure(course, ending, verdict)
    refused = not verdict.move and failure.status < 500
    return Outcome("rejected" if refused else "failed", failure, failure.status, verdict.code, ending.terminal)


def _failure(course: Course, ending: Ending, verdict: Verdict) -> Failure:
    """Nothing was visible and no account is left: a pool that is exhausted by now says so truthfully."""
    if verdict.move and course.turn.anchored is not None:
        return answers.lost_anchor(course.turn.client_headers)
    if verdict.move and verdict.blame is not Blame.NOBODY and course.prepared:
        try:
            choose(course.prepared.request, course.house.known, moment())
        except NoCandidate as none:
            return nobody(course, none)
    return answers.last_of(ending, verdict, len(course.attempts))


def nobody(course: Course, none: NoCandidate) -> Failure:
    """No account can serve: where one alone would do, the client has to let go of it."""
    if none.excluded.keys() == {"model_not_offered"}:
        course.house.snapshot.doubted.add(course.turn.key.pool.id)
    if course.turn.anchored is not None:
        return answers.lost_anchor(course.turn.client_headers)
    if course.prepared and course.prepared.request.pinned is not None and course.turn.continues is not None:
        return answers.pinned_continuation(none)
    return answers.nobody(none)
