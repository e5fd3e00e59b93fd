"""One account's page: its vital signs, what stands in its way, how it has fared, how full its windows were."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from codex_pooler.accounts.logins import age_of
from codex_pooler.accounts.renewal_plan import next_attempt, refresh_state
from codex_pooler.routing.request import PROXY_STREAM
from codex_pooler.storage import queries_accounts, queries_requests
from codex_pooler.storage import queries_watching as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.queries_quota_history import Step, chart
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.account_health import Tally, health_view, lanes_tallies, week_of
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.lanes import Doubts, gates_of
from codex_pooler.web.admin.problems import not_found
from codex_pooler.web.admin.request_logs import log_view
from codex_pooler.web.admin.schemas.cockpit import AccountHealth, Cockpit, QuotaHistory, QuotaHistoryQuery
from codex_pooler.web.admin.schemas.common import ref
from codex_pooler.web.admin.upstream_view import account_readiness, standing_of
from codex_pooler.web.admin.windows import FRESH, freshness, moment, window_key, window_label

api = Api("upstreams")
USUAL_WINDOW = "7d"
WINDOWS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
MOST_STEPS = 120
NEWEST = 5  # requests and events
ASKED_SELDOM = timedelta(minutes=40)  # a usage question that is older has failed several times
CHECKED_SELDOM = timedelta(hours=12)
REFRESH_TONES = {"ok": "ok", "due": "warn", "failed": "bad"}


@api.endpoint("GET", "/upstreams/{upstream_id}/cockpit", needs="upstreams:read", returns=Cockpit)
async def get_cockpit(call: Call) -> Any:
    """Everything on the account's page beside the account itself."""
    now, visible = datetime.now(UTC), call.caller.scope.visible
    async with call.context.database.session() as session:
        row = await _account(call, session)
        week = await week_of(session, row.id, visible, now)
        return {
            "vitals": await _vitals(call, session, row, now),
            "lanes": await _lanes(call, session, row, lanes_tallies(week), now),
            "health": await health_view(session, row.id, visible, now, week),
            "recent": await _recent(call, session, row.id),
            "quota_history": await _history(call, session, row.id, USUAL_WINDOW, now),
        }


@api.endpoint("GET", "/upstreams/{upstream_id}/health", needs="upstreams:read", returns=AccountHealth)
async def get_account_health(call: Call) -> Any:
    """How the account's turns of the last day and the last week ended, and how long they took."""
    now, visible = datetime.now(UTC), call.caller.scope.visible
    async with call.context.database.session() as session:
        row = await _account(call, session)
        return await health_view(session, row.id, visible, now, await week_of(session, row.id, visible, now))


@api.endpoint(
    "GET",
    "/upstreams/{upstream_id}/quota-history",
    needs="upstreams:read",
    query=QuotaHistoryQuery,
    returns=QuotaHistory,
)
async def get_quota_history(call: Call) -> Any:
    """How full the account's windows were, for a chart."""
    async with call.context.database.session() as session:
        row = await _account(call, session)
        return await _history(call, session, row.id, call.query.get("window", USUAL_WINDOW), datetime.now(UTC))


async def _account(call: Call, session: Session) -> Any:
    visible = seen(call.caller.scope.visible)
    rows = await session.fetch(queries_accounts.ONE, account_id=call.ids["upstream_id"], **visible)
    if not rows:
        raise not_found()
    return rows[0]


async def _vitals(call: Call, session: Session, row: Any, now: datetime) -> list[dict[str, Any]]:
    age, record = age_of(row), call.context.live.record(row.id)
    observed_at = moment(record.observed_at) if record and record.observed_at else None
    asked = await session.one(queries.ASKED, account_id=row.id)
    asked_at = asked.claimed_at if asked else None
    used = await session.fetch(queries_accounts.LAST_USED, account_ids=[row.id], **seen(call.caller.scope.visible))
    state = refresh_state(age, now)
    fresh = freshness(record.observed_at if record else None, now.timestamp())
    return [
        _vital("access_token", row.access_expires_at, None, _expiry_tone(row.access_expires_at, now)),
        _vital("renewal", next_attempt(age), row.refresh_error or state, REFRESH_TONES[state]),
        _vital("workspace_check", row.checked_at, row.routing_override, _age_tone(row.checked_at, CHECKED_SELDOM, now)),
        _vital("quota_evidence", observed_at, fresh, "ok" if fresh == FRESH else "warn" if observed_at else "unknown"),
        _vital("quota_question", asked_at, None, _age_tone(asked_at, ASKED_SELDOM, now)),
        _vital("last_turn", used[0].last_used_at if used else None, None, "ok" if used else "unknown"),
    ]


