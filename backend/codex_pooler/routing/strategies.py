"""What goes first among equals: for each strategy the sort keys of a tier, lowest first."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.routing.shortlist import Entry

# multipliers of two well-known 64-bit mixers (golden ratio; Degski)
MASK_64, MIX_1, MIX_2 = 2**64 - 1, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What strategies look at beyond the tier.  ``seed``: 64 bits; ``now``: unix seconds; ``turn``: how many choices
    the pool has made before this one."""

    seed: int
    now: float
    turn: int
    leases: Leases
    health: Health


Keys = Sequence[Any]
Strategy = Callable[[Sequence[Entry], Situation], Keys]


def seed_hash(seed: str) -> int:
    """64 well-mixed bits of a session's name."""
    return int.from_bytes(hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def draws(seed: int, tier: Sequence[Entry]) -> list[float]:
    """For each account a number between 0 and 1 that depends on the seed and the account alone.

    So nothing moves when other members come or go (rendezvous hashing).
    """
    found = []
    for entry in tier:
        bits = ((seed ^ entry.hash_bits) * MIX_1) & MASK_64
        bits = ((bits ^ bits >> 32) * MIX_2) & MASK_64
        found.append(((bits ^ bits >> 29) + 0.5) / 2**64)
    return found


def capacity_weighted(tier: Sequence[Entry], situation: Situation) -> Keys:
    """In proportion to what is left of each plan, shared among the turns in flight; stable for a seed meanwhile."""
    log, held = math.log, situation.leases.by_account
    drawn = zip(draws(situation.seed, tier), tier, strict=True)
    if not held:
        return [-log(draw) / entry.capacity for draw, entry in drawn]
    return [-log(draw) * (1 + held.get(entry.account_id, 0)) / entry.capacity for draw, entry in drawn]


def bridge_ring(tier: Sequence[Entry], situation: Situation) -> Keys:
    """Every session its own order, evenly."""
    return [-draw for draw in draws(situation.seed, tier)]


def quota_first(tier: Sequence[Entry], situation: Situation) -> Keys:
    """The largest part left."""
    drawn = zip(tier, draws(situation.seed, tier), strict=True)
    return [(-entry.standing.remaining, -draw) for entry, draw in drawn]


def soonest_reset(tier: Sequence[Entry], situation: Situation) -> Keys:
    """What expires first is used first, hour by hour; then the largest part left."""
    drawn = zip(tier, draws(situation.seed, tier), strict=True)
    return [(_reset_hour(entry, situation.now), -entry.standing.remaining, -draw) for entry, draw in drawn]


def _reset_hour(entry: Entry, now: float) -> float:
    resets_at = entry.standing.resets_at
    return math.inf if resets_at is None or resets_at <= now else resets_at // HOUR_SECONDS


def least_recent_success(tier: Sequence[Entry], situation: Situation) -> Keys:
    """Who waited longest since serving; an account with turns in flight is serving now."""
    held, last = situation.leases.by_account, situation.health.last_success
    drawn = zip(tier, draws(situation.seed, tier), strict=True)
    return [(held.get(entry.account_id, 0), last.get(entry.account_id, 0.0), -draw) for entry, draw in drawn]


def deterministic_rotation(tier: Sequence[Entry], situation: Situation) -> Keys:
    """One after the other, whatever the session is called."""
    return [(index - situation.turn) % len(tier) for index in range(len(tier))]


def fill_first(tier: Sequence[Entry], situation: Situation) -> Keys:
    """Always the same account until it is used up: the oldest first (ids sort by time)."""
    return [entry.account_id.int for entry in tier]


STRATEGIES: dict[str, Strategy] = {
    "capacity_weighted": capacity_weighted,
    "bridge_ring": bridge_ring,
    "quota_first": quota_first,
    "soonest_reset": soonest_reset,
    "least_recent_success": least_recent_success,
    "deterministic_rotation": deterministic_rotation,
    "fill_first": fill_first,
}
