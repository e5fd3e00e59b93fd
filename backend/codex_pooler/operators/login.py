"""Sign-in with e-mail and password."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.operators.passwords import verify_password
from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import Database


async def authenticate_password(database: Database, email: str, password: str) -> UUID | None:
    """The operator's id; None for a wrong password, an unknown e-mail or a disabled operator, all equally slow."""
    async with database.session() as session:
        row = await session.one(queries.BY_EMAIL, email=email.strip().lower())
    matches = await verify_password(password, row.password_hash if row else None)
    return row.id if matches and row.status == "active" else None
