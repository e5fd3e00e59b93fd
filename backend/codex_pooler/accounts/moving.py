"""Accounts on their way to another installation: out with everything that belongs to them, in by who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts.auth_json import Credentials
from codex_pooler.accounts.identity import masked_email
from codex_pooler.accounts.importing import IdentityConflict, Landing, land
from codex_pooler.storage import queries_bundles as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.vault import SecretError
from codex_pooler.upstream.egress import ProxyRefused, parse_proxy

TEXTS = (
    *("label", "email", "chatgpt_account_id", "chatgpt_user_id", "workspace_id", "workspace_label", "plan_type"),
    *("residency", "identity_key", "credential_kind", "notes"),
)
MOMENTS = ("access_expires_at", "last_refresh_at")
TOKENS = ("access", "refresh", "id")
MOST_TEXT = 4000
MOST_SECRET = 64 * 1024


class NotMovable(Exception):
    """An account cannot be exported now; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Moved:
    """What became of one account of a bundle: created, updated, kept (here is a newer login) or failed."""

    label: str
    result: str
    account_id: UUID | None = None
    code: str | None = None
    detail: str | None = None


async def packed_accounts(
    session: Session, keyring: Keyring, account_ids: Sequence[UUID] | None, *, disable: bool
) -> list[tuple[UUID, str, dict[str, Any]]]:
    """(id, label, content) of the accounts, None for all of them, inside the caller's transaction.

    With ``disable`` they are out of service here from then on and their logins are not renewed any more, so that the
    other installation is the only one that does.  Raises NotMovable.
    """
    chosen = {"all_of_them": account_ids is None, "account_ids": list(account_ids or ())}
    rows = await session.fetch(queries.CHOSEN, **chosen)
    for row in rows:
        if row.leased:
            raise NotMovable(f"The login of {row.label} is being renewed right now. Try again in a moment.")
    ids = [row.id for row in rows]
    secrets: dict[UUID, dict[str, str]] = {identity: {} for identity in ids}
    for secret in await session.fetch(queries.SECRETS, account_ids=ids):
        secrets[secret.account_id][secret.kind] = _opened(keyring, secret)
    if disable:
        await session.execute(queries.LEAVE_TO_ANOTHER, account_ids=ids)
    return [(row.id, row.label, _content(row, secrets[row.id])) for row in rows]


def _opened(keyring: Keyring, secret: Any) -> str:
    try:
        place = f"account_secrets:{secret.account_id}:{secret.kind}"
        return keyring.upstream.open(bytes(secret.sealed), place).decode()
    except SecretError as exc:
        raise NotMovable(
            f"The {secret.kind} secret of account {secret.account_id} cannot be opened ({exc}). Link it again."
        ) from None


def _content(row: Any, secrets: Mapping[str, str]) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in TEXTS},
        **{name: moment.isoformat() if (moment := getattr(row, name)) else None for name in MOMENTS},
        "is_fedramp": row.is_fedramp,
        "tags": list(row.tags),
        "max_concurrency": row.max_concurrency,
        "reset_policy": row.reset_policy,
        "tokens": {kind: secrets[kind] for kind in TOKENS if kind in secrets},
        "egress_proxy": secrets.get("egress"),
    }


async def unpack_account(session: Session, keyring: Keyring, content: Mapping[str, Any], pool_id: UUID | None) -> Moved:
    """Take one account of a bundle in, inside the caller's transaction.  What is not usable fails by itself."""
    label = str(content.get("label") or masked_email(content.get("email")) or "without a name")[:100]
    try:
        credentials, proxy = _credentials(content), _proxy(content)
    except (AttributeError, KeyError, TypeError, ValueError):
        return Moved(label, "failed", None, "invalid_account", "Something is missing, or is not what it should be.")
    known = await session.one(queries.BY_IDENTITY, identity_key=str(content.get("identity_key")))
    if known and not _is_newer(credentials, known):
        return Moved(known.label, "kept", known.id, None, "Its login here is as new or newer, so it stays.")
    landing = Landing(lambda _: True, pool_id, label=label, onboarding="bundle", proxy=proxy)
    try:
        async with session.savepoint():
            done = await land(session, keyring, credentials, landing)
            if done.created:
                await session.execute(queries.DESCRIBE, account_id=done.account_id, **_described(content))
    except IdentityConflict as exc:
        return Moved(label, "failed", None, "identity_conflict", str(exc))
    return Moved(label, "created" if done.created else "updated", done.account_id)


def _is_newer(brought: Credentials, known: Any) -> bool:
    """Whether what a bundle brings may replace a login: an older refresh token has been spent by its successor."""
    if known.refresh_refused or known.state in ("reauth_required", "pending"):
        return True
    here, there = known.last_refresh_at or known.created_at, brought.last_refresh_at
    return there is not None and there > here


def _credentials(content: Mapping[str, Any]) -> Credentials:
    """Raises KeyError, TypeError, ValueError."""
    tokens = {kind: _secret(content["tokens"].get(kind, "")) for kind in TOKENS}
    kind = content["credential_kind"]
    if kind not in ("oauth", "pat") or not tokens["access"] or (kind == "oauth" and not tokens["refresh"]):
        raise ValueError
    texts = {name: _short(content.get(name)) for name in TEXTS}
    if not texts["chatgpt_account_id"]:
        raise ValueError
    return Credentials(
        access_token=tokens["access"],
        refresh_token=tokens["refresh"],
        id_token=tokens["id"],
        account_id=texts["chatgpt_account_id"],
        user_id=texts["chatgpt_user_id"],
        workspace_id=texts["workspace_id"],
        workspace_label=texts["workspace_label"],
        email=texts["email"],
        plan_type=texts["plan_type"],
        residency=texts["residency"],
        access_expires_at=_moment(content.get("access_expires_at")),
        last_refresh_at=_moment(content.get("last_refresh_at")),
        kind=kind,
        is_fedramp=content.get("is_fedramp") is True,
    )


def _proxy(content: Mapping[str, Any]) -> str | None:
    proxy = content.get("egress_proxy")
    if proxy is None:
        return None
    try:
        parse_proxy(_secret(proxy))
    except ProxyRefused:
        raise ValueError from None
    return str(proxy)


def _described(content: Mapping[str, Any]) -> dict[str, Any]:
    tags, policy, most = content.get("tags"), content.get("reset_policy"), content.get("max_concurrency")
    return {
        "notes": _short(content.get("notes")),
        "tags": [str(tag)[:40] for tag in tags[:20]] if isinstance(tags, list) else [],
        "reset_policy": policy if isinstance(policy, dict) else {},
        "max_concurrency": most if type(most) is int and 0 < most < 100_000 else None,
    }


def _moment(text: Any) -> datetime | None:
    moment = datetime.fromisoformat(text) if text is not None else None
    if moment is not None and moment.tzinfo is None:
        raise ValueError
    return moment


def _short(text: Any) -> str | None:
    if text is not None and (not isinstance(text, str) or len(text) > MOST_TEXT or "\0" in text):
        raise ValueError
    return text


def _secret(text: Any) -> str:
    if not isinstance(text, str) or len(text) > MOST_SECRET or "\0" in text:
        raise ValueError
    return text
