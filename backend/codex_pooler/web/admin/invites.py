"""Invites as operators manage them: the link is answered once, by what makes it, and can be mailed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from codex_pooler.accounts import invites, states
from codex_pooler.accounts.identity import masked_email
from codex_pooler.accounts.invites import Invitation, InviteRefused
from codex_pooler.mail.delivery import ADVICE
from codex_pooler.mail.office import PostOffice
from codex_pooler.storage import queries_invites as queries
from codex_pooler.storage.database import Session
from codex_pooler.telemetry.metrics import INVITES
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.cursors import decode_cursor, encode_cursor
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.problems import Problem, not_found, refused_field
from codex_pooler.web.admin.schemas.common import past_ref, ref
from codex_pooler.web.admin.schemas.invites import (
    Invite,
    InviteAgain,
    InviteInput,
    InviteListQuery,
    InvitePage,
    InviteWithUrl,
    Reinvitation,
)
from codex_pooler.web.admin.upstream_view import locked_account

api = Api("invites")
DEFAULT_LIMIT = 50
DEFAULT_HOURS = 24
JOB = "invite_mail"
PLAIN = ("id", "status", "note", "issue_api_key", "created_at", "expires_at")


@api.endpoint("GET", "/invites", needs="invites:read", query=InviteListQuery, returns=InvitePage)
async def list_invites(call: Call) -> Any:
    """Invites, newest first; follow ``next_cursor`` for older ones."""
    limit, filters = call.query.get("limit", DEFAULT_LIMIT), _filters(call)
    cursor = queries.Position(*decode_cursor(call.query["cursor"])) if "cursor" in call.query else None
    async with call.context.database.session() as session:
        rows = await queries.newest(session, filters, limit + 1, cursor)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [invite_view(row) for row in rows[:limit]],
        "page": {"limit": limit, "next_cursor": encode_cursor(last.created_at, last.id) if last else None},
    }


@api.endpoint(
    "POST",
    "/invites",
    needs="invites:write",
    body=InviteInput,
    returns=InviteWithUrl,
    status=201,
    errors=(404, 409),
    audit="invite.create",
)
async def create_invite(call: Call) -> Any:
    """Invite somebody to add their account to a pool; the answer is the only place where the link appears."""
    body = call.body
    async with call.changing("invites", "created") as changing:
        pool = await require_pool(call, changing.session, body["pool_id"], "/pool_id")
        if account_id := body.get("upstream_id"):
            await _needs_login(call, changing.session, account_id)
        return await _invite(
            call,
            changing,
            Invitation(
                pool_id=pool.id,
                email=body["email"],
                valid_for=timedelta(hours=body.get("ttl_hours", DEFAULT_HOURS)),
                account_id=account_id,
                note=body.get("note") or None,
                issue_api_key=body.get("issue_api_key", False),
                by_mail=body.get("send_email", False),
            ),
            pool.status,
        )


@api.endpoint(
    "POST",
    "/invites/{invite_id}/reissue",
    needs="invites:write",
    body=InviteAgain,
    returns=InviteWithUrl,
    optional_body=True,
    errors=(409, 410),
    audit="invite.reissue",
)
async def reissue_invite(call: Call) -> Any:
    """Replace an invite by a new one with a new link; the old link stops working."""
    return await _again(call, by_mail=(call.body or {}).get("send_email", False))


@api.endpoint(
    "POST",
    "/invites/{invite_id}/resend",
    needs="invites:write",
    returns=InviteWithUrl,
    errors=(409, 410, 422),
    audit="invite.reissue",
)
async def resend_invite(call: Call) -> Any:
    """Replace an invite by a new one and mail its link."""
    return await _again(call, by_mail=True)


@api.endpoint(
    "POST",
    "/invites/{invite_id}/revoke",
    needs="invites:write",
    returns=Invite,
    errors=(410,),
    audit="invite.revoke",
)
async def revoke_invite(call: Call) -> Any:
    """Withdraw an open invite; a sign-in that is under way ends and stores nothing."""
    async with call.changing("invites", "updated") as changing:
        row = await _seen(call, changing.session)
        before = await _withdraw(call, changing.session, row.id)
        if before.status != "active":
            raise InviteRefused(*invites.ENDED[before.status], 410)
        changing.touched(row.id, [row.pool_id], label=masked_email(row.email))
        return invite_view(await changing.session.one(queries.ONE, invite_id=row.id))


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/reinvite",
    needs="upstreams:write",
    body=Reinvitation,
    returns=InviteWithUrl,
    status=201,
    optional_body=True,
    errors=(409,),
    audit="invite.create",
)
async def reinvite_upstream(call: Call) -> Any:
    """Ask an account's owner for a new login, by a link of their own; an older one for them stops working."""
    body = call.body or {}
    async with call.changing("invites", "created") as changing:
        account, pools = await _needs_login(call, changing.session, call.ids["upstream_id"])
        pool = await _pool_of(call, changing.session, pools, body.get("pool_id"))
        if not account.email:
            raise Problem(409, "email_unknown", states.EMAIL_UNKNOWN)
        email = account.email.lower()
        if older := await changing.session.one(queries.ACTIVE_FOR, pool_id=pool.id, email=email):
            await _withdraw(call, changing.session, older.id)
        return await _invite(
            call,
            changing,
            Invitation(
                pool_id=pool.id,
                email=email,
                valid_for=timedelta(hours=body.get("ttl_hours", DEFAULT_HOURS)),
                account_id=account.id,
                note=body.get("note") or None,
                by_mail=body.get("send_email", False),
            ),
            pool.status,
        )


