"""The proxy that an account's sign-ins leave through: checked when given, opened when stored, never left out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.vault import SecretBox, SecretError
from codex_pooler.upstream.egress import ProxyRefused, parse_proxy

NOWHERE = "unreadable:"  # no address at all: what is sent through it fails, and nothing goes past it


def checked_proxy(proxy: str | None) -> str | None:
    """The address of a proxy, if it can be one; None for none.  Raises FlowRefused."""
    if not proxy:
        return None
    try:
        parse_proxy(proxy)
    except ProxyRefused as exc:
        raise FlowRefused("invalid_egress_proxy", str(exc)) from None
    return proxy


async def stored_proxy(session: Session, box: SecretBox, account_id: UUID) -> str | None:
    """The proxy of an account, NOWHERE when it has one that the present keys do not open."""
    row = await session.one(queries.EGRESS, account_id=account_id)
    return opened_proxy(box, account_id, row.sealed if row else None)


def opened_proxy(box: SecretBox, account_id: UUID, sealed: Any) -> str | None:
    """The same for what has been read already; None when there is none."""
    if sealed is None:
        return None
    try:
        return box.open(bytes(sealed), f"account_secrets:{account_id}:egress").decode()
    except (SecretError, UnicodeDecodeError):
        return NOWHERE
