"""The audit trail: what is written of a change, in the transaction of the change itself.

Nothing secret can get in: details have known names, only fields known to be harmless show their values, and what
still looks like a token is blacked out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from codex_pooler.storage import queries_audit as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.telemetry.logs import SECRETS

log = logging.getLogger(__name__)

LONGEST_TEXT = 200
MOST_VALUES = 50
DETAILS = frozenset(
    (
        *("request_id", "via", "email", "member_id", "member_label", "result", "trigger", "code", "count", "exported"),
        *("paused", "dry_run", "model", "status", "latency_ms", "previous_state", "state", "credit_id", "created"),
        *("updated", "failed", "prefix", "invite_id", "account_id", "job", "job_id", "waited_seconds", "kind"),
        *("expected_available", "windows_reset", "ttl_hours", "send_email", "issue_api_key", "scopes", "expires_at"),
    )
)
# Fields whose values may be read by everybody who may read the trail.
SHOWN = frozenset(
    (
        *("name", "slug", "description", "strategy", "max_attempts", "status", "switches", "model_aliases"),
        *("label", "tags", "state"),
        *("enabled", "priority", "weight", "max_concurrency", "max_primary_percent", "max_secondary_percent"),
        *("allowed_models", "enforced_model", "enforced_effort", "maximum_effort", "enforced_service_tier"),
        *("max_input_tokens", "max_output_tokens", "allowed_networks", "limits", "expires_at", "pool_id"),
        *("role", "timezone", "policy", "routing_policy", "keep", "threshold_percent", "mode"),
    )
)


@dataclass(frozen=True)
class Actor:
    """Who did it; ``kind`` is user, api_token, system or visitor.  ``client_ip`` is None where it is not kept."""

    kind: str
    id: UUID | None = None
    label: str | None = None
    client_ip: str | None = None


SYSTEM = Actor("system", label="Codex Pooler")


@dataclass(frozen=True)
class FieldChange:
    """One field that was changed; without ``shown`` its values are nobody's business."""

    field: str
    before: Any = None
    after: Any = None
    shown: bool = True


@dataclass(frozen=True)
class Event:
    """One line of the trail.  ``action`` is ``<target type>.<verb>``; ``reason`` is a code or a short sentence."""

    action: str
    target_type: str
    target_id: UUID | None = None
    target_label: str | None = None
    pool_ids: tuple[UUID, ...] = ()
    actor: Actor = SYSTEM
    outcome: str = "success"
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[FieldChange, ...] = ()


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What differs among the fields of ``after``; values only of fields that are SHOWN."""
    differing = [name for name, value in after.items() if before.get(name) != value]
    return tuple(
        FieldChange(name, before.get(name), after[name]) if name in SHOWN else FieldChange(name, shown=False)
        for name in sorted(differing)
    )


async def record(session: Session, event: Event) -> None:
    """Write one event; it commits or vanishes with the surrounding transaction."""
    await session.execute(
        queries.INSERT,
        id=uuid7(),
        actor_type=event.actor.kind,
        actor_id=event.actor.id,
        actor_label=_short(event.actor.label),
        client_ip=event.actor.client_ip,
        action=event.action,
        target_type=event.target_type,
        target_id=event.target_id,
        target_label=_short(event.target_label),
        pool_ids=list(dict.fromkeys(event.pool_ids)),
        outcome=event.outcome,
        reason=_short(event.reason),
        details=_written(event.details, event.changes),
    )


async def record_account_event(
    session: Session, action: str, account_id: UUID, *, reason: str | None = None, outcome: str = "success"
) -> None:
    """Something that happened to an account by itself, with its label and its pools as they are now."""
    await session.execute(
        queries.INSERT_FOR_ACCOUNT,
        id=uuid7(),
        actor_label=SYSTEM.label,
        action=action,
        account_id=account_id,
        outcome=outcome,
        reason=_short(reason),
    )


def _written(details: Mapping[str, Any], changes: Iterable[FieldChange]) -> dict[str, Any]:
    """The details as they are stored: known names only, short values, nothing that looks like a secret."""
    unknown = sorted(set(details) - DETAILS)
    if unknown:
        log.error("the audit trail does not know the detail %r, it is left out", unknown[0])
    written = {name: _plain(value) for name, value in details.items() if name in DETAILS}
    told = [_change(change) for change in changes]
    return {**written, "changes": told[:MOST_VALUES]} if told else written


def _change(change: FieldChange) -> dict[str, Any]:
    values = {"before": _plain(change.before), "after": _plain(change.after)} if change.shown else {}
    return {"field": _short(change.field), **values}


def _plain(value: Any) -> Any:
    """A value for JSON, cut to what a person can read."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name)[:LONGEST_TEXT]: _plain(each) for name, each in list(value.items())[:MOST_VALUES]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in list(value)[:MOST_VALUES]]
    return _short(value.isoformat() if isinstance(value, datetime) else str(value))


def _short(text: str | None) -> str | None:
    return None if text is None else SECRETS.sub("[redacted]", text)[:LONGEST_TEXT]
