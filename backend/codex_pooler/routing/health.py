"""One health cell per account and route class: failures order the account last, then exclude it for a while, then
let one turn probe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from codex_pooler.routing.request import Moment

SOFT_SECONDS = 15.0
SOFT_LIMIT = 60.0
FAILURE_WINDOW = 300.0  # failures further apart do not add up
FORGET_SECONDS = 3600.0
OPEN_LIMIT = 600.0
PROBE_SECONDS = 120.0  # a probe that has not come back by then is no reason to wait for it


class Rules(NamedTuple):
    """How many failures in a row open a cell, and for how many seconds the first time."""

    failure_threshold: int = 3
    open_seconds: float = 60.0


@dataclass(slots=True)
class Cell:
    """Times are monotonic seconds.  ``opened_at`` is None while the cell is closed."""

    failures: int = 0
    last_failure: float = 0.0
    soft_until: float = 0.0
    opened_at: float | None = None
    open_until: float = 0.0
    open_seconds: float = 0.0  # how long it is open this time
    probed_at: float | None = None
    last_error: str = ""

    def excluded(self, now: float) -> bool:
        """Open, or waiting for the outcome of the one turn that probes it."""
        if self.opened_at is None:
            return False
        return self.open_until > now or self.probing(now)

    def probing(self, now: float) -> bool:
        return self.probed_at is not None and now - self.probed_at < PROBE_SECONDS

    def demoted(self, now: float) -> bool:
        """Serve others first."""
        return self.soft_until > now

    def state(self, now: float) -> str:
        """``demoted``, ``open``, ``half_open`` (one turn may probe or is probing), or ``closed``."""
        if self.opened_at is not None:
            return "open" if self.open_until > now else "half_open"
        return "demoted" if self.demoted(now) else "closed"


class Trouble(NamedTuple):
    """A cell as operators see it; times are unix seconds.  ``retry_at`` is None unless the cell is open."""

    route_class: str
    state: str
    failures: int
    last_error: str
    failed_at: float
    retry_at: float | None


NO_CELLS: Mapping[UUID, Cell] = MappingProxyType({})


class Health:
    """This process's cells; an account without one is healthy.  ``rules`` is asked at every failure."""

    def __init__(self, rules: Callable[[], Rules] = Rules) -> None:
        self._rules = rules
        self._lanes: dict[str, dict[UUID, Cell]] = {}
        self.last_success: dict[int, float] = {}  # by UUID.int, in unix seconds, for the strategy that asks

    def __bool__(self) -> bool:
        """False when every account is healthy, which spares a look-up per account."""
        return bool(self._lanes)

    def lane(self, route_class: str) -> Mapping[UUID, Cell]:
        """The cells of one route class by account."""
        return self._lanes.get(route_class, NO_CELLS)

    def troubles(self, account_id: UUID, now: Moment) -> list[Trouble]:
        """Everything the account failed at lately, for operators."""
        ahead = now.wall - now.monotonic
        return [
            Trouble(
                route_class=route_class,
                state=cell.state(now.monotonic),
                failures=cell.failures,
                last_error=cell.last_error,
                failed_at=cell.last_failure + ahead,
                retry_at=cell.open_until + ahead if cell.open_until > now.monotonic else None,
            )
            for route_class, cells in sorted(self._lanes.items())
            if (cell := cells.get(account_id))
        ]

    def open_until(self, account_id: UUID) -> float | None:
        """When the last of the account's open cells may be tried again, in monotonic seconds; None when all serve."""
        lanes = (cells.get(account_id) for cells in self._lanes.values())
        return max((cell.open_until for cell in lanes if cell and cell.opened_at is not None), default=None)

    def failed(self, account_id: UUID, route_class: str, error: str, now: float) -> None:
        """An attempt failed and the account is to blame.  ``now`` is monotonic."""
        rules = self._rules()
        self._forget_old(now)
        cell = self._lanes.setdefault(route_class, {}).setdefault(account_id, Cell())
        if now - cell.last_failure > FAILURE_WINDOW:
            cell.failures = 0
        cell.failures += 1
        cell.last_failure, cell.last_error = now, error
        cell.soft_until = now + min(SOFT_SECONDS * 2.0 ** min(cell.failures - 1, 8), SOFT_LIMIT)
        if cell.opened_at is not None:
            self._open_again(cell, rules, now)
        elif cell.failures >= rules.failure_threshold:
            cell.opened_at, cell.open_seconds, cell.open_until = now, rules.open_seconds, now + rules.open_seconds

    def _open_again(self, cell: Cell, rules: Rules, now: float) -> None:
        """A failed probe waits twice as long; a turn that was sent although the cell was open only starts it anew."""
        if cell.open_until <= now:
            cell.open_seconds = min(max(cell.open_seconds, rules.open_seconds) * 2, OPEN_LIMIT)
        cell.opened_at, cell.open_until, cell.probed_at = now, now + cell.open_seconds, None

    def succeeded(self, account_id: UUID, route_class: str, now: float) -> None:
        """A turn was served, at ``now`` in unix seconds: the cell closes."""
        self.last_success[account_id.int] = now
        cells = self._lanes.get(route_class)
        if cells and cells.pop(account_id, None) and not cells:
            del self._lanes[route_class]

    def probe_ended(self, account_id: UUID, route_class: str) -> None:
        """The turn that probed said nothing about the account (the client left, the request was at fault)."""
        if cell := self.lane(route_class).get(account_id):
            cell.probed_at = None

    def begin_probe(self, account_id: UUID, route_class: str, now: float) -> None:
        """Called when a turn is sent; a cell whose exclusion is over remembers it.  ``now`` is monotonic."""
        cell = self.lane(route_class).get(account_id)
        if cell and cell.opened_at is not None and cell.open_until <= now:
            cell.probed_at = now

    def _forget_old(self, now: float) -> None:
        """Drop cells of accounts that nobody has tried for so long that they mean nothing any more."""
        for route_class, cells in list(self._lanes.items()):
            for account_id, cell in list(cells.items()):
                if max(cell.last_failure, cell.open_until) + FORGET_SECONDS < now:
                    del cells[account_id]
            if not cells:
                del self._lanes[route_class]
