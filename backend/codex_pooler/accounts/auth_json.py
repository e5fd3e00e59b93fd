"""Reads a Codex ``auth.json``, or what the sign-in server gave, into credentials.  Pure: no clock, no storage.

The tokens' claims are read without checking signatures: they only name the account, the backend checks the token.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from codex_pooler.upstream.oauth import Grant

LIMIT_BYTES = 64 * 1024
LONGEST_CLAIM = 256
AUTH_CLAIMS = "https://api.openai.com/auth"
PROFILE_CLAIMS = "https://api.openai.com/profile"
WORKSPACE_IDS = ("workspace_id", "chatgpt_workspace_id", "organization_id", "org_id", "tenant_id")
WORKSPACE_LABELS = ("workspace_label", "workspace_name", "chatgpt_workspace_name", "organization_name", "org_name")
PERSONAL_TOKEN_FIELDS = ("personal_access_token", "access_token_pat", "pat")
SUPPORTED_MODES = ("chatgpt", "chatgptauthtokens")

MESSAGES = {
    "invalid_auth_json": "This is not the JSON object of an auth.json. Paste the whole file that Codex wrote.",
    "too_large": "The file is larger than 64 KiB, so it is not an auth.json. Paste only that file.",
    "unsupported_auth_json": (
        "This file holds an API key or a personal access token. Sign in to Codex with ChatGPT and import that file; "
        "an access token that begins with at- has its own way in."
    ),
    "missing_tokens": 'The file has no "tokens" object. Run "codex login" and import the new auth.json.',
    "missing_token": 'The access token or the ID token is missing. Run "codex login" and import the new auth.json.',
    "missing_refresh_token": 'The refresh token is missing. Run "codex login" and import the new auth.json.',
    "invalid_token": "A token in the file cannot be read. Copy the file again without changing it.",
    "expired_token": (
        "The access token has expired. Run codex once where the file comes from, so that it renews the login, and "
        'import the new file; or run "codex login", or link the account by signing in with the browser.'
    ),
    "missing_account_identifier": 'The file names no ChatGPT account. Run "codex login" and import the new auth.json.',
}


class AuthJsonError(Exception):
    """Why the file cannot be imported; ``message`` says what to do next and quotes nothing from the file."""

    def __init__(self, code: str, reason: str | None = None) -> None:
        super().__init__(code)
        self.code, self.message = code, MESSAGES[reason or code]


@dataclass(frozen=True)
class Credentials:
    """One ChatGPT login.  ``kind`` is oauth, or pat: an access token with nothing to renew it.  Secrets do not show."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    account_id: str
    user_id: str | None
    workspace_id: str | None
    workspace_label: str | None
    email: str | None
    plan_type: str | None
    residency: str | None
    access_expires_at: datetime | None
    last_refresh_at: datetime | None
    kind: str = "oauth"
    is_fedramp: bool = False


def parse_auth_json(given: Any, now: datetime) -> Credentials:
    """Parse a file given as its object or its text; ``now`` (aware) decides about expiry.  Raises AuthJsonError."""
    document = _document(given)
    _refuse_other_logins(document)
    tokens = document.get("tokens")
    if not isinstance(tokens, Mapping):
        raise AuthJsonError("missing_tokens")
    access, identity = _token(tokens, "access_token"), _token(tokens, "id_token")
    if access.startswith("at-") or identity.startswith("at-"):
        raise AuthJsonError("unsupported_auth_json")
    found = _facts(access, identity)
    expires_at = access_expiry(access)
    if expires_at is not None and expires_at <= now:
        raise AuthJsonError("expired_token")
    account_id = claim_text(tokens.get("account_id")) or found.get("account_id")
    if not account_id:
        raise AuthJsonError("missing_account_identifier")
    refresh = tokens.get("refresh_token")
    if not isinstance(refresh, str) or not refresh.strip():
        raise AuthJsonError("missing_refresh_token")
    found["account_id"] = account_id
    return _credentials(access, refresh.strip(), identity, found, expires_at, _moment(document.get("last_refresh")))


def credentials_of_grant(grant: Grant, now: datetime) -> Credentials:
    """What a fresh sign-in brought.  Raises AuthJsonError."""
    found = _facts(grant.access_token, grant.id_token)
    if "account_id" not in found:
        raise AuthJsonError("missing_account_identifier")
    if not grant.refresh_token:
        raise AuthJsonError("missing_refresh_token")
    expires_at = access_expiry(grant.access_token)
    if expires_at is None and grant.expires_in_seconds is not None:
        expires_at = now + timedelta(seconds=grant.expires_in_seconds)
    return _credentials(grant.access_token, grant.refresh_token, grant.id_token or "", found, expires_at, now)


