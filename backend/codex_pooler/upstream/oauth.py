"""Asks the sign-in server for the successor of a login, and says what its refusals mean for the account."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

import aiohttp
import orjson

from codex_pooler.protocol.errors import UpstreamError, read_error
from codex_pooler.upstream.http_turn import ORIGINATOR, USER_AGENT

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
TOKEN_PATH = "/oauth/token"
TIMEOUT_SECONDS = 30.0
BODY_LIMIT_BYTES = 256 * 1024
LONGEST_LIFETIME_SECONDS = 10 * 365 * 86400
RECOVERY = "unauthorized_recovery"  # the reason Codex gives when the backend refused its access token

PERMANENT, DOUBTFUL, TRANSIENT = "permanent", "doubtful", "transient"

# Codes of the sign-in server -> what they mean.  A 4xx with any other code is doubtful: for good when it comes twice.
MEANINGS = {
    "invalid_grant": PERMANENT,
    "revoked": PERMANENT,
    "token_expired": PERMANENT,
    "token_revoked": PERMANENT,
    "token_invalidated": PERMANENT,
    "invalid_refresh_token": PERMANENT,
    "refresh_token_expired": PERMANENT,
    "refresh_token_reused": PERMANENT,
    "refresh_token_invalidated": PERMANENT,
    "refresh_token_revoked": PERMANENT,
    "app_session_terminated": PERMANENT,
    "account_session_expired": PERMANENT,
    "account_auth_invalidated": PERMANENT,
    "account_deactivated": PERMANENT,
    "account_suspended": PERMANENT,
    "account_deleted": PERMANENT,
    # these speak of this product or of the moment, never of the account
    "invalid_client": TRANSIENT,
    "unauthorized_client": TRANSIENT,
    "unsupported_grant_type": TRANSIENT,
    "rate_limit_exceeded": TRANSIENT,
    "slow_down": TRANSIENT,
    "temporarily_unavailable": TRANSIENT,
    "server_error": TRANSIENT,
}
PASSING_STATUSES = frozenset({408, 425, 429})
SPEAKS_OF_A_DEAD_TOKEN = re.compile(r"refresh.*token.*(revoked|expired|invalid)", re.IGNORECASE | re.DOTALL)
SHOWABLE_CODE = re.compile(r"[a-z][a-z0-9_]{2,59}")


class RefreshRefused(Exception):
    """No new login.  ``meaning`` is PERMANENT, DOUBTFUL or TRANSIENT; ``code`` is safe to store and to show."""

    def __init__(self, code: str, meaning: str) -> None:
        super().__init__(code)
        self.code, self.meaning = code, meaning


@dataclass(frozen=True)
class Grant:
    """What the sign-in server gives.  Without a refresh or ID token the old one stays.  Secrets do not show."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    expires_in_seconds: float | None


@dataclass(frozen=True)
class SignIn:
    """The sign-in server at ``origin``."""

    origin: str
    timeout_seconds: float = TIMEOUT_SECONDS

    async def refresh(self, refresh_token: str, reason: str | None = None) -> Grant:
        """Spend a refresh token.  Raises RefreshRefused.

        The token is spent as soon as the server has read the request, even when its answer never comes back.
        """
        asked = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh_token}
        if reason:
            asked["refresh_reason"] = reason
        try:
            async with asyncio.timeout(self.timeout_seconds):
                status, body = await self._post(asked)
        except TimeoutError:
            raise RefreshRefused("sign_in_timeout", TRANSIENT) from None
        except aiohttp.ClientConnectorError:
            raise RefreshRefused("sign_in_unreachable", TRANSIENT) from None
        except (aiohttp.ClientError, OSError):  # sent, and then nothing readable came: the token may be spent
            raise RefreshRefused("sign_in_answer_lost", TRANSIENT) from None
        return _granted(body) if status == 200 else _refuse(status, body)

    async def _post(self, asked: dict[str, str]) -> tuple[int, bytes]:
        headers = {"user-agent": USER_AGENT, "originator": ORIGINATOR, "accept": "application/json"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(self.origin + TOKEN_PATH, json=asked, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for piece in answer.content.iter_chunked(16 * 1024):
                body += piece
                if len(body) > BODY_LIMIT_BYTES:
                    raise RefreshRefused("sign_in_answer_too_large", TRANSIENT)
            return answer.status, bytes(body)


def _granted(body: bytes) -> Grant:
    """The old token is spent by now: whatever else is odd in the answer, its tokens must not be lost."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    found = answer if isinstance(answer, dict) else {}
    access = _text(found.get("access_token"))
    if access is None:
        raise RefreshRefused("sign_in_answer_unreadable", TRANSIENT)
    lifetime = found.get("expires_in")
    known = isinstance(lifetime, int | float) and 0 < lifetime < LONGEST_LIFETIME_SECONDS
    return Grant(access, _text(found.get("refresh_token")), _text(found.get("id_token")), lifetime if known else None)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _refuse(status: int, body: bytes) -> Grant:
    error = read_error(body)
    code = _code(error)
    raise RefreshRefused(code or f"sign_in_{status}", _meaning(status, code, error))


def _code(error: UpstreamError) -> str:
    """The server's own word for it; OAuth's older form puts it where others have the message."""
    return next((word for word in (error.code, error.message) if SHOWABLE_CODE.fullmatch(word)), "")


def _meaning(status: int, code: str, error: UpstreamError) -> str:
    if meaning := MEANINGS.get(code):
        return meaning
    # What is not JSON was written by something in between: a proxy's page says nothing about the account.
    if not 400 <= status < 500 or status in PASSING_STATUSES or not error.is_json:
        return TRANSIENT
    return PERMANENT if SPEAKS_OF_A_DEAD_TOKEN.search(error.message) else DOUBTFUL
