"""Upstream accounts: import, what state they are in, and what an operator may do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts import states
from codex_pooler.accounts.auth_json import parse_auth_json
from codex_pooler.accounts.identity import account_ref, masked_email, plan_of
from codex_pooler.accounts.importing import import_credentials
from codex_pooler.accounts.logins import age_of
from codex_pooler.accounts.readiness import AccountFacts, readiness
from codex_pooler.accounts.renewal import RUNNING, Renewal
from codex_pooler.accounts.renewal_plan import next_attempt, refresh_state
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_usage import NO_USAGE, usage_by
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Answer, Api, Call
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.problems import Problem, not_found, refused_field
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.upstreams import (
    DeleteConfirmation,
    ImportInput,
    ImportResult,
    Upstream,
    UpstreamPage,
    UpstreamPatch,
)
from codex_pooler.web.admin.usage import usage_view
from codex_pooler.web.admin.windows import windows_view

api = Api("upstreams")
OUT_OF_SCOPE = "The account also serves pools you do not manage."


@api.endpoint("GET", "/upstreams", needs="upstreams:read", returns=UpstreamPage)
async def list_upstreams(call: Call) -> Any:
    """All accounts the caller sees, by label."""
    async with call.context.database.session() as session:
        rows = await session.fetch(queries.LIST, **seen(call.caller.scope.visible))
        return common.page(await _views(call, session, rows))


@api.endpoint("GET", "/upstreams/{upstream_id}", needs="upstreams:read", returns=Upstream)
async def get_upstream(call: Call) -> Any:
    """One account."""
    async with call.context.database.session() as session:
        return await _view(call, session, call.ids["upstream_id"])


@api.endpoint(
    "POST",
    "/upstreams/import",
    needs="upstreams:write",
    body=ImportInput,
    returns=ImportResult,
    status=201,
    also=(200,),
    errors=(404, 409),
)
async def import_upstream(call: Call) -> Any:
    """Import a Codex auth.json into a pool: 201 for a new account, 200 when an account got a new login."""
    credentials = parse_auth_json(call.body["auth_json"], datetime.now(UTC))
    async with call.changing("upstreams", "updated") as changing:
        pool = await require_pool(call, changing.session, call.body["pool_id"], "/pool_id")
        imported = await import_credentials(
            changing.session,
            call.context.keyring,
            credentials,
            pool_id=pool.id,
            label=call.body.get("label"),
            may_change=call.caller.scope.sees_all,
        )
        changing.touched(imported.account_id, [pool.id])
        account = await _view(call, changing.session, imported.account_id)
    created = imported.created
    return Answer({"result": "created" if created else "updated", "account": account}, 201 if created else 200)


@api.endpoint(
    "PATCH", "/upstreams/{upstream_id}", needs="upstreams:write", body=UpstreamPatch, returns=Upstream, versioned=True
)
async def update_upstream(call: Call) -> Any:
    """Rename an account."""
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await _locked(call, changing.session, upstream_id)
        call.check_version(current.version)
        label = call.body.get("label", current.label)
        await changing.session.execute(queries.RENAME, account_id=upstream_id, label=label)
        changing.touched(upstream_id, pools)
        return await _view(call, changing.session, upstream_id)


@api.endpoint(
    "DELETE",
    "/upstreams/{upstream_id}",
    needs="upstreams:write",
    body=DeleteConfirmation,
    status=204,
    optional_body=True,
    versioned=True,
)
async def delete_upstream(call: Call) -> Any:
    """Delete an account and its login; its history stays."""
    upstream_id = call.ids["upstream_id"]
    async with call.changing("upstreams", "deleted") as changing:
        current, pools = await _locked(call, changing.session, upstream_id)
        call.check_version(current.version)
        typed = (call.body or {}).get("confirm_label")
        if typed is not None and typed != current.label:
            raise refused_field("/confirm_label", "confirmation_mismatch", "Type the account's label exactly.")
        await changing.session.execute(queries.DELETE, account_id=upstream_id)
        changing.touched(upstream_id, pools)


@api.endpoint(
    "POST", "/upstreams/{upstream_id}/pause", needs="upstreams:write", returns=Upstream, errors=(409,), versioned=True
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
)
async def reactivate_upstream(call: Call) -> Any:
    """Give turns to a paused account again."""
    return await _move(call, "reactivate")


@api.endpoint(
    "POST", "/upstreams/{upstream_id}/refresh", needs="upstreams:write", returns=Upstream, errors=(404, 409, 502, 503)
)
async def refresh_upstream(call: Call) -> Any:
    """Renew an account's login now, whether or not it is due."""
    upstream_id = call.ids["upstream_id"]
    async with call.context.database.transaction() as session:
        current, _ = await _locked(call, session, upstream_id)
    if reason := states.refusals(current.state, login_refused=current.refresh_refused)["refresh"]:
        raise states.AccountActionRefused(reason)
    renewal = await call.context.refresher.renew_now(upstream_id)
    if renewal.token is None:
        raise _not_renewed(renewal)
    async with call.context.database.session() as session:
        return await _view(call, session, upstream_id)


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
        current, pools = await _locked(call, changing.session, upstream_id)
        call.check_version(current.version)
        state = states.after(action, current.state, login_refused=current.refresh_refused)
        reason = current.refresh_error if state == "reauth_required" else None
        await changing.session.execute(queries.SET_STATE, account_id=upstream_id, state=state, reason=reason)
        changing.touched(upstream_id, pools)
        return await _view(call, changing.session, upstream_id)


