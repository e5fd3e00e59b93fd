"""Who may serve a model in a pool as far as configuration and quota go, worked out once until either changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.standing import Standing
from codex_pooler.routing.gates import GATES, Lane, Obstacle
from codex_pooler.snapshot.model import Member, Pool

LEAST_REMAINING = 0.02  # an account with nothing left to speak of still counts for something
LEAST_CAPACITY = 1e-9
MOST_KEPT = 512


class Entry(NamedTuple):
    """A member that passed every gate.  ``capacity``: its weight x its plan's weekly capacity x the part left."""

    member: Member
    standing: Standing
    capacity: float


class LeftOut(NamedTuple):
    """A member that did not, and why."""

    member: Member
    obstacle: Obstacle
    standing: Standing | None = None


class Tier(NamedTuple):
    """Entries among which the strategy decides, and the facts it looks at, side by side.

    ``keys`` are the accounts' ids as numbers, whose hashes cost a fraction of a UUID's.
    """

    entries: Sequence[Entry]
    keys: Sequence[int]
    hash_bits: Sequence[int]
    capacities: Sequence[float]


def tier_of(entries: Sequence[Entry]) -> Tier:
    """Entries as one tier."""
    accounts = [entry.member.account for entry in entries]
    return Tier(
        entries=entries,
        keys=[account.id.int for account in accounts],
        hash_bits=[account.hash_bits for account in accounts],
        capacities=[entry.capacity for entry in entries],
    )


@dataclass(slots=True)
class Shortlist:
    """``tiers``: those of equal priority and grade of quota together, the best first.

    ``places`` has every member in the pool's order; ``capped``: somebody's concurrency is limited.  Good for ``pool``
    itself, at the ``version`` of the quotas, until ``valid_until`` (unix seconds).
    """

    pool: Pool
    version: int
    valid_until: float
    places: Sequence[Entry | LeftOut]
    tiers: Sequence[Tier]
    left_out: tuple[LeftOut, ...]
    excluded: Mapping[str, int]
    capped: bool
    by_key: Mapping[int, Entry | LeftOut] = field(repr=False)

    def entry(self, account_id: UUID) -> Entry | None:
        """The account, when it is on the list."""
        found = self.by_key.get(account_id.int)
        return found if isinstance(found, Entry) else None


class Shortlists:
    """The newest shortlist of every pool and model that was asked for."""

    def __init__(self) -> None:
        self._lists: dict[tuple[int, str, bool], Shortlist] = {}

    def __len__(self) -> int:
        return len(self._lists)

    def of(self, pool: Pool, lane: Lane, quotas: Quotas, now: float) -> Shortlist:
        """The list as it is at ``now`` (unix seconds)."""
        key = (pool.id.int, lane.model, lane.spends_quota)
        known = self._lists.get(key)
        if known is not None and known.pool is pool and now < known.valid_until:
            if known.version == quotas.version:
                return known
            if _is_still_true(known, lane, quotas, now):
                known.version = quotas.version
                return known
        if len(self._lists) >= MOST_KEPT:
            self._lists.clear()
        made = self._lists[key] = shortlist(pool, lane, quotas, now)
        return made


def _is_still_true(listed: Shortlist, lane: Lane, quotas: Quotas, now: float) -> bool:
    """What changed was none of these accounts' quota."""
    standing, model = quotas.standing, lane.model
    return all(standing(place.member.account.id, model, now) is place.standing for place in listed.places)


def shortlist(pool: Pool, lane: Lane, quotas: Quotas, now: float) -> Shortlist:
    """Put every member through the gates."""
    version, valid_until = quotas.version, math.inf
    places: list[Entry | LeftOut] = []
    for member in pool.members:
        account = member.account
        standing = quotas.standing(account.id, lane.model, now)
        valid_until = min(valid_until, standing.valid_until)
        if account.access_expires_at is not None and account.access_expires_at > now:
            valid_until = min(valid_until, account.access_expires_at)
        places.append(_placed(member, standing, lane, now, quotas))
    entries = [place for place in places if isinstance(place, Entry)]
    left_out = tuple([place for place in places if isinstance(place, LeftOut)])
    return Shortlist(
        pool=pool,
        version=version,
        valid_until=valid_until,
        places=places,
        tiers=_tiers(entries),
        left_out=left_out,
        excluded=dict(Counter([out.obstacle.code for out in left_out])),
        capped=any(_is_capped(entry) for entry in entries),
        by_key={place.member.account.id.int: place for place in places},
    )


def _placed(member: Member, standing: Standing, lane: Lane, now: float, quotas: Quotas) -> Entry | LeftOut:
    for gate in GATES:
        if obstacle := gate(member, standing, lane, now):
            return LeftOut(member, obstacle, standing)
    capacity = member.weight * quotas.weight(member.account.plan_type) * max(standing.remaining, LEAST_REMAINING)
    return Entry(member, standing, max(capacity, LEAST_CAPACITY))


def _tiers(entries: Sequence[Entry]) -> list[Tier]:
    def rank(entry: Entry) -> tuple[int, int]:
        return -entry.member.priority, entry.standing.grade

    return [tier_of(list(tier)) for _, tier in groupby(sorted(entries, key=rank), key=rank)]


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
