"""Finds out who calls: the operator behind a session or an access token, with role, scopes and pools as of now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from codex_pooler.operators.access import Caller, Operator, PoolScope, granted
from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.token_form import OPERATOR_TOKEN, looks_like


async def caller_of_session(database: Database, operator_id: UUID, expires_at: datetime) -> Caller | None:
    """The signed-in operator; None when they were disabled or deleted."""
    async with database.session() as session:
        return await _load(session, operator_id, None, expires_at, via_session=True)


async def caller_of_token(database: Database, keyring: Keyring, token: str) -> Caller | None:
    """The operator behind ``pat-cxp-…``; None when it is unknown, expired, or its owner may not sign in."""
    if not looks_like(OPERATOR_TOKEN, token):
        return None
    digest = keyring.digest("operator_token", token)
    async with database.session() as session:
        row = await session.one(queries.TOKEN, digest=digest)
        if row is None:
            return None
        await session.execute(queries.TOUCH_TOKEN, digest=digest)
        caller = await _load(session, row.operator_id, row.scopes, row.expires_at, via_session=False)
        return replace(caller, token_label=row.label) if caller else None


async def _load(
    session: Session, operator_id: UUID, scopes: Sequence[str] | None, expires_at: datetime, *, via_session: bool
) -> Caller | None:
    row = await session.one(queries.ACTIVE, operator_id=operator_id)
    if row is None:
        return None
    operator = Operator(*row)
    return Caller(
        operator=operator,
        capabilities=granted(operator.role, scopes),
        scope=await _scope(session, operator),
        expires_at=expires_at,
        via_session=via_session,
    )


async def _scope(session: Session, operator: Operator) -> PoolScope:
    if operator.role == "instance_owner":
        return PoolScope(all=True)
    rows = await session.fetch(queries.POOLS, operator_id=operator.id)
    return PoolScope(all=False, pool_ids=tuple(row.pool_id for row in rows))
