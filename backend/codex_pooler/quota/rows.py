"""The database's form of what is known of quotas: records in, JSON-able rows out, and back again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from codex_pooler.quota.facts import Credits, ModelGate, Reached, Spend, Verdict
from codex_pooler.quota.history import Sample, sample_of
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import Block, is_lasting
from codex_pooler.quota.windows import Window

Row = dict[str, Any]

PARTS: dict[str, type[Any]] = {"credits": Credits, "spend": Spend, "reached": Reached}


@dataclass(slots=True)
class Changes:
    """Rows of the three tables, ready for JSON, and the same figures for the history."""

    windows: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    blocks: list[Row] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    accounts: set[UUID] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.windows or self.states or self.blocks)


def take_unsaved(account_id: UUID, record: Record, into: Changes) -> None:
    """Add what the database does not know of an account, and count it as known."""
    for place in record.unsaved_windows:
        if window := record.windows.get(place):
            into.windows.append(_window_row(account_id, window))
            into.samples.append(sample_of(account_id, window))
    for limit_key in record.unsaved_blocks:
        block = record.blocks.get(limit_key)
        if block and is_lasting(limit_key):
            into.blocks.append(_block_row(account_id, limit_key, block))
    if record.unsaved_state:
        into.states.append(_state_row(account_id, record))
        spend = record.spend.as_window() if record.spend else None
        into.samples += [sample_of(account_id, spend)] if spend else []
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
    return {"account_id": str(account_id), "state": _state(record), "observed_at": _iso(record.observed_at)}


def _state(record: Record) -> Row:
    return {
        "plan_type": record.plan_type,
        "saved_resets": record.saved_resets,
        "gates_seen_at": record.gates_seen_at,
        "verdicts": [asdict(record.verdicts[limit_key]) for limit_key in sorted(record.verdicts)],
        "gates": [asdict(record.gates[model]) for model in sorted(record.gates)],
        **{name: asdict(part) if (part := getattr(record, name)) else None for name in PARTS},
    }


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
    """Take those parts of a stored state that are newer than what is known; True when there were any.

    Parts that this version cannot read are left out.  Where more is known here than there, that is to be stored.
    """
    stored, seen_at = row.state, row.observed_at.timestamp()
    taken = [_merge_part(record, name, _fact(kind, stored.get(name))) for name, kind in PARTS.items()]
    taken += [_merge_verdict(record, verdict) for verdict in _facts(Verdict, stored.get("verdicts"))]
    taken += [_merge_gates(record, stored), _merge_plan(record, stored, seen_at)]
    record.observed_at = max(record.observed_at, seen_at)
    record.unsaved_state = record.unsaved_state or _state(record) != stored
    return any(taken)


def _merge_part(record: Record, name: str, stored: Any) -> bool:
    own = getattr(record, name)
    if stored is None or (own is not None and own.observed_at >= stored.observed_at):
        return False
    setattr(record, name, stored)
    return True


def _merge_verdict(record: Record, stored: Verdict) -> bool:
    own = record.verdicts.get(stored.limit_key)
    if own is not None and own.observed_at >= stored.observed_at:
        return False
    record.verdicts[stored.limit_key] = stored
    return True


def _merge_gates(record: Record, stored: Row) -> bool:
    seen_at = stored.get("gates_seen_at") or 0.0
    if seen_at <= record.gates_seen_at:
        return False
    record.gates = {gate.model: gate for gate in _facts(ModelGate, stored.get("gates"))}
    record.gates_seen_at = seen_at
    return True


def _merge_plan(record: Record, stored: Row, seen_at: float) -> bool:
    if record.observed_at >= seen_at and record.plan_type is not None:
        return False
    known = record.plan_type, record.saved_resets
    record.plan_type, record.saved_resets = stored.get("plan_type"), stored.get("saved_resets")
    return (record.plan_type, record.saved_resets) != known


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
