"""Asks the sign-in server for logins and their successors, and says what its refusals mean for the account."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from codex_pooler.upstream.http_turn import ORIGINATOR
from codex_pooler.upstream.sign_in_answers import (
    DeviceGranted,
    DeviceStart,
    Waiting,
    WhoAmI,
    approval_of,
    device_start_of,
    is_the_servers_own,
    person_of,
    refused,
    seconds_of,
    showable_code,
    text_of,
)
from codex_pooler.upstream.sign_in_wire import NotAnswered, Question, Reply, ask

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"
DEVICE_START_PATH = "/api/accounts/deviceauth/usercode"
DEVICE_POLL_PATH = "/api/accounts/deviceauth/token"
DEVICE_PAGE = "/codex/device"
DEVICE_REDIRECT = "/deviceauth/callback"
WHOAMI_PATH = "/api/accounts/v1/user-auth-credential/whoami"
BROWSER_REDIRECT = "http://localhost:1455/auth/callback"
SCOPE = "openid profile email offline_access api.connectors.read api.connectors.invoke"
TIMEOUT_SECONDS = 30.0
POLL_TIMEOUT_SECONDS = 10.0
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
SPEAKS_OF_A_DEAD_TOKEN = re.compile(r"refresh.*token.*(revoked|expired|invalid)", re.IGNORECASE | re.DOTALL)


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


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True)
class SignIn:
    """The sign-in server at ``origin``.  Every question goes through ``proxy`` when there is one, and never without."""

    origin: str
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def device_page(self) -> str:
        """Where a person types the user code."""
        return self.origin + DEVICE_PAGE

    @property
    def device_redirect(self) -> str:
        """The redirect that belongs to codes of device sign-ins."""
        return self.origin + DEVICE_REDIRECT

    def authorize_url(self, challenge: str, state: str) -> str:
        """The page where a person signs in; it ends at BROWSER_REDIRECT with a code and ``state``."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": BROWSER_REDIRECT,
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "id_token_add_organizations": "true",
            "codex_cli_simplified_flow": "true",
            "state": state,
            "originator": ORIGINATOR,
        }
        return f"{self.origin}{AUTHORIZE_PATH}?{urlencode(asked)}"

    async def refresh(self, refresh_token: str, reason: str | None = None, proxy: str | None = None) -> Grant:
        """Spend a refresh token.  Raises RefreshRefused.

        The token is spent as soon as the server has read the request, even when its answer never comes back.
        """
        asked = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh_token}
        if reason:
            asked["refresh_reason"] = reason
        try:
            reply = await self._ask(Question("POST", TOKEN_PATH, json=asked), proxy)
        except NotAnswered as exc:
            raise RefreshRefused(exc.code, TRANSIENT) from None
        if reply.status != 200:
            code = showable_code(reply.error)
            raise RefreshRefused(code or f"sign_in_{reply.status}", _meaning(reply, code))
        grant = _granted(reply.document)
        if grant is None:
            raise RefreshRefused("sign_in_answer_unreadable", TRANSIENT)
        return grant

    async def exchange(self, code: str, verifier: str, redirect_uri: str, proxy: str | None = None) -> Grant:
        """Turn a code into tokens; it is spent once the server has read it.  Raises NotAnswered, SignInRefused."""
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        reply = await self._ask(Question("POST", TOKEN_PATH, form=form), proxy)
        if reply.status != 200:
            raise refused(reply)
        grant = _granted(reply.document)
        if grant is None:
            raise NotAnswered("sign_in_answer_unreadable")
        return grant

    async def device_start(self, proxy: str | None = None) -> DeviceStart:
        """Begin a device sign-in.  Raises NotAnswered, SignInRefused."""
        question = Question("POST", DEVICE_START_PATH, json={"client_id": CLIENT_ID})
        return device_start_of(await self._ask(question, proxy))

    async def device_poll(
        self, device_auth_id: str, user_code: str, proxy: str | None = None
    ) -> DeviceGranted | Waiting:
        """Ask whether somebody approved.  Raises NotAnswered when that stays open, SignInRefused when nobody will."""
        asked = {"device_auth_id": device_auth_id, "user_code": user_code}
        question = Question("POST", DEVICE_POLL_PATH, json=asked)
        limit = min(self.timeout_seconds, POLL_TIMEOUT_SECONDS)
        return approval_of(await ask(self.origin, question, proxy=proxy, timeout_seconds=limit))

    async def whoami(self, token: str, proxy: str | None = None) -> WhoAmI:
        """Whose personal access token this is.  Raises NotAnswered, SignInRefused when it is nobody's."""
        return person_of(await self._ask(Question("GET", WHOAMI_PATH, bearer=token), proxy))

    async def _ask(self, question: Question, proxy: str | None) -> Reply:
        return await ask(self.origin, question, proxy=proxy, timeout_seconds=self.timeout_seconds)


def _granted(told: Mapping[str, Any]) -> Grant | None:
    """What was spent is spent by now: whatever else is odd in the answer, its tokens must not be lost."""
    access = text_of(told.get("access_token"), longest=None)
    if access is None:
        return None
    refresh, identity = (text_of(told.get(name), longest=None) for name in ("refresh_token", "id_token"))
    return Grant(access, refresh, identity, seconds_of(told.get("expires_in")))


def _meaning(reply: Reply, code: str) -> str:
    if meaning := MEANINGS.get(code):
        return meaning
    if not is_the_servers_own(reply):
        return TRANSIENT
    return PERMANENT if SPEAKS_OF_A_DEAD_TOKEN.search(reply.error.message) else DOUBTFUL