async def _locked(call: Call, session: Session, account_id: UUID) -> tuple[Any, list[UUID]]:
    """The account, locked, and the ids of its pools.  Raises Problem 404, or 403 for an account shared with others."""
    row = await session.one(queries.LOCK, account_id=account_id)
    pools = [m.pool_id for m in await session.fetch(queries.MEMBERSHIPS, account_ids=[account_id])] if row else []
    scope = call.caller.scope
    if row is None or not (scope.all or any(map(scope.sees, pools))):
        raise not_found()
    if not scope.sees_all(pools):
        raise Problem(403, "capability_denied", OUT_OF_SCOPE)
    return row, pools


async def _view(call: Call, session: Session, account_id: UUID) -> dict[str, Any]:
    rows = await session.fetch(queries.ONE, account_id=account_id, **seen(call.caller.scope.visible))
    if not rows:
        raise not_found()
    return (await _views(call, session, rows))[0]


async def _views(call: Call, session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    ids, visible = [row.id for row in rows], call.caller.scope.visible
    pools: dict[UUID, list[Any]] = {identity: [] for identity in ids}
    for membership in await session.fetch(queries.MEMBERSHIPS, account_ids=ids):
        pools[membership.account_id].append(membership)
    usage = await usage_by(session, "account_id", ids, visible)
    used = await session.fetch(queries.LAST_USED, account_ids=ids, **seen(visible))
    last_used = {row.account_id: row.last_used_at for row in used}
    return [
        _upstream_view(call, row, pools[row.id])
        | {"usage": {**usage_view(usage.get(row.id, NO_USAGE)), "last_used_at": last_used.get(row.id)}}
        for row in rows
    ]


def _upstream_view(call: Call, row: Any, memberships: Sequence[Any]) -> dict[str, Any]:
    live, scope = call.context.live, call.caller.scope
    facts = AccountFacts(
        state=row.state,
        access_expires_at=row.access_expires_at,
        cooling_until=live.cooling_until(row.id),
        blocked_until=live.blocked_until(row.id),
        in_a_pool=any(m.enabled and m.pool_status == "active" for m in memberships),
    )
    now = datetime.now(UTC)
    ready = readiness(facts, now)
    plan = plan_of(row.plan_type)
    return {
        **{name: getattr(row, name) for name in ("id", "version", "label", "created_at", "updated_at")},
        "email": masked_email(row.email),
        "account_ref": account_ref(row.chatgpt_account_id),
        "workspace": {"label": row.workspace_label} if row.workspace_id or row.workspace_label else None,
        "plan": {"family": plan.family, "label": plan.label},
        "onboarding_method": row.onboarding,
        "status": row.state,
        "status_reason": row.state_reason,
        "readiness": {"state": ready.state, "label": ready.label, "until": ready.until},
        "credential": {
            "kind": row.credential_kind,
            "access_expires_at": row.access_expires_at,
            "last_refresh_at": row.last_refresh_at,
            "refresh": _refresh_view(row, now),
        },
        "pools": [common.ref(m.pool_id, m.pool_name) for m in memberships if scope.sees(m.pool_id)],
        "windows": windows_view(live.windows(row.id), now),
        "in_flight": live.in_flight(row.id),
        "allowed_actions": _actions(call, row, [m.pool_id for m in memberships]),
    }


def _refresh_view(row: Any, now: datetime) -> dict[str, Any]:
    age = age_of(row)
    return {
        "state": refresh_state(age, now),
        "next_attempt_at": next_attempt(age),
        "failures": row.refresh_failures,
        "last_error": row.refresh_error,
    }


def _actions(call: Call, row: Any, pools: Sequence[UUID]) -> list[Mapping[str, Any]]:
    if not call.caller.may("upstreams:write"):
        denied: str | None = "Your role may only look."
    else:
        denied = None if call.caller.scope.sees_all(pools) else OUT_OF_SCOPE
    possible = states.refusals(row.state, login_refused=row.refresh_refused)
    reasons = {action: denied or reason for action, reason in possible.items()}
    if not call.caller.may("pools:write"):
        reasons["assign"] = denied or "Only an owner assigns accounts to pools."
    return [{"action": a, "enabled": reason is None, "reason": reason} for a, reason in reasons.items()]
