"""Which accounts may serve a turn and in which order: pure decisions, no I/O."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from codex_pooler.quota.blocks import Blocks
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.model import Member, Pool

# multipliers of two well-known 64-bit mixers (golden ratio; Degski)
MASK_64, MIX_1, MIX_2 = 2**64 - 1, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: unix seconds for what the backend names, monotonic for our own waits."""

    wall: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about accounts beyond the snapshot."""

    health: Health
    blocks: Blocks
    leases: Leases


@dataclass(frozen=True, slots=True)
class Choice:
    """Members in the order they are tried, and how many accounts were left out for which reason."""

    ranked: tuple[Member, ...]
    excluded: dict[str, int]


class NoCandidate(Exception):
    """Nobody can serve.  ``excluded`` counts accounts by reason; ``retry_at`` (unix seconds) is when the first of
    those that only have to wait may serve again, None when nobody is waiting."""

    def __init__(self, excluded: dict[str, int], retry_at: float | None = None) -> None:
        super().__init__(str(excluded))
        self.excluded, self.retry_at = excluded, retry_at


def choose(pool: Pool, seed: str, known: Known, moment: Moment) -> Choice:
    """Rank those who may serve; turns with the same ``seed`` prefer the same account.  Raises NoCandidate."""
    if pool.fit and moment.wall < pool.carefree_until and not known.blocks and not known.health:
        return Choice(rank(pool.fit, pool.strategy, seed, known, moment), dict(pool.unfit))
    excluded = Counter(pool.unfit)
    ready: list[Member] = []
    for member in pool.fit:
        if reason := refused(member, known, moment):
            excluded[reason] += 1
        else:
            ready.append(member)
    if not ready:
        ready = _least_bad(pool, known, moment)
    if not ready:
        raise NoCandidate(dict(excluded), _earliest_return(pool, known, moment))
    return Choice(rank(ready, pool.strategy, seed, known, moment), dict(excluded))


def refused(member: Member, known: Known, moment: Moment) -> str | None:
    """Why a fit member cannot serve right now."""
    account = member.account
    if account.access_expires_at is not None and account.access_expires_at <= moment.wall:
        return "token_expired"
    if known.blocks and (block := known.blocks.current(account.id, moment.wall)):
        return block.reason
    if known.health and known.health.excluded(account.id, moment.monotonic):
        return "failing"
    return "busy" if known.leases.full(member) else None


def rank(members: Iterable[Member], strategy: str, seed: str, known: Known, moment: Moment) -> tuple[Member, ...]:
    """Priority first, then the healthy before the demoted, then what the pool's strategy prefers."""
    prefer, hashed, health = STRATEGIES[strategy], seed_hash(seed), known.health
    if not health:
        return tuple(sorted(members, key=lambda member: (-member.priority, prefer(hashed, member))))

    def order(member: Member) -> tuple[int, bool, float]:
        return -member.priority, health.demoted(member.account.id, moment.monotonic), prefer(hashed, member)

    return tuple(sorted(members, key=order))


def seed_hash(seed: str) -> int:
    """64 well-mixed bits of a session's name."""
    return int.from_bytes(hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def draw(seed: int, member: Member) -> float:
    """A number between 0 and 1 that is stable for this seed and account and moves nothing when members change."""
    bits = ((seed ^ member.account.hash_bits) * MIX_1) & MASK_64
    bits = ((bits ^ bits >> 32) * MIX_2) & MASK_64
    return ((bits ^ bits >> 29) + 0.5) / 2**64


def weighted(seed: int, member: Member) -> float:
    """Rendezvous hashing in proportion to weight; the lowest goes first."""
    return -math.log(draw(seed, member)) / max(member.weight, 1e-9)


def in_order(seed: int, member: Member) -> float:
    """Always the same account until it is used up: the oldest first (ids sort by time)."""
    return float(member.account.id.int)


# name -> what goes first among equals; lower is earlier
STRATEGIES: dict[str, Callable[[int, Member], float]] = {
    "capacity_weighted": weighted,
    "bridge_ring": draw,
    "fill_first": in_order,
}


def _least_bad(pool: Pool, known: Known, moment: Moment) -> list[Member]:
    """When everybody who could serve is failing, the one that may try soonest does: a pool never locks itself out."""
    failing = [m for m in pool.fit if refused(m, known, moment) == "failing"]

    def may_try_at(member: Member) -> float:
        cell = known.health.cell(member.account.id)
        return cell.open_until if cell else 0.0

    return sorted(failing, key=may_try_at)[:1]


def _earliest_return(pool: Pool, known: Known, moment: Moment) -> float | None:
    blocks = [known.blocks.current(m.account.id, moment.wall) for m in pool.fit]
    return min((block.until for block in blocks if block), default=None)
