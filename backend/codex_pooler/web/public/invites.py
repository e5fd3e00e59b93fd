"""The page behind an invite's link: whoever has the link may sign in with a device code and so accept it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from codex_pooler.accounts import invites
from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.flow_view import FlowView
from codex_pooler.accounts.identity import masked_email
from codex_pooler.accounts.importing import Imported
from codex_pooler.keys import editing
from codex_pooler.keys.material import new_material
from codex_pooler.storage import queries_invites as queries
from codex_pooler.storage import queries_keys
from codex_pooler.storage.audit import Actor, Event, record
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import INVITES
from codex_pooler.web.admin.api import PUBLIC, UNCHANGING, Api, Call
from codex_pooler.web.admin.live import BROADCASTER, Change
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.clients.facts import facts_of
from codex_pooler.web.clients.tools import render
from codex_pooler.web.ingress import client_ip
from codex_pooler.web.public.pace import Limit, Pace
from codex_pooler.web.public.schemas import Nothing, PublicInvite

api = Api("public")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
NOTHING: dict[str, Any] = dict.fromkeys(
    ("pool_name", "invited_email_masked", "expires_at", "flow", "error", "client_config", "api_key")
)
INVALID = "This link is not an invite, or it is no longer good. Ask for a new one."
UNDER_WAY = ("pending", "authorizing")
SHOWN_AS = {"failed": "device_error", "expired": "device_error"}


class Paces:
    """How often an address may ask, how often for one link, and how often for links that do not exist."""

    def __init__(self) -> None:
        self.address, self.token, self.miss = Pace(Limit(600, 100)), Pace(Limit(90, 30)), Pace(Limit(20, 20))


PACES = web.AppKey("paces", Paces)


@api.endpoint("GET", "/invites/{token}", needs=PUBLIC, returns=PublicInvite, errors=(404, 429))
async def get_public_invite(call: Call) -> Any:
    """How far the invite has come."""
    row = await _invite(call)
    return _shown(call, row, await _newest(call, row))


@api.endpoint(
    "POST",
    "/invites/{token}/device-flow",
    needs=PUBLIC,
    body=Nothing,
    returns=PublicInvite,
    status=201,
    errors=(404, 409, 410, 429, 502),
    audit=UNCHANGING,
)
async def start_invite_flow(call: Call) -> Any:
    """Begin a sign-in by device code; an older one of this invite ends."""
    row = await _invite(call)
    if row.status != "active":
        code, message = invites.ENDED[row.status]
        raise Problem(410, code, message, more={"state": row.status})
    flow = await call.context.flows.start(
        "device", row.pool_id, account_id=row.account_id, invite_id=row.id, operator_id=row.invited_by
    )
    return _shown(call, row, flow)


@api.endpoint("GET", "/invites/{token}/device-flow", needs=PUBLIC, returns=PublicInvite, errors=(404, 429))
async def poll_invite_flow(call: Call) -> Any:
    """Ask whether the code was entered; the answer that finds it accepted holds the API key, if there is one."""
    row = await _invite(call)
    flow = await _newest(call, row)
    if row.status != "active" or flow is None or flow.state not in UNDER_WAY:
        return _shown(call, row, flow)
    acceptance = Acceptance(row, call.context.keyring, call.actor)
    flow = await call.context.flows.poll(flow.id, _anybody, acceptance.check, also=acceptance.join)
    if flow.state == "completed":
        row = await _read(call, row.id) or row
        _announce(call, row, acceptance.key_id)
    return _shown(call, row, flow, acceptance.secret if flow.state == "completed" else None)


@dataclass
class Acceptance:
    """What becomes true together with the login: the invite is accepted, and its key is made."""

    invite: Any
    keyring: Keyring
    actor: Actor
    secret: str | None = field(default=None, repr=False)
    key_id: UUID | None = None

    def check(self, credentials: Any) -> None:
        """Raises FlowRefused when somebody else has signed in than the one who was invited."""
        invites.meant_for(self.invite, credentials)

    async def join(self, session: Session, imported: Imported) -> None:
        """In the transaction that stores the login; again when that one did not commit."""
        row = await invites.accept(session, self.invite.id, imported.account_id, datetime.now(UTC))
        if row.issue_api_key:
            await self._issue_key(session, row)
        details = {"account_id": str(imported.account_id), "issue_api_key": row.issue_api_key}
        label, pools = masked_email(row.email), (row.pool_id,)
        await record(session, Event("invite.accepted", "invite", row.id, label, pools, self.actor, details=details))

    async def _issue_key(self, session: Session, row: Any) -> None:
        material, identity = new_material(self.keyring), uuid7()
        await session.execute(
            queries_keys.INSERT,
            id=identity,
            pool_id=row.pool_id,
            **{**editing.NEW_KEY, "name": row.email.partition("@")[0], "notes": "Issued with an invite."},
            prefix=material.prefix,
            digest=material.digest,
        )
        self.secret, self.key_id = material.secret, identity


def _anybody(pools: Iterable[UUID]) -> bool:
    """The owner of an account may give it a new login wherever it serves."""
    return True


async def _invite(call: Call) -> Any:
    """The invite of the link.  Raises Problem 404 for any that is not to be told from one that never was."""
    token, paces = call.request.match_info["token"], call.request.app[PACES]
    address = client_ip(call.request, call.context.settings().ingress)
    paces.address.step(address)
    row = None
    if TOKEN.fullmatch(token):
        digest = call.context.keyring.digest("invite", token)
        paces.token.step(digest)
        async with call.context.database.session() as session:
            row = await invites.find(session, call.context.keyring, token)
    if row is None:
        paces.miss.step(address)
        raise Problem(404, "invite_invalid", INVALID, more={"state": "invalid"})
    return row


async def _read(call: Call, invite_id: UUID) -> Any:
    async with call.context.database.session() as session:
        return await session.one(queries.ONE, invite_id=invite_id)


async def _newest(call: Call, row: Any) -> FlowView | None:
    """The sign-in that the invite has begun last, as time has left it."""
    async with call.context.database.session() as session:
        newest = await session.one(queries.NEWEST_FLOW, invite_id=row.id)
    try:
        return await call.context.flows.view(newest.id) if newest else None
    except FlowRefused:  # gone in between
        return None


def _shown(call: Call, row: Any, flow: FlowView | None, secret: str | None = None) -> dict[str, Any]:
    """What the page shows (schemas.PublicInvite)."""
    if row.status in ("expired", "revoked"):
        return {**NOTHING, "state": row.status}
    known = {
        "pool_name": row.pool_name,
        "invited_email_masked": masked_email(row.email),
        "expires_at": row.expires_at,
    }
    if row.status == "accepted":
        facts = facts_of(call.context.config.origin, [call.context.live.catalog(row.pool_id)])
        config = render("codex_cli", facts)[0].text
        return {**NOTHING, **known, "state": "accepted", "client_config": config, "api_key": secret}
    if flow is None:
        return {**NOTHING, **known, "state": "ready"}
    if flow.state in UNDER_WAY:
        return {**NOTHING, **known, "state": "device_pending", "flow": _code(flow), "error": _trouble(row, flow)}
    return {**NOTHING, **known, "state": SHOWN_AS.get(flow.state, "ready"), "error": _trouble(row, flow)}


def _code(flow: FlowView) -> dict[str, Any] | None:
    """Nothing once the code was entered and is being exchanged."""
    if not flow.user_code:
        return None
    names = ("user_code", "verification_url", "expires_at", "interval_s")
    return {name: getattr(flow, name) for name in names}


def _trouble(row: Any, flow: FlowView) -> dict[str, str] | None:
    if flow.error is None:
        return None
    detail = invites.mismatch_text(row) if flow.error.code == invites.MISMATCH else flow.error.detail
    return {"code": flow.error.code, "detail": detail}


def _announce(call: Call, row: Any, key_id: UUID | None) -> None:
    """Tell this process's consoles; the account itself is announced by whoever stored it."""
    publish = call.request.app[BROADCASTER].publish
    publish(Change("invites", "updated", (row.id,), (row.pool_id,)))
    call.context.metrics.count(INVITES, "accepted")
    if key_id:
        publish(Change("keys", "created", (key_id,), (row.pool_id,)))
