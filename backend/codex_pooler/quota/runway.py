"""How long a pool lasts: its accounts drained together at the present burn, with and without each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Tank:
    """What one account may use per window, in credits, and how much of it is used.  Times are unix seconds."""

    account_id: UUID
    capacity: float
    used_percent: float
    burn: float  # percent per hour
    reset_at: float | None = None

    @property
    def level(self) -> float:
        """Credits that are left."""
        return self.capacity * (100.0 - self.used_percent) / 100.0

    @property
    def demand(self) -> float:
        """Credits per hour."""
        return self.capacity * self.burn / 100.0


class Runway(NamedTuple):
    """``remaining`` in percent of the pool's capacity, ``burn`` in percent of it per hour; ``exhausts_at`` (unix
    seconds) is None when resets come soon enough; ``without`` has the same for the pool less one account."""

    remaining: float
    burn: float
    exhausts_at: float | None
    without: dict[UUID, float | None]


def runway(tanks: Sequence[Tank], now: float, horizon_seconds: float) -> Runway:
    """How long the tanks last together; what a missing account served, the others would have to."""
    capacity = sum(tank.capacity for tank in tanks)
    demand = sum(tank.demand for tank in tanks)
    whole = runs_dry_at(tanks, demand, now, horizon_seconds)
    others = ([each for each in tanks if each is not tank] for tank in tanks)
    dry = [runs_dry_at(rest, demand, now, horizon_seconds) for rest in others]
    return Runway(
        remaining=100.0 * sum(tank.level for tank in tanks) / capacity if capacity else 0.0,
        burn=100.0 * demand / capacity if capacity else 0.0,
        exhausts_at=whole,
        without={tank.account_id: at for tank, at in zip(tanks, dry, strict=True)},
    )


def runs_dry_at(tanks: Sequence[Tank], demand: float, now: float, horizon_seconds: float) -> float | None:
    """When ``demand`` (credits per hour) has drained all tanks; None when not within the horizon.

    All are drained in proportion to what they hold, and each is full again at its reset.
    """
    if demand <= 0:
        return None
    levels = [tank.level for tank in tanks]
    end = now + horizon_seconds
    refills = sorted(
        (tank.reset_at, number) for number, tank in enumerate(tanks) if tank.reset_at and now < tank.reset_at <= end
    )
    at = now
    for until, number in [*refills, (end, None)]:
        left, needed = sum(levels), demand * (until - at) / HOUR
        if left < needed:
            return at + left / demand * HOUR
        levels = [level * (1 - needed / left) for level in levels] if left else levels
        if number is not None:
            levels[number] = tanks[number].capacity
        at = until
    return None
