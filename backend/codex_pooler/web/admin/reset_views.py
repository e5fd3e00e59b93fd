"""What is shown of an account's saved resets wherever the account is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from codex_pooler.quota.resets import Policy, policy_of
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.database import Session

# how a claim stands -> how people call that
PHASES = {
    "claimed": "awaiting_confirmation",
    "sent": "awaiting_confirmation",
    "unknown": "awaiting_confirmation",
    "applied": "awaiting_confirmation",
    "confirmed": "confirmed",
    "noop": "not_applied",
    "expired": "confirmation_expired",
}
AWAITING = frozenset(phase for phase, state in PHASES.items() if state == "awaiting_confirmation")


async def saved_resets_view(session: Session, account_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Every account's saved resets in short (schemas.saved_resets.SavedResetsBrief)."""
    ids = list(account_ids)
    counts = {row.account_id: row.available for row in await session.fetch(queries.REPORTED, account_ids=ids)}
    checks = await session.fetch(queries.CHECKS, account_ids=ids)
    counts |= {row.account_id: row.available for row in checks if row.checked_at is not None}
    first: dict[UUID, datetime | None] = {}
    for row in await session.fetch(queries.AVAILABLE, account_ids=ids):
        first.setdefault(row.account_id, row.expires_at)
    newest = {row.account_id: row.phase for row in await session.fetch(queries.NEWEST_CLAIMS, account_ids=ids)}
    policies = {row.id: policy_of(row.reset_policy) for row in await session.fetch(queries.POLICIES, account_ids=ids)}
    return {
        identity: {
            "available": counts.get(identity),
            "next_expires_at": first.get(identity),
            "policy": asdict(policies.get(identity, Policy())),
            "awaiting_confirmation": newest.get(identity) in AWAITING,
        }
        for identity in ids
    }
