"""Which accounts may serve a request and in which order: pure decisions, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from uuid import UUID

from codex_pooler.quota.quotas import Quotas
from codex_pooler.routing.affinity import NEAR_LIMIT_PERCENT, is_sticky
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.gates import Lane, Obstacle
from codex_pooler.routing.health import Cell, Health
from codex_pooler.routing.leases import Leases
from codex_pooler.routing.request import WITHOUT_QUOTA, Moment, RouteRequest
from codex_pooler.routing.shortlist import Entry, LeftOut, Shortlist, Shortlists, Tier, is_model_unknown, tier_of
from codex_pooler.routing.strategies import STRATEGIES, Situation, Strategy
from codex_pooler.snapshot.model import Member

__all__ = ["Choice", "Known", "Moment", "NoCandidate", "RouteRequest", "choose"]

NOT_THE_OWNER = Obstacle("affinity", "not_the_owner")
BUSY = Obstacle("concurrency", "busy")
UNPROVEN_TURNS = 2  # at once, on an account nothing is known about, while others can serve


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about accounts beyond the snapshot.  The last two are this room's own memory."""

    health: Health
    quotas: Quotas
    leases: Leases
    bindings: Bindings
    shortlists: Shortlists = field(default_factory=Shortlists)
    choices: Counter[UUID] = field(default_factory=Counter)  # made so far, by pool


class Field(NamedTuple):
    """Those who can serve right now, in tiers, and those left out at this moment, who are not on the shortlist's
    own list."""

    listed: Shortlist
    tiers: Sequence[Tier]
    left_out: Sequence[LeftOut]


class Choice(NamedTuple):
    """Members in the order they are tried, at most ``max_attempts`` of the pool, and how many accounts were left out
    for which reason."""

    ranked: tuple[Member, ...]
    excluded: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()


class NoCandidate(Exception):
    """Nobody can serve.

    ``excluded`` counts accounts by reason; only ``model_not_offered`` in it: the model is unknown here.
    ``retry_at`` (unix seconds) is when the first of those that only have to wait may serve again, ``resets_at`` when
    the first used-up plan is renewed; None when nobody is waiting for that.  ``plan_type`` is the biggest used-up plan.
    """

    def __init__(
        self,
        excluded: dict[str, int],
        retry_at: float | None = None,
        resets_at: float | None = None,
        plan_type: str | None = None,
        left_out: tuple[LeftOut, ...] = (),
    ) -> None:
        super().__init__(str(excluded))
        self.excluded, self.retry_at, self.resets_at = excluded, retry_at, resets_at
        self.plan_type, self.left_out = plan_type, left_out


def choose(request: RouteRequest, known: Known, moment: Moment) -> Choice:
    """Rank those who may serve.  Raises NoCandidate."""
    found = survey(request, known, moment)
    if not found.tiers:
        raise _nobody(found, request, known)
    pool = request.pool
    ranked = rank(found, request, known, moment, pool.max_attempts)
    if pool.strategy == "deterministic_rotation":
        known.choices[pool.id] += 1
    members = tuple([entry.member for entry in ranked])
    if not found.left_out:
        return Choice(members, dict(found.listed.excluded), found.listed.left_out)
    left_out = (*found.listed.left_out, *found.left_out)
    return Choice(members, _counted(left_out), left_out)


def survey(request: RouteRequest, known: Known, moment: Moment) -> Field:
    """Who can serve at this moment: the shortlist without those who are failing or busy just now."""
    lane = Lane(request.model, request.route_class not in WITHOUT_QUOTA)
    listed = known.shortlists.of(request.pool, lane, known.quotas, moment.wall)
    if request.pinned is not None:
        listed = _only(listed, request.pinned)
    leases, cells = known.leases, known.health.lane(request.route_class)
    tiers, left_out = listed.tiers, list[LeftOut]()
    if cells:
        tiers = _without_failing(tiers, cells, moment, left_out)
    if listed.capped or leases.slowed:
        tiers = _without_busy(tiers, leases, listed, moment, left_out)
    return Field(listed, tiers, left_out)


def rank(found: Field, request: RouteRequest, known: Known, moment: Moment, wanted: int) -> list[Entry]:
    """The best ``wanted``: the session's owner first, then tier by tier what the pool's strategy prefers."""
    pool, owner = request.pool, preferred_owner(found, request)
    ranked = [owner] if owner else []
    prefer = STRATEGIES[pool.strategy]
    situation = Situation(request.seed, moment.wall, pool.id, known.choices, known.leases, known.health)
    for tier in found.tiers:
        left = wanted - len(ranked)
        if left <= 0:
            break
        best = _best(tier, prefer, situation, left + 1 if owner else left)
        ranked += [entry for entry in best if entry is not owner][:left] if owner else best
    return ranked


def preferred_owner(found: Field, request: RouteRequest) -> Entry | None:
    """The session's account, unless it cannot serve now or is so near its limit that a new turn had better move."""
    if request.owner is None or request.pinned is not None or not is_sticky(request):
        return None
    entry = _fit_owner(found.listed, request)
    if entry is None:
        return None
    is_there = not found.left_out or any(each is entry for tier in found.tiers for each in tier.entries)
    return entry if is_there else None


def will_be_back(request: RouteRequest, known: Known, now: float) -> bool:
    """The session's account is left out for a passing reason: it is failing or busy, not used up, refused or paused.

    ``now`` is in unix seconds.
    """
    lane = Lane(request.model, request.route_class not in WITHOUT_QUOTA)
    return _fit_owner(known.shortlists.of(request.pool, lane, known.quotas, now), request) is not None


