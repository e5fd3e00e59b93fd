"""Upstream accounts: what state they are in, and what an operator may do with them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from codex_pooler.accounts import states
from codex_pooler.accounts.renewal import RUNNING, Renewal
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.problems import Problem, refused_field
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.upstreams import (
    DeleteConfirmation,
    Upstream,
    UpstreamPage,
    UpstreamPatch,
)
from codex_pooler.web.admin.upstream_view import account_view, account_views, locked_account

api = Api("upstreams")


@api.endpoint("GET", "/upstreams", needs="upstreams:read", returns=UpstreamPage)
async def list_upstreams(call: Call) -> Any:
    """All accounts the caller sees, by label."""
    async with call.context.database.session() as session:
        rows = await session.fetch(queries.LIST, **seen(call.caller.scope.visible))
        return common.page(await account_views(call, session, rows))


@api.endpoint("GET", "/upstreams/{upstream_id}", needs="upstreams:read", returns=Upstream)
async def get_upstream(call: Call) -> Any:
    """One account."""
    async with call.context.database.session() as session:
        return await account_view(call, session, call.ids["upstream_id"])


@api.endpoint(
    "PATCH",
    "/upstreams/{upstream_id}",
    needs="upstreams:write",
    body=UpstreamPatch,
    returns=Upstream,
    versioned=True,
    audit="upstream_account.update",
)
async def update_upstream(call: Call) -> Any:
    """Rename an account."""
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        label = call.body.get("label", current.label)
        await changing.session.execute(queries.RENAME, account_id=upstream_id, label=label)
        changing.touched(upstream_id, pools)
        changing.changed(current._asdict(), {"label": label})
        return await account_view(call, changing.session, upstream_id)


@api.endpoint(
    "DELETE",
    "/upstreams/{upstream_id}",
    needs="upstreams:write",
    body=DeleteConfirmation,
    status=204,
    optional_body=True,
    versioned=True,
    audit="upstream_account.delete",
)
async def delete_upstream(call: Call) -> Any:
    """Delete an account and its login; its history stays."""
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "deleted") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        typed = (call.body or {}).get("confirm_label")
        if typed is not None and typed != current.label:
            raise refused_field("/confirm_label", "confirmation_mismatch", "Type the account's label exactly.")
        await changing.session.execute(queries.DELETE, account_id=upstream_id)
        changing.touched(upstream_id, pools, label=current.label)


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/pause",
    needs="upstreams:write",
    returns=Upstream,
    errors=(409,),
    versioned=True,
    audit="upstream_account.pause",
)
async def pause_upstream(call: Call) -> Any:
    """Stop giving turns to an account; running turns finish."""
    return await _move(call, "pause")


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/reactivate",
    needs="upstreams:write",
    returns=Upstream,
    errors=(409,),
    versioned=True,
    audit="upstream_account.reactivate",
)
async def reactivate_upstream(call: Call) -> Any:
    """Give turns to a paused account again."""
    return await _move(call, "reactivate")


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/refresh",
    needs="upstreams:write",
    returns=Upstream,
    errors=(404, 409, 502, 503),
    audit="upstream_account.refresh",
)
async def refresh_upstream(call: Call) -> Any:
    """Renew an account's login now, whether or not it is due."""
    upstream_id = call.ids["upstream_id"]
    async with call.context.database.transaction() as session:
        current, pools = await locked_account(call, session, upstream_id)
    renewable = current.credential_kind == "oauth"
    possible = states.refusals(current.state, login_refused=current.refresh_refused, renewable=renewable)
    if reason := possible["refresh"]:
        raise states.AccountActionRefused(reason)
    renewal = await call.context.refresher.renew_now(upstream_id)
    await _record_renewal(call, upstream_id, pools, renewal)
    if renewal.token is None:
        raise _not_renewed(renewal)
    async with call.context.database.session() as session:
        return await account_view(call, session, upstream_id)


async def _record_renewal(call: Call, upstream_id: UUID, pools: list[UUID], renewal: Renewal) -> None:
    """The exchange is made by then, whatever becomes of its line in the audit trail."""
    with suppress(*UNAVAILABLE):
        async with call.context.database.transaction() as session:
            change = Changing(session, outcome="failure" if renewal.token is None else "success", reason=renewal.code)
            change.touched(upstream_id, pools)
            await call.record(session, change)


def _not_renewed(renewal: Renewal) -> Problem:
    """Why there is no new token, with the sign-in server's own word for it."""
    if renewal.code == "database_unavailable":
        return Problem(503, renewal.code, "The database does not answer. Try again in a moment.")
    if renewal.code == RUNNING:
        return Problem(409, "refresh_running", "This login is being renewed right now. Look again in a moment.")
    if renewal.outcome == "rejected":
        return Problem(409, "reauth_required", f"{states.NEEDS_LOGIN} The reason given was: {renewal.code}.")
    detail = f"The login could not be renewed ({renewal.code}). It still serves, and another attempt follows by itself."
    return Problem(502, "refresh_failed", detail)


async def _move(call: Call, action: str) -> dict[str, Any]:
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        state = states.after(action, current.state, login_refused=current.refresh_refused)
        reason = current.refresh_error if state == "reauth_required" else None
        await changing.session.execute(queries.SET_STATE, account_id=upstream_id, state=state, reason=reason)
        changing.touched(upstream_id, pools)
        changing.changed({"state": current.state}, {"state": state})
        return await account_view(call, changing.session, upstream_id)
