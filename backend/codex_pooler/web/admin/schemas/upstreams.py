"""Shapes of upstream accounts."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.accounts.readiness import READINESS_STATES
from codex_pooler.accounts.renewal_plan import REFRESH_STATES
from codex_pooler.storage.tables import ACCOUNT_STATES
from codex_pooler.web.admin.schemas.common import (
    AllowedAction,
    Instant,
    PageInfo,
    Ref,
    Shape,
    count,
    line,
    list_of,
    nested,
    out,
    text,
)
from codex_pooler.web.admin.schemas.saved_resets import SavedResetsBrief
from codex_pooler.web.admin.windows import FRESHNESS, SCOPES

ONBOARDING_METHODS = ("import", "browser", "device", "access_token", "invite", "bundle")


MOST_TAGS = 20


class Workspace(Shape):
    """The ChatGPT workspace of an account; ``routing_override`` names the region its requests must stay in."""

    label = text(null=True)
    routing_override = text(null=True)


class Plan(Shape):
    """The subscription of an account."""

    family = text(null=True)
    label = text()


class Readiness(Shape):
    """Whether the account can serve now, and until when not."""

    state = text(among=READINESS_STATES)
    label = text()
    until = out(Instant, null=True)


class Refresh(Shape):
    """How renewing the login stands; ``next_attempt_at`` is null when only a new login helps."""

    state = text(among=REFRESH_STATES)
    next_attempt_at = out(Instant, null=True)
    failures = count()
    last_error = text(null=True)


class Credential(Shape):
    """What kind of login the account has; never the login itself."""

    kind = text(among=("oauth", "pat"))
    access_expires_at = out(Instant, null=True)
    last_refresh_at = out(Instant, null=True)
    refresh = nested(Refresh)


class QuotaWindow(Shape):
    """How much of one usage window is used, in percent.

    ``burn_percent_per_hour`` is null while too little is known; ``exhausts_at`` is when the window is full at that
    burn, null when it starts anew before.
    """

    key = text()
    label = text()
    scope = text(among=SCOPES)
    model = text(null=True)
    window_seconds = count()
    used_percent = out(fields.Float)
    resets_at = out(Instant, null=True)
    observed_at = out(Instant)
    freshness = text(among=FRESHNESS)
    burn_percent_per_hour = out(fields.Float, null=True)
    exhausts_at = out(Instant, null=True)


class ProviderStatus(Shape):
    """The backend's own verdict on the account; ``reached_type`` is its word for the limit that was reached."""

    allowed = out(fields.Boolean, null=True)
    limit_reached = out(fields.Boolean, null=True)
    reached_type = text(null=True)


class Credits(Shape):
    """Prepaid credits beyond the plan; ``burning``: turns are paid with them now."""

    has_credits = out(fields.Boolean)
    unlimited = out(fields.Boolean)
    balance = out(fields.Float, null=True)
    overage_reached = out(fields.Boolean, null=True)
    burning = out(fields.Boolean)


class Spend(Shape):
    """The spending limit of an account that is paid by use, in credits."""

    reached = out(fields.Boolean)
    limit = out(fields.Float, null=True)
    used = out(fields.Float, null=True)
    remaining = out(fields.Float, null=True)
    used_percent = out(fields.Float, null=True)
    resets_at = out(Instant, null=True)
    burn_percent_per_hour = out(fields.Float, null=True)
    exhausts_at = out(Instant, null=True)


class Quota(Shape):
    """What is known of an account's quota beside its windows, and how old the newest of it is."""

    freshness = text(among=FRESHNESS)
    observed_at = out(Instant, null=True)
    provider_status = nested(ProviderStatus, null=True)
    credits = nested(Credits, null=True)
    spend = nested(Spend, null=True)


class TokenBurn(Shape):
    """Tokens of the last five minutes, and of five minutes on average in the hour before.

    ``factor`` is how many times the usual that is, null when nothing is usual.
    """

    tokens_5m = count()
    baseline_5m = count()
    factor = out(fields.Float, null=True)


class UpstreamUsage(Shape):
    """The last 24 hours of an account; the cost lacks the ``unpriced`` turns."""

    window = text(among=("24h",))
    requests = count()
    failed = count()
    tokens = count()
    cost_usd = text()
    unpriced = count()
    last_used_at = out(Instant, null=True)
    tokens_hourly = list_of(fields.Integer())


class Drain(Shape):
    """An account that finishes its turns and is paused then; ``in_flight`` counts those of the answering process."""

    in_flight = count()


class Upstream(Shape):
    """A ChatGPT account that serves turns; e-mail masked, ids shortened."""

    id = out(fields.UUID)
    version = count()
    label = text()
    email = text(null=True)
    account_ref = text()
    workspace = nested(Workspace, null=True)
    plan = nested(Plan)
    onboarding_method = text(among=ONBOARDING_METHODS)
    status = text(among=ACCOUNT_STATES)
    status_reason = text(null=True)
    readiness = nested(Readiness)
    credential = nested(Credential)
    pools = list_of(Ref)
    windows = list_of(QuotaWindow)
    quota = nested(Quota)
    burn = nested(TokenBurn)
    saved_resets = nested(SavedResetsBrief)
    in_flight = count()
    drain = nested(Drain, null=True)
    notes = text(null=True)
    tags = list_of(fields.String())
    egress_proxy = text(null=True)
    usage = nested(UpstreamUsage)
    created_at = out(Instant)
    updated_at = out(Instant)
    allowed_actions = list_of(AllowedAction)


class UpstreamPage(Shape):
    """All accounts the caller sees."""

    items = list_of(Upstream)
    page = nested(PageInfo)


class UpstreamPatch(Shape):
    """What to change about an account."""

    label = line(1, 100)
    notes = fields.String(validate=validate.Length(max=4000), allow_none=True)
    tags = fields.List(line(1, 40), validate=validate.Length(max=MOST_TAGS))
    egress_proxy = fields.String(
        validate=validate.Length(1, 500),
        allow_none=True,
        metadata={"description": "http, https, socks5 or socks5h; null: none. What is answered hides the password"},
    )


BULK_ACTIONS = ("pause", "drain", "reactivate", "refresh", "tag", "untag")


class UpstreamBulkInput(Shape):
    """One action for many accounts; ``tags`` goes with tag and untag."""

    ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, 200))
    action = fields.String(required=True, validate=validate.OneOf(BULK_ACTIONS))
    tags = fields.List(line(1, 40), validate=validate.Length(1, 20))


class BulkProblem(Shape):
    """Why an account was left as it is."""

    code = text()
    detail = text()


class BulkResult(Shape):
    """What became of one account; ``problem`` says why not."""

    id = out(fields.UUID)
    ok = out(fields.Boolean)
    problem = nested(BulkProblem, null=True)


class UpstreamBulk(Shape):
    """In the order that was asked for."""

    results = list_of(BulkResult)


class ProbeInput(Shape):
    """Which model to try; without one the smallest that the account is known to have."""

    model = line(1, 160)


class ProbeError(Shape):
    """Why the account did not answer, by code, and in the backend's or our own words."""

    code = text()
    detail = text(null=True)


class ProbeResult(Shape):
    """What came of one tiny real turn; ``status`` is the backend's own, null when it never answered."""

    ok = out(fields.Boolean)
    model = text()
    status = count(null=True)
    latency_ms = count()
    ttft_ms = count(null=True)
    error = nested(ProbeError, null=True)


class DeleteConfirmation(Shape):
    """The account's label, typed again, for those who want to be asked."""

    confirm_label = fields.String()
