"""Upstream accounts: what state they are in, and what an operator may do with them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from codex_pooler.accounts import states
from codex_pooler.accounts.renewal import RUNNING, Renewal
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.audit import FieldChange
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.storage.scope import seen
from codex_pooler.upstream.egress import ProxyRefused, parse_proxy
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.problems import Problem, refused_field
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.upstreams import (
    MOST_TAGS,
    DeleteConfirmation,
    ProbeInput,
    ProbeResult,
    Upstream,
    UpstreamBulk,
    UpstreamBulkInput,
    UpstreamPage,
    UpstreamPatch,
)
from codex_pooler.web.admin.upstream_view import account_view, account_views, locked_account

api = Api("upstreams")
EDITABLE = ("label", "notes", "tags")
PROBED = ("ok", "model", "status", "latency_ms", "ttft_ms")


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
    """Change an account's label, notes, tags or proxy."""
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        values = {name: call.body.get(name, getattr(current, name)) for name in EDITABLE}
        values["tags"] = sorted(set(values["tags"]), key=str.casefold)
        await changing.session.execute(queries.EDIT, account_id=upstream_id, **values)
        changing.touched(upstream_id, pools)
        changing.changed(current._asdict(), values)
        if "egress_proxy" in call.body:
            await _set_proxy(call, changing, upstream_id, call.body["egress_proxy"])
        return await account_view(call, changing.session, upstream_id)


async def _set_proxy(call: Call, changing: Changing, upstream_id: UUID, proxy: str | None) -> None:
    """Raises Problem 422."""
    changing.changes.append(FieldChange("egress_proxy", shown=False))
    if proxy is None:
        await changing.session.execute(queries.DROP_EGRESS, account_id=upstream_id)
        return
    try:
        parse_proxy(proxy)
        if "***@" in proxy:
            raise ProxyRefused("This is how the address is shown. Enter it with its user and password, or leave it.")
    except ProxyRefused as exc:
        raise refused_field("/egress_proxy", "invalid_egress_proxy", str(exc)) from None
    sealed = call.context.keyring.upstream.seal(proxy.encode(), f"account_secrets:{upstream_id}:egress")
    await changing.session.execute(queries.SAVE_SECRET, account_id=upstream_id, kind="egress", sealed=sealed)


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
    "/upstreams/{upstream_id}/drain",
    needs="upstreams:write",
    returns=Upstream,
    errors=(409,),
    versioned=True,
    audit="upstream_account.drain",
)
async def drain_upstream(call: Call) -> Any:
    """Give an account no new turns, and pause it once its running ones have ended in every process."""
    return await _move(call, "drain")


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
    return await _refresh(call, call.ids["upstream_id"])


async def _refresh(call: Call, upstream_id: UUID) -> dict[str, Any]:
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


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/probe",
    needs="upstreams:write",
    body=ProbeInput,
    returns=ProbeResult,
    optional_body=True,
    errors=(404, 409),
    audit="upstream_account.probe",
)
async def probe_upstream(call: Call) -> Any:
    """Send one tiny real turn with this account, whatever routing thinks of it, and tell what came of it."""
    upstream_id, asked = call.ids["upstream_id"], call.body or {}
    async with call.context.database.transaction() as session:
        current, pools = await locked_account(call, session, upstream_id)
    if reason := states.refusals(current.state, login_refused=current.refresh_refused)["probe"]:
        raise states.AccountActionRefused(reason)
    if call.context.probe is None:
        raise Problem(409, "not_serving", "This process serves no turns.")
    probed = await call.context.probe(upstream_id, asked.get("model"))
    with suppress(*UNAVAILABLE):
        async with call.context.database.transaction() as session:
            change = Changing(session, outcome="success" if probed.ok else "failure", reason=probed.code)
            change.touched(upstream_id, pools)
            change.details |= {"model": probed.model, "latency_ms": probed.latency_ms}
            await call.record(session, change)
    error = None if probed.ok else {"code": probed.code, "detail": probed.detail}
    return {**{name: getattr(probed, name) for name in PROBED}, "error": error}


async def _record_renewal(call: Call, upstream_id: UUID, pools: list[UUID], renewal: Renewal) -> None:
    """The exchange is made by then, whatever becomes of its line in the audit trail."""
    with suppress(*UNAVAILABLE):
        async with call.context.database.transaction() as session:
            change = Changing(session, outcome="failure" if renewal.token is None else "success", reason=renewal.code)
            change.touched(upstream_id, pools)
            await call.record(session, change, action="upstream_account.refresh")


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


@api.endpoint(
    "POST",
    "/upstreams/bulk",
    needs="upstreams:write",
    body=UpstreamBulkInput,
    returns=UpstreamBulk,
    audit="upstream_account.bulk",
)
async def change_upstreams(call: Call) -> Any:
    """Do one thing with many accounts, one after the other; each has its own result and its own line in the audit."""
    return {"results": [await _one_of_many(call, upstream_id) for upstream_id in dict.fromkeys(call.body["ids"])]}


async def _one_of_many(call: Call, upstream_id: UUID) -> dict[str, Any]:
    action = call.body["action"]
    try:
        if action == "refresh":
            await _refresh(call, upstream_id)
        elif action in states.RESULT:
            await _move(call, action, upstream_id)
        else:
            await _tag(call, upstream_id, action)
    except (Problem, states.AccountActionRefused) as exc:
        code = exc.code if isinstance(exc, Problem) else "invalid_state_transition"
        detail = exc.detail if isinstance(exc, Problem) else str(exc)
        return {"id": upstream_id, "ok": False, "problem": {"code": code, "detail": detail}}
    return {"id": upstream_id, "ok": True, "problem": None}


async def _tag(call: Call, upstream_id: UUID, action: str) -> None:
    named = set(call.body.get("tags", ()))
    if not named:
        raise refused_field("/tags", "required", "Name the tags.")
    async with call.changing("upstreams", "updated", action=f"upstream_account.{action}") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        tags = set(current.tags) | named if action == "tag" else set(current.tags) - named
        if len(tags) > MOST_TAGS:
            raise refused_field("/tags", "too_many", f"An account has at most {MOST_TAGS} tags.")
        values = {**{name: getattr(current, name) for name in EDITABLE}, "tags": sorted(tags, key=str.casefold)}
        await changing.session.execute(queries.EDIT, account_id=upstream_id, **values)
        changing.touched(upstream_id, pools)
        changing.changed(current._asdict(), values)


async def _move(call: Call, action: str, one: UUID | None = None) -> dict[str, Any]:
    upstream_id = one or call.ids["upstream_id"]
    async with call.changing("upstreams", "updated", action=f"upstream_account.{action}") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        if one is None:
            call.check_version(current.version)
        state = states.after(action, current.state, login_refused=current.refresh_refused)
        reason = current.refresh_error if state == "reauth_required" else None
        await changing.session.execute(queries.SET_STATE, account_id=upstream_id, state=state, reason=reason)
        changing.touched(upstream_id, pools)
        changing.changed({"state": current.state}, {"state": state})
        return await account_view(call, changing.session, upstream_id)
