"""Operator access tokens: ``pat-cxp-…``, for scripts, limited in time and scope."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from codex_pooler.operators.access import CAPABILITIES, SCOPES
from codex_pooler.operators.audit import Event, record
from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.token_form import OPERATOR_TOKEN, generate, prefix_of

MAX_DAYS = 365


class TokenRefused(Exception):
    """The token cannot be made; the message says why."""


async def issue_token(
    database: Database, keyring: Keyring, *, email: str, label: str, days: int, scopes: Sequence[str] = ()
) -> str:
    """Make a token for an operator and return it, this once.  Without scopes it may what its owner may.

    Raises TokenRefused.
    """
    if not 1 <= days <= MAX_DAYS:
        raise TokenRefused(f"A token lives from 1 to {MAX_DAYS} days, not {days}.")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise TokenRefused(f"There is no scope {unknown[0]!r}; choose from {', '.join(SCOPES)}.")
    if not label.strip():
        raise TokenRefused("Give the token a label that tells what it is for.")
    token = generate(OPERATOR_TOKEN)
    identity, may = uuid7(), sorted(set(scopes))
    async with database.transaction() as session:
        owner = await session.one(queries.BY_EMAIL, email=email.strip().lower())
        if owner is None or owner.status != "active":
            raise TokenRefused(f"There is no active operator {email}.")
        await session.execute(
            queries.INSERT_TOKEN,
            id=identity,
            operator_id=owner.id,
            label=label.strip()[:100],
            prefix=prefix_of(token),
            digest=keyring.digest("operator_token", token),
            scopes=may or sorted(CAPABILITIES[owner.role]),
            expires_at=datetime.now(UTC) + timedelta(days=days),
        )
        told = {"email": owner.email, "scopes": may, "prefix": prefix_of(token)}
        await record(session, Event("operator_token.create", "operator_token", identity, label.strip(), details=told))
    return token
