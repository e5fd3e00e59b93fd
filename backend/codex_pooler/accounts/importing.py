"""Turns credentials into an account in a pool: a new one, or a new login for the account they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from codex_pooler.accounts.auth_json import Credentials
from codex_pooler.accounts.identity import identity_key
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring

# Claims are not verified, so without this a forged file could break an account of somebody else's pools.
CONFLICT = "This account already serves pools you do not manage. Ask an owner to import the new login."


class IdentityConflict(Exception):
    """The account exists in pools the caller may not change."""

    def __init__(self) -> None:
        super().__init__(CONFLICT)


@dataclass(frozen=True)
class Imported:
    """The account that has the credentials now."""

    account_id: UUID
    created: bool


async def import_credentials(
    session: Session,
    keyring: Keyring,
    credentials: Credentials,
    *,
    pool_id: UUID,
    label: str | None,
    may_change: Callable[[Iterable[UUID]], bool],
) -> Imported:
    """Create or update by identity, inside the caller's transaction.  An existing label and membership are kept.

    ``may_change`` tells whether the caller manages all pools of an existing account.  Raises IdentityConflict.
    """
    await session.fetch(queries.IDENTITY_LOCK, account=credentials.account_id)
    known = await _find(session, credentials)
    if known is None:
        account_id = await _create(session, credentials, label)
    else:
        account_id = known.id
        pools = [row.pool_id for row in await session.fetch(queries.MEMBERSHIPS, account_ids=[account_id])]
        if not may_change(pools):
            raise IdentityConflict
        await session.execute(queries.REPLACE_LOGIN, account_id=account_id, **_login(credentials, known))
    await _seal(session, keyring, account_id, credentials)
    await session.execute(queries.JOIN_POOL, pool_id=pool_id, account_id=account_id)
    return Imported(account_id, known is None)


async def _find(session: Session, credentials: Credentials) -> Any:
    """The account with this identity; else one whose user was never known and is now (or the other way round)."""
    rows = await session.fetch(queries.SAME_ACCOUNT, chatgpt_account_id=credentials.account_id)
    exact = _key(credentials)
    same_workspace = [row for row in rows if row.workspace_id == credentials.workspace_id]
    for row in rows:
        if row.identity_key == exact:
            return row
    if credentials.user_id:
        return next((row for row in same_workspace if row.chatgpt_user_id is None), None)
    by_email = [row for row in same_workspace if credentials.email and row.email == credentials.email]
    return by_email[0] if len(by_email) == 1 else None


async def _create(session: Session, credentials: Credentials, label: str | None) -> UUID:
    account_id = uuid7()
    name = label or _default_label(credentials)
    await session.execute(queries.INSERT, id=account_id, label=name, **_login(credentials, None))
    return account_id


def _default_label(credentials: Credentials) -> str:
    """The e-mail's local part: a label is shown everywhere, the whole address is not."""
    return (credentials.email or "").partition("@")[0][:100] or f"Account {credentials.account_id[-6:]}"


def _login(credentials: Credentials, known: Any) -> dict[str, Any]:
    """The columns a login brings; what it does not say keeps its old value."""
    brought = {
        "email": credentials.email,
        "chatgpt_user_id": credentials.user_id,
        "workspace_id": credentials.workspace_id,
        "workspace_label": credentials.workspace_label,
        "plan_type": credentials.plan_type,
        "residency": credentials.residency,
    }
    kept = {name: value or getattr(known, name, None) for name, value in brought.items()}
    return {
        **kept,
        "chatgpt_account_id": credentials.account_id,
        "identity_key": identity_key(credentials.account_id, kept["workspace_id"], kept["chatgpt_user_id"]),
        "access_expires_at": credentials.access_expires_at,
        "last_refresh_at": credentials.last_refresh_at,
    }


def _key(credentials: Credentials) -> str:
    return identity_key(credentials.account_id, credentials.workspace_id, credentials.user_id)


async def _seal(session: Session, keyring: Keyring, account_id: UUID, credentials: Credentials) -> None:
    """Store the tokens encrypted, each bound to its row and kind."""
    tokens = {"access": credentials.access_token, "refresh": credentials.refresh_token, "id": credentials.id_token}
    for kind, token in tokens.items():
        sealed = keyring.upstream.seal(token.encode(), f"account_secrets:{account_id}:{kind}")
        await session.execute(queries.SAVE_SECRET, account_id=account_id, kind=kind, sealed=sealed)
