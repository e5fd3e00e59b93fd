"""What a login is while it is renewed, and whether it may be renewed at all.  Pure: no clock, no storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from codex_pooler.accounts.auth_json import AuthJsonError, access_expiry, claims_of
from codex_pooler.accounts.renewal_plan import LoginAge, is_due, must_wait
from codex_pooler.upstream.oauth import Grant

RUNNING = "renewal_running"
LEFT_ALONE = "account_disabled"  # perhaps another installation goes on with the login: only one of them may
ACCESS_TOKEN = "pat"  # the kind of login that nothing renews: refused once, it is refused for good
TOKEN_KINDS = {"access": "access_token", "refresh": "refresh_token", "id": "id_token"}


@dataclass(frozen=True)
class Renewal:
    """How asking for a newer access token ended.

    ``renewed``: ``token`` has just been issued; ``already_newer``: it had been before; ``rejected``: only a new login
    helps; ``failed``: it may work later.  ``code`` says why there is no token.
    """

    outcome: str
    token: str | None = field(default=None, repr=False)
    code: str | None = None


@dataclass(frozen=True)
class Wish:
    """Why a renewal is asked for: the backend refused a token, an operator wants it, or (neither) it may be due."""

    refused_token: str | None = field(default=None, repr=False)
    forced: bool = False


@dataclass(frozen=True)
class Login:
    """A login as stored.  A token is empty when there is none or it cannot be opened."""

    label: str
    state: str
    age: LoginAge
    error: str | None
    leased: bool
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    kind: str = "oauth"
    proxy: str | None = field(default=None, repr=False)

    @property
    def id(self) -> UUID:
        return self.age.account_id


@dataclass(frozen=True)
class Renewed:
    """The successor of the login that had ``epoch``.  Without an ID token the old one stays."""

    account_id: UUID
    epoch: int
    renewed_at: datetime
    access_expires_at: datetime | None
    plan_type: str | None
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str | None = field(repr=False)

    def packed(self) -> bytes:
        """As plain JSON, to be sealed at once."""
        return orjson.dumps(vars(self))

    @classmethod
    def unpacked(cls, raw: bytes) -> Renewed:
        """Inverse of ``packed``.  Raises ValueError, KeyError, TypeError for anything else."""
        found = orjson.loads(raw)
        expires_at = found["access_expires_at"]
        return cls(
            **found
            | {
                "account_id": UUID(found["account_id"]),
                "renewed_at": datetime.fromisoformat(found["renewed_at"]),
                "access_expires_at": expires_at and datetime.fromisoformat(expires_at),
            }
        )


def objection(login: Login | None, wish: Wish, now: datetime) -> Renewal | None:
    """Why the login is not renewed; None when it is to be."""
    if login is None:
        return Renewal("rejected", code="account_deleted")
    if wish.refused_token and login.access_token not in ("", wish.refused_token):
        return Renewal("already_newer", login.access_token)
    if login.state == "disabled":
        return Renewal("failed", code=LEFT_ALONE)
    if login.age.refused or login.state == "reauth_required":
        return Renewal("rejected", code=login.error or "login_refused")
    if login.kind == ACCESS_TOKEN:
        return None if wish.refused_token else Renewal("already_newer", login.access_token)
    if not login.refresh_token:
        return Renewal("failed", code="no_refresh_token")
    if login.leased:
        return Renewal("failed", code=RUNNING)
    return None if wish.forced else _untimely(login, wish, now)


def _untimely(login: Login, wish: Wish, now: datetime) -> Renewal | None:
    if must_wait(login.age, now):
        return Renewal("failed", code=login.error)
    if wish.refused_token is None and not is_due(login.age, now):
        return Renewal("already_newer", login.access_token)
    return None


def renewed(account_id: UUID, epoch: int, refresh_token: str, grant: Grant, now: datetime) -> Renewed:
    """What to store after the sign-in server's answer to a login that had ``epoch``."""
    claims = {**_claims(grant.access_token), **_claims(grant.id_token)}
    return Renewed(
        account_id=account_id,
        epoch=epoch,
        renewed_at=now,
        access_expires_at=_expiry(grant, now),
        plan_type=claims.get("plan_type"),
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or refresh_token,
        id_token=grant.id_token,
    )


def _expiry(grant: Grant, now: datetime) -> datetime | None:
    """The access token's own word, else the server's."""
    try:
        found = access_expiry(grant.access_token)
    except AuthJsonError:
        found = None
    if found is None and grant.expires_in_seconds is not None:
        return now + timedelta(seconds=grant.expires_in_seconds)
    return found


def _claims(token: str | None) -> dict[str, str]:
    try:
        return claims_of(token) if token else {}
    except AuthJsonError:
        return {}