async def _withdraw(call: Call, session: Session, invite_id: UUID) -> Any:
    """End an invite; its row as it was before.  Raises InviteRefused when it was accepted."""
    before = await invites.withdraw(session, invite_id)
    if before.status == "active":
        call.context.metrics.count(INVITES, "revoked")
    return before


async def _again(call: Call, *, by_mail: bool) -> Any:
    async with call.changing("invites", "updated") as changing:
        row = await _seen(call, changing.session)
        await _withdraw(call, changing.session, row.id)
        changing.touched(row.id, [row.pool_id], label=masked_email(row.email))
        asked = Invitation(
            pool_id=row.pool_id,
            email=row.email,
            valid_for=row.expires_at - row.created_at,
            account_id=row.account_id,
            note=row.note,
            issue_api_key=row.issue_api_key,
            by_mail=by_mail,
        )
        return await _invite(call, changing, asked, row.pool_status)


async def _invite(call: Call, changing: Changing, asked: Invitation, pool_status: str) -> dict[str, Any]:
    """Write the invite, and the job that mails it, in the caller's transaction."""
    session, operator = changing.session, call.caller.operator
    if pool_status != "active":
        raise Problem(409, "pool_not_active", "The pool takes nobody in. Enable it first.")
    if asked.by_mail and not await PostOffice(call.context.database, call.context.keyring).is_open(session):
        raise refused_field("/send_email", "smtp_disabled", ADVICE["smtp_disabled"])
    signed = replace(asked, invited_by=operator.id, invited_by_name=operator.display_name)
    identity = await invites.create(session, call.context.keyring, signed, datetime.now(UTC))
    if asked.by_mail:
        await call.context.queue.enqueue(JOB, key=str(identity), session=session, invite_id=identity)
    changing.touched(identity, [asked.pool_id], label=masked_email(asked.email))
    changing.details |= {"send_email": asked.by_mail, "issue_api_key": asked.issue_api_key}
    view = invite_view(await session.one(queries.ONE, invite_id=identity))
    return {**view, "url": invites.link_of(call.context.keyring, call.context.config.origin, identity)}


async def _seen(call: Call, session: Session) -> Any:
    row = await session.one(queries.ONE, invite_id=call.ids["invite_id"])
    if row is None or not call.caller.scope.sees(row.pool_id):
        raise not_found()
    return row


async def _needs_login(call: Call, session: Session, account_id: UUID) -> tuple[Any, list[UUID]]:
    """An account of the caller's that only a new login brings back, and its pools."""
    account, pools = await locked_account(call, session, account_id)
    if reason := states.refusals(account.state, login_refused=account.refresh_refused)["reinvite"]:
        raise states.AccountActionRefused(reason)
    return account, pools


async def _pool_of(call: Call, session: Session, pools: list[UUID], chosen: UUID | None) -> Any:
    """The pool that the invite belongs to: the chosen one, else the account's first that takes somebody in."""
    if chosen is not None and chosen not in pools:
        raise not_found("/pool_id")
    memberships = [
        await require_pool(call, session, pool_id, "/pool_id") for pool_id in ([chosen] if chosen else pools)
    ]
    if not memberships:
        raise Problem(409, "no_pool", "The account is in no pool. Assign it to one first.")
    return next((pool for pool in memberships if pool.status == "active"), memberships[0])


def invite_view(row: Any) -> dict[str, Any]:
    """An invite as the API shows it (schemas.invites.Invite)."""
    return {
        **{name: getattr(row, name) for name in PLAIN},
        "pool": ref(row.pool_id, row.pool_name),
        "upstream_id": row.account_id,
        "invited_email": row.email,
        "invited_by": past_ref(row.invited_by, row.invited_by_name),
        "email": {"state": row.email_state, "sent_at": row.email_sent_at, "error_code": row.email_error},
        "result": {
            "upstream_id": row.result_account_id,
            "accepted_email": masked_email(row.accepted_email),
            "accepted_at": row.accepted_at,
        },
    }


def _filters(call: Call) -> dict[str, Any]:
    """The filters of the query string, narrowed to the caller's pools."""
    chosen = {name: value for name, value in call.query.items() if name not in ("cursor", "limit") and value}
    if not call.caller.scope.all:
        chosen["visible"] = call.caller.scope.visible
    return chosen
