"""One health cell per account: failures order it last, then exclude it for a while, then let one turn probe it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

SOFT_SECONDS = 15.0
SOFT_LIMIT = 60.0
OPEN_AFTER = 3
FAILURE_WINDOW = 300.0
OPEN_SECONDS = 60.0
OPEN_LIMIT = 600.0


@dataclass(slots=True)
class Cell:
    """Times are monotonic seconds."""

    failures: int = 0
    last_failure: float = 0.0
    soft_until: float = 0.0
    open_until: float = 0.0
    open_seconds: float = OPEN_SECONDS
    probing: bool = False
    last_error: str = ""


class Health:
    """This process's cells by account; an account without one is healthy."""

    def __init__(self) -> None:
        self._cells: dict[UUID, Cell] = {}

    def __bool__(self) -> bool:
        """False when every account is healthy, which spares a look-up per account."""
        return bool(self._cells)

    def cell(self, account_id: UUID) -> Cell | None:
        return self._cells.get(account_id)

    def failed(self, account_id: UUID, error: str, now: float) -> None:
        cell = self._cells.setdefault(account_id, Cell())
        if now - cell.last_failure > FAILURE_WINDOW:
            cell.failures = 0
        cell.failures += 1
        cell.last_failure, cell.last_error = now, error
        cell.soft_until = now + min(SOFT_SECONDS * 2 ** (cell.failures - 1), SOFT_LIMIT)
        if cell.probing or cell.failures == OPEN_AFTER:
            cell.open_until = now + cell.open_seconds
            cell.open_seconds = min(cell.open_seconds * 2, OPEN_LIMIT)
        cell.probing = False

    def succeeded(self, account_id: UUID) -> None:
        self._cells.pop(account_id, None)

    def probe_ended(self, account_id: UUID) -> None:
        """The turn that probed said nothing about the account (the client left, the request was at fault)."""
        if cell := self._cells.get(account_id):
            cell.probing = False

    def begin_probe(self, account_id: UUID, now: float) -> None:
        """Called when a turn is sent; a cell whose exclusion is over remembers it."""
        cell = self._cells.get(account_id)
        if cell and 0 < cell.open_until <= now:
            cell.probing = True

    def excluded(self, account_id: UUID, now: float) -> bool:
        """Open, or waiting for the outcome of the one turn that probes it."""
        cell = self._cells.get(account_id)
        return cell is not None and (cell.open_until > now or cell.probing)

    def demoted(self, account_id: UUID, now: float) -> bool:
        """Serve others first."""
        cell = self._cells.get(account_id)
        return cell is not None and cell.soft_until > now
