"""What an operator is shown of an upstream account: stored facts, what the process knows, and what may be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts import states
from codex_pooler.accounts.identity import account_ref, masked_email, plan_of
from codex_pooler.accounts.logins import age_of
from codex_pooler.accounts.proxies import NOWHERE, opened_proxy
from codex_pooler.accounts.readiness import AccountFacts, Readiness, readiness
from codex_pooler.accounts.renewal_plan import next_attempt, refresh_state
from codex_pooler.quota.standing import NEVER_OBSERVED, Standing, assess
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_usage import NO_USAGE, usage_by
from codex_pooler.storage.queries_watching import NO_BURN, Burn, burns
from codex_pooler.storage.scope import seen
from codex_pooler.upstream.egress import masked
from codex_pooler.web.admin.api import Call
from codex_pooler.web.admin.evidence import all_windows, quota_view
from codex_pooler.web.admin.outlooks import outlooks_of
from codex_pooler.web.admin.problems import Problem, not_found
from codex_pooler.web.admin.reset_views import saved_resets_view
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.usage import usage_view
from codex_pooler.web.admin.windows import Outlooks, windows_view

OUT_OF_SCOPE = "The account also serves pools you do not manage."


async def locked_account(call: Call, session: Session, account_id: UUID) -> tuple[Any, list[UUID]]:
    """The account, locked, and the ids of its pools.  Raises Problem 404, or 403 for an account shared with others."""
    row = await session.one(queries.LOCK, account_id=account_id)
    pools = [m.pool_id for m in await session.fetch(queries.MEMBERSHIPS, account_ids=[account_id])] if row else []
    scope = call.caller.scope
    if row is None or not (scope.all or any(map(scope.sees, pools))):
        raise not_found()
    if not scope.sees_all(pools):
        raise Problem(403, "capability_denied", OUT_OF_SCOPE)
    return row, pools


async def account_view(call: Call, session: Session, account_id: UUID) -> dict[str, Any]:
    """One account as ``account_views`` shows it.  Raises Problem 404 when the caller does not see it."""
    rows = await session.fetch(queries.ONE, account_id=account_id, **seen(call.caller.scope.visible))
    if not rows:
        raise not_found()
    return (await account_views(call, session, rows))[0]


async def account_views(call: Call, session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of ``accounts`` as the API shows them (schemas.upstreams.Upstream), in their order."""
    ids, visible, now = [row.id for row in rows], call.caller.scope.visible, datetime.now(UTC)
    pools: dict[UUID, list[Any]] = {identity: [] for identity in ids}
    for membership in await session.fetch(queries.MEMBERSHIPS, account_ids=ids):
        pools[membership.account_id].append(membership)
    usage = await usage_by(session, "account_id", ids, visible)
    used = await session.fetch(queries.LAST_USED, account_ids=ids, **seen(visible))
    last_used = {row.account_id: row.last_used_at for row in used}
    live = call.context.live
    outlooks = await outlooks_of(session, {identity: all_windows(live.record(identity)) for identity in ids}, now)
    burned = await burns(session, ids, visible, now)
    resets = await saved_resets_view(session, ids)
    proxies = await _proxies(call, session, ids)
    return [
        _upstream_view(call, row, pools[row.id], now, outlooks[row.id])
        | {
            "usage": {**usage_view(usage.get(row.id, NO_USAGE)), "last_used_at": last_used.get(row.id)},
            "burn": burn_view(burned.get(row.id, NO_BURN)),
            "saved_resets": resets[row.id],
            "egress_proxy": proxies.get(row.id),
        }
        for row in rows
    ]


def burn_view(burn: Burn) -> dict[str, Any]:
    """Tokens of the last five minutes beside what is usual."""
    factor = None if burn.factor is None else round(burn.factor, 2)
    return {"tokens_5m": burn.tokens_5m, "baseline_5m": round(burn.baseline_5m), "factor": factor}


def account_readiness(call: Call, row: Any, memberships: Sequence[Any], now: datetime) -> Readiness:
    """Whether the account can serve now, as far as this process knows."""
    live = call.context.live
    facts = AccountFacts(
        state=row.state,
        access_expires_at=row.access_expires_at,
        cooling_until=live.cooling_until(row.id),
        blocked_until=live.blocked_until(row.id),
        in_a_pool=any(m.enabled and m.pool_status == "active" for m in memberships),
        blocked_reason=standing_of(call, row.id, now).reason,
        is_probed=any(trouble.state == "half_open" for trouble in live.troubles(row.id)),
        is_renewing=row.refresh_leased_until is not None and row.refresh_leased_until > now,
    )
    return readiness(facts, now)


def standing_of(call: Call, account_id: UUID, now: datetime) -> Standing:
    """How the account stands for any model, as far as this process knows."""
    record = call.context.live.record(account_id)
    return assess(record, "", now.timestamp()) if record else NEVER_OBSERVED


def _upstream_view(
    call: Call, row: Any, memberships: Sequence[Any], now: datetime, outlooks: Outlooks
) -> dict[str, Any]:
    live, scope = call.context.live, call.caller.scope
    ready = account_readiness(call, row, memberships, now)
    plan = plan_of(row.plan_type)
    return {
        **{name: getattr(row, name) for name in ("id", "version", "label", "created_at", "updated_at")},
        "email": masked_email(row.email),
        "account_ref": account_ref(row.chatgpt_account_id),
        "workspace": _workspace_view(row),
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
        "windows": windows_view(live.windows(row.id), now, outlooks),
        "quota": quota_view(live.record(row.id), now.timestamp(), outlooks),
        "in_flight": live.in_flight(row.id),
        "drain": {"in_flight": live.in_flight(row.id)} if row.state == "draining" else None,
        "notes": row.notes,
        "tags": list(row.tags),
        "allowed_actions": _actions(call, row, [m.pool_id for m in memberships]),
    }


async def _proxies(call: Call, session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The accounts' proxies without their passwords."""
    rows = await session.fetch(queries.EGRESSES, account_ids=ids)
    box = call.context.keyring.upstream
    found = {row.account_id: opened_proxy(box, row.account_id, row.sealed) for row in rows}
    return {account: "unreadable" if proxy == NOWHERE else masked(proxy) for account, proxy in found.items() if proxy}


def _workspace_view(row: Any) -> dict[str, Any] | None:
    if not (row.workspace_id or row.workspace_label or row.routing_override):
        return None
    return {"label": row.workspace_label, "routing_override": row.routing_override}


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
    renewable = row.credential_kind == "oauth"
    possible = states.refusals(row.state, login_refused=row.refresh_refused, renewable=renewable)
    reasons = {action: denied or reason for action, reason in possible.items()}
    if not row.email:
        reasons["reinvite"] = reasons["reinvite"] or states.EMAIL_UNKNOWN
    if not call.caller.may("bundles:write"):
        reasons["export"] = denied or "Only an owner who is signed in to the console exports accounts."
    if not call.caller.may("pools:write"):
        reasons["assign"] = denied or "Only an owner assigns accounts to pools."
    return [{"action": a, "enabled": reason is None, "reason": reason} for a, reason in reasons.items()]
