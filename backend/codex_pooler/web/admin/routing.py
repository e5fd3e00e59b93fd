"""Explains routing: which accounts would serve a request now, in which order, and what keeps the others from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.quota.standing import UNKNOWN_REMAINING
from codex_pooler.routing.affinity import seed_of
from codex_pooler.routing.explain import Explanation, Verdict
from codex_pooler.routing.gates import Obstacle
from codex_pooler.routing.health import Trouble
from codex_pooler.snapshot.model import Pool, Switches
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.problems import not_found
from codex_pooler.web.admin.schemas.common import page, ref
from codex_pooler.web.admin.schemas.routing import ExplainQuery, RouteTroubles, RoutingExplanation

api = Api("pools")
NEW_SESSION = "a new session"  # stands for any request whose session is not bound to an account yet


@api.endpoint("GET", "/pools/{pool_id}/explain", needs="pools:read", query=ExplainQuery, returns=RoutingExplanation)
async def explain_routing(call: Call) -> Any:
    """How a request would be routed in the pool now, and why; nothing is sent and nothing changes."""
    pool_id = call.ids["pool_id"]
    if not call.caller.scope.sees(pool_id):
        raise not_found()
    scope = str(call.query.get("api_key_id", ""))
    seed = seed_of(Switches(), scope, call.query.get("session"), None, NEW_SESSION)
    binding = call.context.keyring.digest("session_ref", seed.value) if seed.kind == "session" else None
    explanation = call.context.live.explain(
        pool_id, call.query["model"], call.query["route_class"], seed.value, binding
    )
    if explanation is None:
        raise not_found()
    return _view(explanation)


@api.endpoint("GET", "/upstreams/{upstream_id}/route-health", needs="upstreams:read", returns=RouteTroubles)
async def get_route_health(call: Call) -> Any:
    """What an account failed at lately, as the process that answers has seen it."""
    upstream_id = call.ids["upstream_id"]
    async with call.context.database.session() as session:
        if not await session.fetch(queries.ONE, account_id=upstream_id, **seen(call.caller.scope.visible)):
            raise not_found()
    return page([_trouble(trouble) for trouble in call.context.live.troubles(upstream_id)])


def _trouble(trouble: Trouble) -> dict[str, Any]:
    retry_at = _instant(trouble.retry_at) if trouble.retry_at is not None else None
    return {**trouble._asdict(), "failed_at": _instant(trouble.failed_at), "retry_at": retry_at}


def _view(explanation: Explanation) -> dict[str, Any]:
    request, affinity = explanation.request, explanation.affinity
    return {
        "pool": ref(request.pool.id, request.pool.name),
        "model": request.model,
        "route_class": request.route_class,
        "strategy": request.pool.strategy,
        "max_attempts": request.pool.max_attempts,
        "evaluated_at": _instant(explanation.evaluated_at),
        "affinity": {
            "kind": affinity.kind,
            "account": _member_ref(request.pool, affinity.account_id),
            "reason": affinity.reason,
        },
        "candidates": [_candidate(verdict) for verdict in explanation.verdicts],
    }


def _candidate(verdict: Verdict) -> dict[str, Any]:
    member, account = verdict.member, verdict.member.account
    is_known = verdict.quota != "unknown" or verdict.remaining != UNKNOWN_REMAINING
    return {
        "account": ref(account.id, account.label),
        "rank": verdict.rank,
        "usable": verdict.rank is not None,
        "reasons": [_reason(obstacle) for obstacle in verdict.reasons],
        "priority": member.priority,
        "weight": member.weight,
        "quota": verdict.quota,
        "remaining_percent": round(verdict.remaining * 100, 1) if is_known else None,
        "in_flight": verdict.in_flight,
    }


def _reason(obstacle: Obstacle) -> dict[str, Any]:
    until = _instant(obstacle.until) if obstacle.until is not None else None
    return {"gate": obstacle.gate, "code": obstacle.code, "until": until}


def _member_ref(pool: Pool, account_id: UUID | None) -> dict[str, Any] | None:
    accounts = (member.account for member in pool.members)
    return next((ref(account.id, account.label) for account in accounts if account.id == account_id), None)


def _instant(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
