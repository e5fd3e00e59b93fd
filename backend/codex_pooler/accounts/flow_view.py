"""What is shown of a sign-in, and what is kept of it under seal while it lasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from codex_pooler.accounts.flow_codes import detail_of
from codex_pooler.storage.vault import SecretBox, SecretError
from codex_pooler.upstream.oauth import SignIn, challenge_of


@dataclass(frozen=True)
class FlowSecrets:
    """What the flow needs to go on: ``proxy`` is the way of its questions, ``new_proxy`` one that the account gets."""

    verifier: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    device_auth_id: str = field(default="", repr=False)
    user_code: str = field(default="", repr=False)
    proxy: str | None = field(default=None, repr=False)
    new_proxy: str | None = field(default=None, repr=False)

    def sealed(self, box: SecretBox, flow_id: UUID) -> bytes:
        """For the flow's row and no other place."""
        return box.seal(orjson.dumps(vars(self)), context_of(flow_id))


def opened(box: SecretBox, row: Any) -> FlowSecrets | None:
    """The secrets of a flow's row; None when they are gone or cannot be opened."""
    if row.sealed is None:
        return None
    try:
        return FlowSecrets(**orjson.loads(box.open(bytes(row.sealed), context_of(row.id))))
    except (SecretError, TypeError, orjson.JSONDecodeError):
        return None


def context_of(flow_id: UUID) -> str:
    """What the sealed column of a flow's row is bound to."""
    return f"oauth_flows:{flow_id}"


@dataclass(frozen=True)
class FlowPool:
    """The pool that gets the account."""

    id: UUID
    name: str


@dataclass(frozen=True)
class FlowError:
    """Why it ended, or, while it is pending, why the last attempt did not get through."""

    code: str
    detail: str


@dataclass(frozen=True)
class FlowResult:
    """The account that has the login now."""

    upstream_id: UUID
    created: bool


@dataclass(frozen=True)
class FlowView:
    """One sign-in.  Links and codes are there only while it is pending."""

    id: UUID
    kind: str
    state: str
    pool: FlowPool
    upstream_id: UUID | None
    authorize_url: str | None = field(repr=False)
    user_code: str | None = field(repr=False)
    verification_url: str | None
    interval_s: int | None
    expires_at: datetime
    error: FlowError | None
    result: FlowResult | None
    invite_id: UUID | None = None


def view_of(row: Any, secrets: FlowSecrets | None, sign_in: SignIn) -> FlowView:
    """A row of ``oauth_flows`` with its pool's name, for people."""
    is_open = row.state in ("pending", "authorizing")
    usable = secrets if row.state == "pending" else None
    browser, device = row.kind == "browser", row.kind == "device"
    code = row.error or ("expired_flow" if row.state == "expired" else None)
    return FlowView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        pool=FlowPool(row.pool_id, row.pool_name),
        upstream_id=row.account_id,
        authorize_url=sign_in.authorize_url(challenge_of(usable.verifier), usable.state)
        if usable and browser
        else None,
        user_code=usable.user_code if usable and device else None,
        verification_url=sign_in.device_page if device else None,
        interval_s=row.interval_seconds,
        expires_at=row.expires_at,
        error=FlowError(code, detail_of(code, is_open=is_open)) if code else None,
        result=FlowResult(row.result_account_id, row.result_created) if row.result_account_id else None,
        invite_id=row.invite_id,
    )
