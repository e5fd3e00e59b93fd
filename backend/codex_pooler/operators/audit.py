"""Who acts, for the audit trail: an operator, a token of theirs, or a visitor nobody knows."""

from __future__ import annotations

from codex_pooler.operators.access import Caller, Operator
from codex_pooler.storage.audit import SYSTEM, Actor, Event, FieldChange, field_changes, record, record_account_event

__all__ = [
    "SYSTEM",
    "Actor",
    "Event",
    "FieldChange",
    "actor_of",
    "field_changes",
    "operator_actor",
    "record",
    "record_account_event",
    "visitor",
]


def actor_of(caller: Caller | None, client_ip: str | None) -> Actor:
    """The operator, through the browser or through one of their tokens; a visitor when nobody is known."""
    if caller is None:
        return visitor(client_ip)
    if caller.via_session:
        return operator_actor(caller.operator, client_ip)
    label = f"{caller.operator.display_name} (token {caller.token_label})"
    return Actor("api_token", caller.operator.id, label, client_ip)


def operator_actor(operator: Operator, client_ip: str | None) -> Actor:
    """An operator in person."""
    return Actor("user", operator.id, operator.display_name, client_ip)


def visitor(client_ip: str | None) -> Actor:
    """Somebody who has not signed in."""
    return Actor("visitor", client_ip=client_ip)
