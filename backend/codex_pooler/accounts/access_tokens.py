"""Personal access tokens of Business and Enterprise workspaces: whose one is, and why one cannot be used."""

from __future__ import annotations

import re
from datetime import datetime

from codex_pooler.accounts.auth_json import Credentials, claim_text
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.upstream.sign_in_answers import SignInRefused, WhoAmI
from codex_pooler.upstream.sign_in_wire import NotAnswered

FORM = re.compile(r"at-[A-Za-z0-9._~+/=-]{8,4096}")

# code -> (HTTP status, what to do)
MESSAGES = {
    "invalid_access_token": (
        422,
        "This is not a personal access token: those begin with at-. Copy the whole token from the settings of the "
        "workspace; for a ChatGPT login import the auth.json instead.",
    ),
    "access_token_expired": (422, "The expiry lies in the past. Create a new access token, or leave the expiry out."),
    "access_token_refused": (
        422,
        "ChatGPT does not accept this access token. Look in the workspace's settings whether it was revoked or has "
        "expired, and create a new one.",
    ),
    "sign_in_unavailable": (
        502,
        "ChatGPT could not be asked whose access token this is, so nothing was stored. Try again in a moment.",
    ),
    "egress_proxy_failed": (
        502,
        "The egress proxy let nothing through, so nothing was sent and nothing was stored. Check its address.",
    ),
}


class AccessTokenError(Exception):
    """Why the token cannot be used; ``message`` says what to do next and quotes nothing of it."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.status, message = MESSAGES[code]
        self.message = f"{message} ({reason})" if reason else message


async def credentials_of_access_token(
    sign_in: SignIn, token: str, *, expires_at: datetime | None, now: datetime, proxy: str | None
) -> Credentials:
    """Ask whose token this is, through ``proxy`` when there is one.  Raises AccessTokenError."""
    token = token.strip()
    if not FORM.fullmatch(token):
        raise AccessTokenError("invalid_access_token")
    if expires_at is not None and expires_at <= now:
        raise AccessTokenError("access_token_expired")
    try:
        person = await sign_in.whoami(token, proxy)
    except SignInRefused:
        raise AccessTokenError("access_token_refused") from None
    except NotAnswered as exc:
        if exc.code == "egress_proxy_failed":
            raise AccessTokenError("egress_proxy_failed") from None
        raise AccessTokenError("sign_in_unavailable", exc.code) from None
    return _credentials(token, person, expires_at)


def _credentials(token: str, person: WhoAmI, expires_at: datetime | None) -> Credentials:
    account_id = claim_text(person.account_id)
    if account_id is None:
        raise AccessTokenError("sign_in_unavailable", "sign_in_answer_unreadable")
    return Credentials(
        access_token=token,
        refresh_token="",
        id_token="",
        account_id=account_id,
        user_id=claim_text(person.user_id),
        workspace_id=None,
        workspace_label=None,
        email=claim_text(person.email),
        plan_type=claim_text(person.plan_type),
        residency=None,
        access_expires_at=expires_at,
        last_refresh_at=None,
        kind="pat",
        is_fedramp=person.is_fedramp,
    )