def _credentials(
    access: str,
    refresh: str,
    identity: str,
    found: Mapping[str, str],
    expires_at: datetime | None,
    renewed_at: datetime | None,
) -> Credentials:
    return Credentials(
        access_token=access,
        refresh_token=refresh,
        id_token=identity,
        account_id=found["account_id"],
        user_id=found.get("user_id"),
        workspace_id=found.get("workspace_id"),
        workspace_label=found.get("workspace_label"),
        email=found.get("email"),
        plan_type=found.get("plan_type"),
        residency=found.get("residency"),
        access_expires_at=expires_at,
        last_refresh_at=renewed_at,
    )


def jwt_claims(token: str) -> Mapping[str, Any]:
    """The unverified payload of a JWT.  Raises AuthJsonError ``invalid_token``."""
    parts = token.split(".")
    if len(parts) != 3:
        raise AuthJsonError("invalid_token")
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = orjson.loads(raw)
    except (ValueError, binascii.Error):
        raise AuthJsonError("invalid_token") from None
    if not isinstance(claims, dict):
        raise AuthJsonError("invalid_token")
    return claims


def claims_of(token: str) -> dict[str, str]:
    """The facts a JWT names, under our names; absent ones are absent.  Raises AuthJsonError ``invalid_token``."""
    return _claims(jwt_claims(token))


def access_expiry(token: str) -> datetime | None:
    """When a JWT says that it expires.  Raises AuthJsonError ``invalid_token``."""
    return _expiry(jwt_claims(token))


def _facts(access: str, identity: str | None) -> dict[str, str]:
    """What both tokens name; the ID token knows better."""
    return {**claims_of(access), **(claims_of(identity) if identity else {})}


def _document(given: Any) -> Mapping[str, Any]:
    """The object, whichever way it was given.  Deep nesting is refused by the parser's own limit."""
    try:
        raw = given.encode() if isinstance(given, str) else orjson.dumps(given)
        if len(raw) > LIMIT_BYTES:
            raise AuthJsonError("invalid_auth_json", "too_large")
        document = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, TypeError):
        raise AuthJsonError("invalid_auth_json") from None
    if not isinstance(document, dict):
        raise AuthJsonError("invalid_auth_json")
    return document


def _refuse_other_logins(document: Mapping[str, Any]) -> None:
    """API keys and personal access tokens are other kinds of login; a file without ``auth_mode`` is only older."""
    mode = document.get("auth_mode")
    other_mode = isinstance(mode, str) and mode.replace("_", "").lower() not in SUPPORTED_MODES
    if other_mode or document.get("OPENAI_API_KEY") or any(document.get(name) for name in PERSONAL_TOKEN_FIELDS):
        raise AuthJsonError("unsupported_auth_json")


def _token(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    # old Codex versions wrote the ID token as an object with its raw text inside
    if isinstance(value, Mapping):
        value = value.get("raw_jwt")
    if not isinstance(value, str) or not value.strip():
        raise AuthJsonError("missing_token")
    return value.strip()


def _claims(payload: Mapping[str, Any]) -> dict[str, str]:
    """The facts we keep, under our names; absent ones are absent."""
    nested, profile = _object(payload, AUTH_CLAIMS), _object(payload, PROFILE_CLAIMS)
    found = {
        "account_id": _first(nested, "chatgpt_account_id"),
        "user_id": _first(nested, "chatgpt_user_id", "user_id"),
        "plan_type": _first(nested, "chatgpt_plan_type"),
        "workspace_id": _first(nested, *WORKSPACE_IDS),
        "workspace_label": _first(nested, *WORKSPACE_LABELS),
        "residency": _first(nested, "chatgpt_compute_residency"),
        "email": _first(payload, "email") or _first(profile, "email"),
    }
    return {name: value for name, value in found.items() if value}


def _object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}


def _first(claims: Mapping[str, Any], *names: str) -> str | None:
    return next((value for value in (claim_text(claims.get(name)) for name in names) if value), None)


def claim_text(value: Any) -> str | None:
    """A claim fit to be stored; ``|`` would blur the parts of an identity."""
    if not isinstance(value, str):
        return None
    cleaned = value.strip()
    usable = 0 < len(cleaned) <= LONGEST_CLAIM and cleaned.isprintable() and "|" not in cleaned
    return cleaned if usable else None


def _expiry(claims: Mapping[str, Any]) -> datetime | None:
    value = claims.get("exp")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise AuthJsonError("invalid_token") from None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