def _fit_owner(listed: Shortlist, request: RouteRequest) -> Entry | None:
    entry = listed.entry(request.owner) if request.owner else None
    if entry is None or (entry.standing.primary_used or 0.0) >= NEAR_LIMIT_PERCENT:
        return None
    return entry


def _best(tier: Tier, prefer: Strategy, situation: Situation, wanted: int) -> Sequence[Entry]:
    entries = tier.entries
    if len(entries) == 1:
        return entries
    keys = prefer(tier, situation)
    order = sorted(range(len(entries)), key=keys.__getitem__)
    return [entries[index] for index in order[:wanted]]


def _only(listed: Shortlist, account_id: UUID) -> Shortlist:
    """The list when one account alone will do."""
    entry = listed.entry(account_id)
    others = (m for m in listed.pool.members if m.account.id != account_id)
    left_out = [LeftOut(member, NOT_THE_OWNER) for member in others]
    if isinstance(refused := listed.by_key.get(account_id.int), LeftOut):
        left_out.append(refused)
    tiers = [tier_of([entry])] if entry else []
    return replace(listed, tiers=tiers, left_out=tuple(left_out), excluded=_counted(left_out))


def _without_failing(
    tiers: Sequence[Tier], cells: Mapping[UUID, Cell], moment: Moment, left_out: list[LeftOut]
) -> Sequence[Tier]:
    """Demoted accounts go last, open ones not at all; but when all are open, the one that has been so for the longest
    goes first: a pool never locks itself out."""
    healthy: list[Tier] = []
    demoted: list[Tier] = []
    failing: list[tuple[Cell, Entry]] = []
    for tier in tiers:
        fine, soft = [], []
        for entry in tier.entries:
            cell = cells.get(entry.member.account.id)
            if cell and cell.excluded(moment.monotonic):
                failing.append((cell, entry))
            elif cell and cell.demoted(moment.monotonic):
                soft.append(entry)
            else:
                fine.append(entry)
        healthy += [tier_of(fine)] if fine else []
        demoted += [tier_of(soft)] if soft else []
    if not healthy and not demoted:
        return [tier_of([entry]) for _, entry in sorted(failing, key=lambda pair: pair[0].opened_at or 0.0)]
    left_out += [LeftOut(entry.member, failing_until(cell, moment)) for cell, entry in failing]
    return healthy + demoted


def failing_until(cell: Cell, moment: Moment) -> Obstacle:
    """The obstacle that an open cell is; while it is being probed nobody knows the end."""
    wait = cell.open_until - moment.monotonic
    return Obstacle("health", "failing", moment.wall + wait if wait > 0 else None)


def _without_busy(
    tiers: Sequence[Tier], leases: Leases, listed: Shortlist, moment: Moment, left_out: list[LeftOut]
) -> Sequence[Tier]:
    """Full accounts are left out.  One that nothing is known about yet takes two turns and then goes after all
    others: with many turns at once it would be found out about many times over.

    Only accounts that are serving can be either, and those are few.
    """
    full: set[int] = set()
    crowded: set[int] = set()
    for key, held in leases.running.items():
        place = listed.by_key.get(key)
        if not isinstance(place, Entry):
            continue
        if leases.full(place.member, listed.pool.id, moment.monotonic):
            full.add(key)
        elif held >= UNPROVEN_TURNS and place.standing.never_observed:
            crowded.add(key)
    if not full and not crowded:
        return tiers
    left_out += [LeftOut(entry.member, BUSY) for tier in tiers for entry in _chosen(tier, full)]
    return [
        *_tiers_of(tiers, lambda key: key not in full and key not in crowded),
        *_tiers_of(tiers, crowded.__contains__),
    ]


def _chosen(tier: Tier, keys: Container[int]) -> list[Entry]:
    return [entry for entry, key in zip(tier.entries, tier.keys, strict=True) if key in keys]


def _tiers_of(tiers: Sequence[Tier], belongs: Callable[[int], bool]) -> list[Tier]:
    """The same tiers with those accounts alone; none that would be empty."""
    kept = ([e for e, key in zip(tier.entries, tier.keys, strict=True) if belongs(key)] for tier in tiers)
    return [tier_of(entries) for entries in kept if entries]


def _nobody(found: Field, request: RouteRequest, known: Known) -> NoCandidate:
    if is_model_unknown(found.listed, request.model):
        unknown = found.listed.excluded["model_not_offered"]
        return NoCandidate({"model_not_offered": unknown}, left_out=found.listed.left_out)
    left_out = (*found.listed.left_out, *found.left_out)
    used_up = [out for out in left_out if out.obstacle.code == "usage_limited"]
    plans = (out.member.account.plan_type for out in used_up)
    return NoCandidate(
        _counted(left_out),
        retry_at=_earliest(left_out),
        resets_at=_earliest(used_up),
        plan_type=max(filter(None, plans), key=known.quotas.weight, default=None),
        left_out=left_out,
    )


def _earliest(left_out: Iterable[LeftOut]) -> float | None:
    return min((out.obstacle.until for out in left_out if out.obstacle.until is not None), default=None)


def _counted(left_out: Iterable[LeftOut]) -> dict[str, int]:
    return dict(Counter(out.obstacle.code for out in left_out))
