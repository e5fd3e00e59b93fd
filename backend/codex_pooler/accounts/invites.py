"""Invites: who may add an account to a pool by a link, until when, and what ends that.

A link's token is made from the invite's id with a key of the installation.  So the database holds only its digest,
and yet whoever mails the link later, in any process, finds it again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from codex_pooler.accounts.auth_json import Credentials
from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.identity import masked_email
from codex_pooler.storage import queries_invites as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring

MISMATCH = "invite_email_mismatch"
ENDED = {
    "accepted": ("invite_consumed", "This invite has been accepted already. Look at the account, or invite again."),
    "revoked": ("invite_revoked", "This invite was withdrawn. Invite again."),
    "expired": ("invite_expired", "This invite has expired. Send a new link."),
}


class InviteRefused(Exception):
    """What was asked of an invite is not possible.  ``status`` is HTTP's, ``message`` says what to do next."""

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Invitation:
    """What an operator asks for.  ``account_id``: the account that needs a new login; None for whichever comes."""

    pool_id: UUID
    email: str
    valid_for: timedelta
    account_id: UUID | None = None
    note: str | None = None
    issue_api_key: bool = False
    by_mail: bool = False
    invited_by: UUID | None = None
    invited_by_name: str | None = None


def token_of(keyring: Keyring, invite_id: UUID) -> str:
    """The 32 bytes that the invite's link ends with, as base64url."""
    return base64.urlsafe_b64encode(keyring.digest("invite_link", str(invite_id))).rstrip(b"=").decode()


def link_of(keyring: Keyring, origin: str, invite_id: UUID) -> str:
    """Where the invited person goes; whoever has it can accept the invite."""
    return f"{origin}/onboarding/invites/{token_of(keyring, invite_id)}"


async def create(session: Session, keyring: Keyring, asked: Invitation, now: datetime) -> UUID:
    """Write a new invite.  Raises InviteRefused ``invite_exists`` when the address has one for the pool."""
    await session.execute(queries.EXPIRE, pool_id=asked.pool_id, email=asked.email)
    identity = uuid7()
    made = await session.one(
        queries.INSERT,
        id=identity,
        pool_id=asked.pool_id,
        account_id=asked.account_id,
        email=asked.email,
        digest=keyring.digest("invite", token_of(keyring, identity)),
        invited_by=asked.invited_by,
        invited_by_name=asked.invited_by_name,
        note=asked.note,
        issue_api_key=asked.issue_api_key,
        email_state="queued" if asked.by_mail else "not_sent",
        created_at=now,
        expires_at=now + asked.valid_for,
    )
    if made is None:
        raise InviteRefused(
            "invite_exists", "This address has an open invite to this pool. Send it again, or revoke it first."
        )
    return identity


async def find(session: Session, keyring: Keyring, token: str) -> Any:
    """The invite of a link, or None; also None when its pool takes nobody in at the moment."""
    row = await session.one(queries.BY_DIGEST, digest=keyring.digest("invite", token))
    return row if row is not None and row.pool_status == "active" else None


async def withdraw(session: Session, invite_id: UUID) -> Any:
    """Revoke an invite that is open; its row, locked, as it was before.

    A sign-in that is under way is cancelled and stores nothing: its row is always locked before the invite's.  Raises
    InviteRefused when the invite was accepted.
    """
    await session.execute(queries.CANCEL_FLOWS, invite_id=invite_id)
    row = await session.one(queries.LOCK, invite_id=invite_id)
    if row.status == "accepted":
        raise InviteRefused(*ENDED["accepted"], 410)
    await session.execute(queries.REVOKE, invite_id=invite_id)
    return row


def meant_for(row: Any, credentials: Credentials) -> None:
    """Raises FlowRefused when somebody else has signed in than the one who was invited.

    Where a certain account needs a new login, it is that account's identity that counts.
    """
    if row.account_id is None and (credentials.email or "").strip().casefold() != row.email.casefold():
        raise FlowRefused(MISMATCH, mismatch_text(row))


def mismatch_text(row: Any) -> str:
    """Tells whoever signed in with another address what to do."""
    return f"This invite is for {masked_email(row.email)}. Nothing was stored. Sign in with that address."


async def accept(session: Session, invite_id: UUID, account_id: UUID, now: datetime) -> Any:
    """Close the invite with the account that was just stored, in the same transaction; its row.

    Raises FlowRefused when the invite has ended meanwhile, and then nothing is stored.
    """
    row = await session.one(queries.LOCK, invite_id=invite_id)
    if row is None or row.pool_status != "active":
        raise FlowRefused("invite_invalid", "This invite is no longer good. Ask for a new one.", 410)
    if row.status != "active":
        raise FlowRefused(*ENDED[row.status], 410)
    await session.execute(queries.ACCEPT, invite_id=invite_id, account_id=account_id, now=now)
    return row
