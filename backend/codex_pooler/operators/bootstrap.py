"""The first owner: exactly one is ever made this way, whoever asks how often at once."""

from __future__ import annotations

import re

from codex_pooler.operators.access import Operator
from codex_pooler.operators.audit import Event, operator_actor, record
from codex_pooler.operators.passwords import check_policy, hash_password
from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.ids import uuid7

ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


class AlreadyBootstrapped(Exception):
    """This instance has an operator already."""


async def is_pending(session: Session) -> bool:
    """Whether nobody has set the instance up yet."""
    row = await session.one(queries.ANY_OPERATOR)
    return not row.exists


async def create_first_owner(
    database: Database,
    *,
    email: str,
    display_name: str | None,
    password: str,
    timezone: str | None = None,
    client_ip: str | None = None,
) -> Operator:
    """Create the owner; ``client_ip`` is for the audit trail.  Raises AlreadyBootstrapped or WeakPassword."""
    address = email.strip().lower()
    owner = Operator(
        id=uuid7(),
        email=address,
        display_name=(display_name or "").strip() or address.partition("@")[0],
        role="instance_owner",
        timezone=timezone if timezone and ZONE.fullmatch(timezone) else "UTC",
    )
    check_policy(password, email=owner.email, display_name=owner.display_name)
    password_hash = await hash_password(password)
    async with database.transaction() as session:
        await session.fetch(queries.BOOTSTRAP_LOCK)
        if not await is_pending(session):
            raise AlreadyBootstrapped
        await session.execute(
            queries.INSERT,
            id=owner.id,
            email=owner.email,
            display_name=owner.display_name,
            password_hash=password_hash,
            role=owner.role,
            timezone=owner.timezone,
        )
        actor = operator_actor(owner, client_ip)
        await record(session, Event("auth.bootstrap", "user", owner.id, owner.email, actor=actor))
    return owner
