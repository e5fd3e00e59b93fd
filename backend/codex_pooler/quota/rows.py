"""The database's form of what is known of quotas: records in, JSON-able rows out, and back again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from codex_pooler.quota.facts import Credits, ModelGate, Reached, Spend, Verdict
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import Block, is_lasting
from codex_pooler.quota.windows import Window

Row = dict[str, Any]


@dataclass(slots=True)
class Changes:
    """Rows of the three tables, ready for JSON."""

    windows: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    blocks: list[Row] = field(default_factory=list)
    accounts: set[UUID] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.windows or self.states or self.blocks)


def take_unsaved(account_id: UUID, record: Record, into: Changes) -> None:
    """Add what the database does not know of an account, and count it as known."""
    for place in record.unsaved_windows:
        if window := record.windows.get(place):
            into.windows.append(_window_row(account_id, window))
    for limit_key in record.unsaved_blocks:
        block = record.blocks.get(limit_key)
        if block and is_lasting(limit_key):
            into.blocks.append(_block_row(account_id, limit_key, block))
    if record.unsaved_state:
        into.states.append(_state_row(account_id, record))
    record.unsaved_windows, record.unsaved_blocks, record.unsaved_state = set(), set(), False
    into.accounts.add(account_id)


def _window_row(account_id: UUID, window: Window) -> Row:
    return {
        "account_id": str(account_id),
        "limit_key": window.limit_key,
        "kind": window.kind,
        "used_percent": window.used_percent,
        "window_minutes": window.minutes,
        "reset_at": _iso(window.reset_at),
        "observed_at": _iso(window.observed_at),
        "source": window.source,
        "label": window.label,
        "model": window.model,
        "flagged": window.flagged,
    }


def _block_row(account_id: UUID, limit_key: str, block: Block) -> Row:
    return {
        "account_id": str(account_id),
        "limit_key": limit_key,
        "reason": block.reason,
        "until": _iso(block.until),
        "set_at": _iso(block.set_at),
        "source": block.source,
    }


def _state_row(account_id: UUID, record: Record) -> Row:
    state = {
        "plan_type": record.plan_type,
        "saved_resets": record.saved_resets,
        "gates_seen_at": record.gates_seen_at,
        "verdicts": [asdict(verdict) for verdict in record.verdicts.values()],
        "gates": [asdict(gate) for gate in record.gates.values()],
        "credits": record.credits and asdict(record.credits),
        "spend": record.spend and asdict(record.spend),
        "reached": record.reached and asdict(record.reached),
    }
    return {"account_id": str(account_id), "state": state, "observed_at": _iso(record.observed_at)}


def merge_window(record: Record, row: Any) -> bool:
    """Take a stored window unless something newer is known; True when it was taken."""
    window = Window(
        limit_key=row.limit_key,
        minutes=row.window_minutes,
        used_percent=row.used_percent,
        observed_at=row.observed_at.timestamp(),
        source=row.source,
        reset_at=row.reset_at.timestamp() if row.reset_at else None,
        flagged=row.flagged,
        label=row.label,
        model=row.model,
    )
    place = window.limit_key, window.kind
    own = record.windows.get(place)
    if own is not None and own.observed_at >= window.observed_at:
        return False
    record.windows[place] = window
    record.observed_at = max(record.observed_at, window.observed_at)
    return True


def merge_block(record: Record, row: Any) -> bool:
    """Take a stored block, or the news that one was lifted, unless something newer is known."""
    block = Block(row.reason, row.until.timestamp(), row.set_at.timestamp(), row.source)
    own = record.blocks.get(row.limit_key)
    if (own is not None and own.set_at >= block.set_at) or (own is None and block.until <= block.set_at):
        return False
    record.blocks[row.limit_key] = block
    return True


def merge_state(record: Record, row: Any) -> bool:
    """Take a stored state unless something newer is known.  Parts that this version cannot read are left out."""
    seen_at, state = row.observed_at.timestamp(), row.state
    if record.observed_at and record.observed_at >= seen_at and not _has_no_state(record):
        return False
    record.plan_type, record.saved_resets = state.get("plan_type"), state.get("saved_resets")
    record.gates_seen_at = state.get("gates_seen_at") or 0.0
    record.verdicts = {verdict.limit_key: verdict for verdict in _facts(Verdict, state.get("verdicts"))}
    record.gates = {gate.model: gate for gate in _facts(ModelGate, state.get("gates"))}
    record.credits, record.spend = _fact(Credits, state.get("credits")), _fact(Spend, state.get("spend"))
    record.reached = _fact(Reached, state.get("reached"))
    record.observed_at = max(record.observed_at, seen_at)
    return True


def _has_no_state(record: Record) -> bool:
    """Windows were restored first and nothing else is known yet."""
    return record.plan_type is None and not record.verdicts and record.credits is None and record.spend is None


F = TypeVar("F")


def _facts(kind: type[F], stored: Any) -> Iterable[F]:
    return [fact for each in stored or () if (fact := _fact(kind, each)) is not None]


def _fact(kind: type[F], stored: Any) -> F | None:
    if not isinstance(stored, dict):
        return None
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{name: value for name, value in stored.items() if name in names})
    except TypeError:
        return None


def _iso(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat() if moment is not None else None
