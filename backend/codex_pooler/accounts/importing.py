"""Turns credentials into an account in a pool: a new one, or a new login for the account they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from codex_pooler.accounts.auth_json import Credentials
from codex_pooler.accounts.identity import Identity, is_same, masked_email
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring

MayChange = Callable[[Iterable[UUID]], bool]

# Claims are not verified, so without this a forged file could break an account of somebody else's pools.
SHARED = "This account already serves pools you do not manage. Ask an owner to import the new login."
AMBIGUOUS = (
    "More than one account here could be the one of this login. Relink the right one from its own menu, or delete "
    "the one that is not needed."
)


class IdentityConflict(Exception):
    """The login cannot be given to one account for sure, or that account is not the caller's to change."""

    def __init__(self, message: str = SHARED) -> None:
        super().__init__(message)


class IdentityMismatch(Exception):
    """The login belongs to another account than the one it was meant for; the message tells which is expected."""

    def __init__(self, expected: Identity, brought: Identity) -> None:
        super().__init__(
            f"This login is {_told(brought)}, but the account is {_told(expected)}. Sign in to ChatGPT as that person "
            "and in that workspace, then start again; or add it as an account of its own."
        )


class AccountGone(Exception):
    """The account that was to get the login has been deleted."""


@dataclass(frozen=True)
class Imported:
    """The account that has the credentials now."""

    account_id: UUID
    created: bool


@dataclass(frozen=True)
class Landing:
    """Where a login is to go: into a pool, or (``target``) into the place of an existing account's login.

    ``proxy`` is the address that the account's requests must leave through from now on; None changes nothing.
    ``may_change`` tells whether the caller manages all pools of an existing account.
    """

    may_change: MayChange
    pool_id: UUID | None = None
    target: UUID | None = None
    label: str | None = None
    onboarding: str = "import"
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Landing(pool_id={self.pool_id}, target={self.target})"


async def import_credentials(
    session: Session,
    keyring: Keyring,
    credentials: Credentials,
    *,
    pool_id: UUID,
    label: str | None,
    may_change: MayChange,
) -> Imported:
    """Create or update by identity, inside the caller's transaction.  An existing label and membership are kept.

    Raises IdentityConflict.
    """
    return await land(session, keyring, credentials, Landing(may_change, pool_id, label=label))


async def land(session: Session, keyring: Keyring, credentials: Credentials, landing: Landing) -> Imported:
    """Give the login to its account, inside the caller's transaction, and put that into the pool.

    Label, pools, priorities, history and a pause stay.  Raises IdentityConflict, IdentityMismatch, AccountGone.
    """
    await lock_identity(session, credentials)
    rows = await session.fetch(queries.SAME_ACCOUNT, chatgpt_account_id=credentials.account_id)
    if landing.target is None:
        known = _match(rows, identity_of(credentials))
    else:
        known = await _target(session, landing.target, credentials)
    account_id = known.id if known else uuid7()
    if known is None:
        name = landing.label or _default_label(credentials)
        login = _login(credentials, None)
        await session.execute(queries.INSERT, id=account_id, label=name, onboarding=landing.onboarding, **login)
    else:
        await _replace(session, known, rows, credentials, landing)
    await _seal(session, keyring, account_id, _secrets(credentials, landing))
    if landing.pool_id is not None:
        await session.execute(queries.JOIN_POOL, pool_id=landing.pool_id, account_id=account_id)
    return Imported(account_id, known is None)


async def lock_identity(session: Session, credentials: Credentials) -> None:
    """Let no other login of the same account in until the transaction ends; always before its rows are locked."""
    await session.fetch(queries.IDENTITY_LOCK, account=credentials.account_id)


def identity_of(source: Any) -> Identity:
    """Of credentials, or of a row of ``accounts``."""
    stored = hasattr(source, "chatgpt_account_id")
    return Identity(
        account_id=source.chatgpt_account_id if stored else source.account_id,
        workspace_id=source.workspace_id,
        user_id=source.chatgpt_user_id if stored else source.user_id,
        email=source.email,
        plan_type=source.plan_type,
    )


def _match(rows: Sequence[Any], brought: Identity) -> Any:
    """The account whose login this is, None for a new one.  Raises IdentityConflict when that cannot be told."""
    likely = [row for row in rows if is_same(identity_of(row), brought)]
    exact = [row for row in rows if row.identity_key == brought.key]
    if exact and exact[0] not in likely:
        raise IdentityConflict(AMBIGUOUS)
    found = exact or likely
    if len(found) > 1:
        raise IdentityConflict(AMBIGUOUS)
    return found[0] if found else None


async def _target(session: Session, account_id: UUID, credentials: Credentials) -> Any:
    row = await session.one(queries.LOCK, account_id=account_id)
    if row is None:
        raise AccountGone
    expected, brought = identity_of(row), identity_of(credentials)
    if not is_same(expected, brought):
        raise IdentityMismatch(expected, brought)
    return row


async def _replace(
    session: Session, known: Any, rows: Sequence[Any], credentials: Credentials, landing: Landing
) -> None:
    pools = [row.pool_id for row in await session.fetch(queries.MEMBERSHIPS, account_ids=[known.id])]
    if not landing.may_change(pools):
        raise IdentityConflict
    login = _login(credentials, known)
    if any(row.identity_key == login["identity_key"] and row.id != known.id for row in rows):
        raise IdentityConflict(AMBIGUOUS)
    await session.execute(queries.REPLACE_LOGIN, account_id=known.id, **login)
    await session.execute(queries.DROP_TOKENS, account_id=known.id)


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
    identity = replace(identity_of(credentials), workspace_id=kept["workspace_id"], user_id=kept["chatgpt_user_id"])
    says_fedramp = credentials.kind == "pat"
    return {
        **kept,
        "chatgpt_account_id": credentials.account_id,
        "identity_key": identity.key,
        "credential_kind": credentials.kind,
        "is_fedramp": credentials.is_fedramp if says_fedramp else getattr(known, "is_fedramp", False),
        "access_expires_at": credentials.access_expires_at,
        "last_refresh_at": credentials.last_refresh_at,
    }


def _secrets(credentials: Credentials, landing: Landing) -> dict[str, str]:
    found = {
        "access": credentials.access_token,
        "refresh": credentials.refresh_token,
        "id": credentials.id_token,
        "egress": landing.proxy or "",
    }
    return {kind: secret for kind, secret in found.items() if secret}


async def _seal(session: Session, keyring: Keyring, account_id: UUID, secrets: dict[str, str]) -> None:
    """Store the secrets encrypted, each bound to its row and kind."""
    for kind, secret in secrets.items():
        sealed = keyring.upstream.seal(secret.encode(), f"account_secrets:{account_id}:{kind}")
        await session.execute(queries.SAVE_SECRET, account_id=account_id, kind=kind, sealed=sealed)


def _told(identity: Identity) -> str:
    """Enough to recognise somebody by, and no more."""
    person = masked_email(identity.email) or "a user without an e-mail address"
    return f"{person} (account …{identity.account_id[-4:]})"
