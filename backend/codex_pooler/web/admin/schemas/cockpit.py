"""Shapes of one account's page: its vital signs, its lanes, its health, and how full its windows were."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.accounts.readiness import READINESS_STATES
from codex_pooler.web.admin.schemas.common import Instant, Ref, Shape, count, list_of, nested, out, text
from codex_pooler.web.admin.schemas.requests import RequestLog

WINDOWS = ("24h", "7d", "30d")
GATES = ("assignment", "health", "quota", "circuit")
GATE_STATES = ("pass", "warn", "fail")
TONES = ("ok", "warn", "bad", "unknown")
VITALS = ("access_token", "renewal", "workspace_check", "quota_evidence", "quota_question", "last_turn")


class Vital(Shape):
    """One sign of life: the moment it is about, a word where there is more to say, and how good that is."""

    key = text(among=VITALS)
    at = out(Instant, null=True)
    word = text(null=True)
    tone = text(among=TONES)


class Gate(Shape):
    """One of the four things a turn has to pass; ``reason`` is a code, ``until`` when it ends where known."""

    gate = text(among=GATES)
    state = text(among=GATE_STATES)
    reason = text(null=True)
    until = out(Instant, null=True)


class RouteLane(Shape):
    """How the account stands in one pool; the rate is in percent of turns that succeeded or failed."""

    pool = nested(Ref)
    verdict = text(among=READINESS_STATES)
    label = text()
    gates = list_of(Gate)
    requests_7d = count()
    success_rate_7d = out(fields.Float, null=True)


class HealthDay(Shape):
    """One UTC day; the first of them may be cut off by the start of the week that is looked at."""

    date = out(fields.Date)
    ok = count()
    failed = count()


class ErrorCount(Shape):
    """How many turns ended with one error."""

    code = text()
    turns = count()


class AccountHealth(Shape):
    """Turns that this account finished; counts go by whole hours, times and errors by the newest turns of a day.

    Rates are in percent of turns that succeeded or failed; times are of turns that succeeded.
    """

    requests_24h = count()
    failed_24h = count()
    failure_rate_24h = out(fields.Float, null=True)
    requests_7d = count()
    failed_7d = count()
    failure_rate_7d = out(fields.Float, null=True)
    p50_ms = count(null=True)
    p95_ms = count(null=True)
    p95_ttft_ms = count(null=True)
    daily = list_of(HealthDay)
    errors_24h = list_of(ErrorCount)


class AccountEvent(Shape):
    """Something that was done to the account or happened to it."""

    id = out(fields.UUID)
    occurred_at = out(Instant)
    actor = text()
    action = text()
    outcome = text(among=("success", "failure"))
    reason = text(null=True)


class RecentActivity(Shape):
    """The newest turns and events."""

    requests = list_of(RequestLog)
    events = list_of(AccountEvent)


class QuotaSeries(Shape):
    """How full one window was: ``used_percent`` at the steps ``t`` (unix seconds) that have a figure.

    ``resets`` are the moments at which the window was seen to have started anew.
    """

    key = text()
    label = text()
    t = list_of(fields.Integer())
    used_percent = list_of(fields.Float())
    resets = list_of(fields.Integer())


class QuotaHistory(Shape):
    """Columns of at most 120 steps per window."""

    window = text(among=WINDOWS)
    since = out(Instant, data_key="from")
    until = out(Instant, data_key="to")
    bucket_seconds = count()
    series = list_of(QuotaSeries)


class QuotaHistoryQuery(Shape):
    """How far to look back; seven days unless told otherwise."""

    window = fields.String(validate=validate.OneOf(WINDOWS))


class Cockpit(Shape):
    """Everything on an account's page beside the account itself."""

    vitals = list_of(Vital)
    lanes = list_of(RouteLane)
    health = nested(AccountHealth)
    recent = nested(RecentActivity)
    quota_history = nested(QuotaHistory)


class ForecastQuery(Shape):
    """One pool instead of all."""

    pool_id = fields.UUID()


class AccountRunway(Shape):
    """One account's part: how full its window is and will be, and how long the pool lasts without it."""

    account = nested(Ref)
    used_percent = out(fields.Float)
    burn_percent_per_hour = out(fields.Float, null=True)
    resets_at = out(Instant, null=True)
    exhausts_at = out(Instant, null=True)
    pool_exhausts_at_without = out(Instant, null=True)


class WindowRunway(Shape):
    """A pool's windows of one kind together, each as large as its plan.

    ``exhausts_at`` is when all of them are used up at the present burn, null when they start anew soon enough.
    """

    key = text()
    label = text()
    window_seconds = count()
    remaining_percent = out(fields.Float)
    burn_percent_per_hour = out(fields.Float)
    exhausts_at = out(Instant, null=True)
    accounts = list_of(AccountRunway)


class PoolForecast(Shape):
    """How long a pool lasts; ``unknown_accounts`` can serve, and nothing is known of their windows."""

    pool = nested(Ref)
    exhausts_at = out(Instant, null=True)
    unknown_accounts = count()
    windows = list_of(WindowRunway)


class QuotaForecast(Shape):
    """All pools the caller sees, by name."""

    evaluated_at = out(Instant)
    items = list_of(PoolForecast)
