"""What goes first among equals: for each strategy the sort keys of a tier, lowest first."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.routing.shortlist import Tier

MASK_64, GOLDEN = 2**64 - 1, 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio
UNIT = 2.0**-53
HOUR_SECONDS = 3600.0


class Situation(NamedTuple):
    """What strategies look at beyond the tier.  ``now``: unix seconds; ``choices``: how many each pool has made."""

    seed: str
    now: float
    pool_id: UUID
    choices: Counter[UUID]
    leases: Leases
    health: Health


Strategy = Callable[[Tier, Situation], Sequence[Any]]


def seed_hash(seed: str) -> int:
    """64 well-mixed bits of a session's name."""
    return int.from_bytes(hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def draws(tier: Tier, situation: Situation) -> list[float]:
    """For each account a number above 0 and up to 1 that depends on the seed and the account alone.

    So nothing moves when other members come or go (rendezvous hashing).  Seed and account are hashes already: one
    multiplication mixes them well enough.
    """
    seed = seed_hash(situation.seed)
    return [((((seed ^ bits) * GOLDEN & MASK_64) >> 11) + 1) * UNIT for bits in tier.hash_bits]


def capacity_weighted(tier: Tier, situation: Situation) -> Sequence[Any]:
    """In proportion to what is left of each plan, shared among the turns in flight; stable for a seed meanwhile."""
    log, running = math.log, situation.leases.running
    drawn = zip(draws(tier, situation), tier.capacities, tier.keys, strict=True)
    return [-log(draw) * (1 + running.get(key, 0)) / capacity for draw, capacity, key in drawn]


def bridge_ring(tier: Tier, situation: Situation) -> Sequence[Any]:
    """Every session its own order, evenly."""
    return [-draw for draw in draws(tier, situation)]


def quota_first(tier: Tier, situation: Situation) -> Sequence[Any]:
    """The largest part left."""
    drawn = zip(tier.entries, draws(tier, situation), strict=True)
    return [(-entry.standing.remaining, -draw) for entry, draw in drawn]


def soonest_reset(tier: Tier, situation: Situation) -> Sequence[Any]:
    """What expires first is used first, hour by hour; then the largest part left."""
    drawn = zip(tier.entries, draws(tier, situation), strict=True)
    return [
        (_reset_hour(entry.standing.resets_at, situation.now), -entry.standing.remaining, -draw)
        for entry, draw in drawn
    ]


def _reset_hour(resets_at: float | None, now: float) -> float:
    return math.inf if resets_at is None or resets_at <= now else resets_at // HOUR_SECONDS


def least_recent_success(tier: Tier, situation: Situation) -> Sequence[Any]:
    """Who waited longest since serving; an account with turns in flight is serving now."""
    running, last = situation.leases.running, situation.health.last_success
    drawn = zip(tier.keys, draws(tier, situation), strict=True)
    return [(running.get(key, 0), last.get(key, 0.0), -draw) for key, draw in drawn]


def deterministic_rotation(tier: Tier, situation: Situation) -> Sequence[Any]:
    """One after the other, whatever the session is called."""
    made, size = situation.choices.get(situation.pool_id, 0), len(tier.keys)
    return [(index - made) % size for index in range(size)]


def fill_first(tier: Tier, situation: Situation) -> Sequence[Any]:
    """Always the same account until it is used up: the oldest first (ids sort by time)."""
    return tier.keys


STRATEGIES: dict[str, Strategy] = {
    "capacity_weighted": capacity_weighted,
    "bridge_ring": bridge_ring,
    "quota_first": quota_first,
    "soonest_reset": soonest_reset,
    "least_recent_success": least_recent_success,
    "deterministic_rotation": deterministic_rotation,
    "fill_first": fill_first,
}
