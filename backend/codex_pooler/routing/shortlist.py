"""Who may serve a model in a pool as far as configuration and quota go, worked out once until either changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.standing import Standing
from codex_pooler.routing.gates import GATES, Lane, Obstacle
from codex_pooler.snapshot.model import Member, Pool

LEAST_REMAINING = 0.02  # an account with nothing left to speak of still counts for something
MOST_KEPT = 512


class Entry(NamedTuple):
    """A member that passed every gate.  ``capacity``: its weight x its plan's weekly capacity x the part left."""

    member: Member
    account_id: UUID
    hash_bits: int
    standing: Standing
    capacity: float


Tier = tuple[Entry, ...]


class LeftOut(NamedTuple):
    """A member that did not, and why."""

    member: Member
    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class Shortlist:
    """``tiers``: those of equal priority and grade of quota together, the best first.

    ``capped``: somebody's concurrency is limited.  Good for ``pool`` itself, at the ``version`` of the quotas, until
    ``valid_until`` (unix seconds).
    """

    pool: Pool
    version: int
    valid_until: float
    tiers: tuple[Tier, ...]
    left_out: tuple[LeftOut, ...]
    excluded: Mapping[str, int]
    capped: bool
    places: Mapping[UUID, Entry | LeftOut] = field(repr=False)

    def entry(self, account_id: UUID) -> Entry | None:
        """The account, when it is on the list."""
        found = self.places.get(account_id)
        return found if isinstance(found, Entry) else None


class Shortlists:
    """The newest shortlist of every pool and model that was asked for."""

    def __init__(self) -> None:
        self._lists: dict[tuple[UUID, Lane], Shortlist] = {}

    def __len__(self) -> int:
        return len(self._lists)

    def of(self, pool: Pool, lane: Lane, quotas: Quotas, now: float) -> Shortlist:
        """The list as it is at ``now`` (unix seconds)."""
        key = (pool.id, lane)
        known = self._lists.get(key)
        if known and known.pool is pool and known.version == quotas.version and now < known.valid_until:
            return known
        if len(self._lists) >= MOST_KEPT:
            self._lists.clear()
        before = known.places if known and known.pool is pool and now < known.valid_until else {}
        made = self._lists[key] = shortlist(pool, lane, quotas, now, before)
        return made


def shortlist(
    pool: Pool, lane: Lane, quotas: Quotas, now: float, before: Mapping[UUID, Entry | LeftOut] | None = None
) -> Shortlist:
    """Put every member through the gates.  What ``before`` says of an account whose standing is the same is reused."""
    version, before = quotas.version, before or {}
    places: dict[UUID, Entry | LeftOut] = {}
    valid_until = math.inf
    for member in pool.members:
        account = member.account
        standing = quotas.standing(account.id, lane.model, now)
        valid_until = min(valid_until, standing.valid_until)
        if account.access_expires_at is not None and account.access_expires_at > now:
            valid_until = min(valid_until, account.access_expires_at)
        known = before.get(account.id)
        if known is None or not (isinstance(known, Entry) and known.standing is standing):
            known = _placed(member, standing, lane, now, quotas)
        places[account.id] = known
    entries = [place for place in places.values() if isinstance(place, Entry)]
    left_out = tuple(place for place in places.values() if isinstance(place, LeftOut))
    return Shortlist(
        pool=pool,
        version=version,
        valid_until=valid_until,
        tiers=_tiers(entries),
        left_out=left_out,
        excluded=Counter(out.obstacle.code for out in left_out),
        capped=any(_is_capped(entry) for entry in entries),
        places=places,
    )


def _placed(member: Member, standing: Standing, lane: Lane, now: float, quotas: Quotas) -> Entry | LeftOut:
    for gate in GATES:
        if obstacle := gate(member, standing, lane, now):
            return LeftOut(member, obstacle)
    account = member.account
    capacity = member.weight * quotas.weight(account.plan_type) * max(standing.remaining, LEAST_REMAINING)
    return Entry(member, account.id, account.hash_bits, standing, max(capacity, 1e-9))


def _tiers(entries: Iterable[Entry]) -> tuple[Tier, ...]:
    def rank(entry: Entry) -> tuple[int, int]:
        return -entry.member.priority, entry.standing.grade

    return tuple(tuple(tier) for _, tier in groupby(sorted(entries, key=rank), key=rank))


def _is_capped(entry: Entry) -> bool:
    member = entry.member
    limited = member.max_concurrency is not None or member.account.max_concurrency is not None
    return limited or entry.standing.never_observed


def is_model_unknown(listed: Shortlist, model: str) -> bool:
    """Nobody is on the list, and every catalogue that is known, even a paused account's, lacks the model."""
    if listed.tiers or not listed.excluded.get("model_not_offered"):
        return False
    return not any(_might_offer(out, model) for out in listed.left_out)


def _might_offer(out: LeftOut, model: str) -> bool:
    models = out.member.account.models
    return out.obstacle.gate in ("quota", "headroom") if models is None else model in models