def _vital(key: str, at: datetime | None, word: str | None, tone: str) -> dict[str, Any]:
    return {"key": key, "at": at, "word": word, "tone": tone}


def _expiry_tone(expires_at: datetime | None, now: datetime) -> str:
    if expires_at is None:
        return "unknown"
    return "bad" if expires_at <= now else "ok"


def _age_tone(at: datetime | None, longest: timedelta, now: datetime) -> str:
    if at is None:
        return "unknown"
    return "ok" if now - at < longest else "warn"


async def _lanes(
    call: Call, session: Session, row: Any, tallies: dict[UUID, Tally], now: datetime
) -> list[dict[str, Any]]:
    memberships = await session.fetch(queries_accounts.MEMBERSHIPS, account_ids=[row.id])
    lanes = []
    for membership in memberships:
        if not call.caller.scope.sees(membership.pool_id):
            continue
        ready = account_readiness(call, row, [membership], now)
        tally = tallies.get(membership.pool_id, Tally())
        lanes.append(
            {
                "pool": ref(membership.pool_id, membership.pool_name),
                "verdict": ready.state,
                "label": ready.label,
                "gates": gates_of(_doubts(call, row, membership, now)),
                "requests_7d": tally.requests,
                "success_rate_7d": tally.success_rate,
            }
        )
    return lanes


def _doubts(call: Call, row: Any, membership: Any, now: datetime) -> Doubts:
    live = call.context.live
    explanation = live.explain(membership.pool_id, "", PROXY_STREAM, "", None)
    verdicts = explanation.verdicts if explanation else ()
    reasons = [reason for verdict in verdicts if verdict.member.account.id == row.id for reason in verdict.reasons]
    return Doubts(
        obstacles=reasons,
        troubles=live.troubles(row.id),
        standing=standing_of(call, row.id, now),
        renewal=refresh_state(age_of(row), now),
        pool_status=membership.pool_status,
    )


async def _recent(call: Call, session: Session, account_id: UUID) -> dict[str, Any]:
    filters: dict[str, Any] = {"account_id": [account_id]}
    if not call.caller.scope.all:
        filters["visible"] = call.caller.scope.visible
    turns = await queries_requests.newest(session, filters, NEWEST, None) if call.caller.may("requests:read") else []
    events = []
    if call.caller.may("audit:read"):
        events = await session.fetch(queries.EVENTS, account_id=account_id, many=NEWEST)
    return {
        "requests": [log_view(turn) for turn in turns],
        "events": [{**event._asdict(), "actor": event.actor_label or event.actor_type} for event in events],
    }


async def _history(call: Call, session: Session, account_id: UUID, window: str, now: datetime) -> dict[str, Any]:
    span = WINDOWS[window]
    step = int(span.total_seconds()) // MOST_STEPS
    last = int(now.timestamp()) // step * step  # the running step is the last of the chart
    since = datetime.fromtimestamp(last - step * (MOST_STEPS - 1), UTC)
    steps = await chart(session, account_id, since, now, step)
    record = call.context.live.record(account_id)
    names = {place: each.label for place, each in record.windows.items()} if record else {}
    by_window: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for each in steps:
        by_window[each.limit_key, each.kind].append(each)
    return {
        "window": window,
        "since": since,
        "until": now,
        "bucket_seconds": step,
        "series": [_series(place, points, names.get(place)) for place, points in by_window.items()],
    }


def _series(place: tuple[str, str], steps: list[Step], name: str | None) -> dict[str, Any]:
    return {
        "key": window_key(*place),
        "label": window_label(*place, name),
        "t": [step.t for step in steps],
        "used_percent": [step.used_percent for step in steps],
        "resets": [step.reset_at for step in steps if step.reset_at is not None],
    }
