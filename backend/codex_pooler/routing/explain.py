"""Why accounts were or would be chosen, and why others not, as data for the console and the request log."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from codex_pooler.quota.standing import BLOCKED, KNOWN_GOOD, ON_CREDITS, UNKNOWN
from codex_pooler.routing.affinity import NEAR_LIMIT_PERCENT, is_sticky
from codex_pooler.routing.candidates import (
    NOT_THE_OWNER,
    Choice,
    Field,
    Known,
    Moment,
    NoCandidate,
    RouteRequest,
    failing_until,
    preferred_owner,
    rank,
    survey,
)
from codex_pooler.routing.gates import Lane, Obstacle, obstacles
from codex_pooler.routing.request import WITHOUT_QUOTA
from codex_pooler.routing.shortlist import LeftOut
from codex_pooler.snapshot.model import Member

GRADES = {KNOWN_GOOD: "known_good", UNKNOWN: "unknown", ON_CREDITS: "on_credits", BLOCKED: "blocked"}
BRIEF_ACCOUNTS = 10  # named in a log row; the others are counted
BRIEF_NAME = 24  # characters


@dataclass(frozen=True, slots=True)
class Verdict:
    """One member.  ``rank`` counts from 1, None when it cannot serve; ``reasons`` say why not, or why it goes last.

    ``remaining``: 0..1 of the tightest window, 0.5 when unknown.
    """

    member: Member
    rank: int | None
    reasons: tuple[Obstacle, ...]
    quota: str
    remaining: float
    in_flight: int


@dataclass(frozen=True, slots=True)
class Affinity:
    """``kind``: ``pinned``, ``owner`` (goes first), ``owner_passed_over`` (with the ``reason``), or ``none``."""

    kind: str
    account_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a request would be routed at ``evaluated_at`` (unix seconds): the usable first, as they would be tried."""

    request: RouteRequest
    evaluated_at: float
    affinity: Affinity
    verdicts: tuple[Verdict, ...]

    def brief(self) -> dict[str, Any]:
        """The form for the request log: at most 2 KB of JSON.  Ids stay objects, as orjson takes them."""
        usable = [verdict.member for verdict in self.verdicts if verdict.rank]
        out = [LeftOut(verdict.member, verdict.reasons[0]) for verdict in self.verdicts if not verdict.rank]
        return _brief(self.request.pool.strategy, self.affinity.kind, usable[: self.request.pool.max_attempts], out)


def explain(request: RouteRequest, known: Known, moment: Moment) -> Explanation:
    """Every member of the pool with its rank or what is in its way.  Changes nothing; ``choose`` decides the same."""
    found = survey(request, known, moment)
    ranked = rank(found, request, known, moment, len(request.pool.members))
    ranks = {entry.member.account.id: number for number, entry in enumerate(ranked, 1)}
    passing = defaultdict(list)
    for out in found.left_out:
        passing[out.member.account.id].append(out.obstacle)
    verdicts = [_verdict(member, ranks, passing, request, known, moment) for member in request.pool.members]
    verdicts.sort(key=lambda verdict: verdict.rank or math.inf)
    return Explanation(request, moment.wall, _affinity(found, request, verdicts), tuple(verdicts))


def _verdict(
    member: Member,
    ranks: dict[UUID, int],
    passing: dict[UUID, list[Obstacle]],
    request: RouteRequest,
    known: Known,
    moment: Moment,
) -> Verdict:
    account_id = member.account.id
    standing = known.quotas.standing(account_id, request.model, moment.wall)
    number = ranks.get(account_id)
    if number:
        reasons = _drawback(account_id, request, known, moment)
    else:
        lane = Lane(request.model, request.route_class not in WITHOUT_QUOTA)
        elsewhere = [NOT_THE_OWNER] if request.pinned not in (None, account_id) else []
        reasons = [*elsewhere, *obstacles(member, standing, lane, moment.wall), *passing.get(account_id, ())]
    return Verdict(
        member=member,
        rank=number,
        reasons=tuple(reasons),
        quota=GRADES[standing.grade],
        remaining=standing.remaining,
        in_flight=known.leases.held(account_id),
    )


def _drawback(account_id: UUID, request: RouteRequest, known: Known, moment: Moment) -> list[Obstacle]:
    """Why one that can serve goes last; it may even be failing, when everybody is."""
    cell = known.health.lane(request.route_class).get(account_id)
    if cell is None or not (cell.demoted(moment.monotonic) or cell.excluded(moment.monotonic)):
        return []
    if cell.excluded(moment.monotonic):
        return [failing_until(cell, moment)]
    return [Obstacle("health", "demoted", moment.wall + cell.soft_until - moment.monotonic)]


def _affinity(found: Field, request: RouteRequest, verdicts: Iterable[Verdict]) -> Affinity:
    if request.pinned is not None:
        return Affinity("pinned", request.pinned)
    if request.owner is None:
        return Affinity("none")
    if preferred_owner(found, request):
        return Affinity("owner", request.owner)
    return Affinity("owner_passed_over", request.owner, _why_not(found, request, verdicts))


def _why_not(found: Field, request: RouteRequest, verdicts: Iterable[Verdict]) -> str:
    if not is_sticky(request):
        return "sticky_sessions_off"
    verdict = next((verdict for verdict in verdicts if verdict.member.account.id == request.owner), None)
    if verdict is None:
        return "left_the_pool"
    entry = found.listed.entry(verdict.member.account.id)
    if verdict.rank and entry and (entry.standing.primary_used or 0.0) >= NEAR_LIMIT_PERCENT:
        return "near_its_limit"
    return verdict.reasons[0].code if verdict.reasons else "unknown"


def brief(request: RouteRequest, outcome: Choice | NoCandidate) -> dict[str, Any]:
    """As ``Explanation.brief``, of a decision already made: cheap enough for every turn."""
    ranked = outcome.ranked if isinstance(outcome, Choice) else ()
    kind = "none"
    if request.pinned is not None:
        kind = "pinned"
    elif request.owner is not None:
        is_first = bool(ranked) and ranked[0].account.id == request.owner
        kind = "owner" if is_first else "owner_passed_over"
    return _brief(request.pool.strategy, kind, ranked, outcome.left_out)


def _brief(strategy: str, affinity: str, ranked: Sequence[Member], out: Sequence[LeftOut]) -> dict[str, Any]:
    told: dict[str, Any] = {"strategy": strategy, "affinity": affinity}
    told["ranked"] = [_named(member) for member in ranked[:BRIEF_ACCOUNTS]]
    room = BRIEF_ACCOUNTS - len(told["ranked"])
    told["left_out"] = [_left_out(each) for each in out[:room]]
    if len(out) > room:
        told["more_left_out"] = len(out) - room
    return told


def _named(member: Member) -> dict[str, Any]:
    return {"id": member.account.id, "name": member.account.label[:BRIEF_NAME]}


def _left_out(out: LeftOut) -> dict[str, Any]:
    told = {**_named(out.member), "code": out.obstacle.code}
    if out.obstacle.until is not None:
        told["until"] = round(out.obstacle.until)
    return told
