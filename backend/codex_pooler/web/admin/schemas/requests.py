"""Shapes of the request log, its filters, and the traffic chart."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from codex_pooler.storage.tables import REQUEST_STATES
from codex_pooler.web.admin.schemas.common import (
    Instant,
    Line,
    PageInfo,
    PastRef,
    Ref,
    Shape,
    count,
    list_of,
    nested,
    out,
    text,
)

TRANSPORTS = ("http_sse", "http_json", "http_multipart", "websocket")
RANGES = ("1h", "6h", "24h", "7d", "30d")


def _several(kind: fields.Field[Any]) -> fields.List[Any]:
    return fields.List(kind, validate=validate.Length(max=50))


class RequestFilter(Shape):
    """Repeat a parameter for "one of these"; different parameters narrow the result together."""

    status = _several(fields.String(validate=validate.OneOf(REQUEST_STATES)))
    model = _several(Line())
    pool_id = _several(fields.UUID())
    account_id = _several(fields.UUID())
    api_key_id = _several(fields.UUID())
    transport = _several(fields.String(validate=validate.OneOf(TRANSPORTS)))
    q = Line(validate=validate.Length(max=100))
    since = Instant(data_key="from")
    until = Instant(data_key="to")


class RequestListQuery(RequestFilter):
    """The filters, and which page."""

    cursor = fields.String(validate=validate.Length(max=200))
    limit = fields.Integer(validate=validate.Range(1, 200))


class TokenUsage(Shape):
    """Tokens of a turn; ``input`` includes ``cached_input`` and ``cache_write``, ``output`` includes ``reasoning``."""

    state = text(among=("final", "missing"))
    input = count()
    cached_input = count()
    cache_write = count()
    output = count()
    reasoning = count()
    total = count()


class TurnCost(Shape):
    """What a turn costs at list prices.

    ``usd`` is a decimal with six places, null unless ``state`` is ``priced``; ``pricing_status`` says why.
    """

    usd = text(null=True)
    state = text(among=("priced", "unpriced", "unknown"))
    pricing_status = text(null=True)


class RequestLog(Shape):
    """One turn: metadata only.

    ``requested_model`` is null unless the key's policy or an alias of the pool replaced it by ``model``, and
    ``served_model`` unless the backend says that another model answered than ``model``.
    """

    id = out(fields.UUID)
    admitted_at = out(Instant)
    completed_at = out(Instant, null=True)
    status = text(among=REQUEST_STATES)
    http_status = count(null=True)
    error_code = text(null=True)
    model = text(null=True)
    requested_model = text(null=True)
    served_model = text(null=True)
    effort = text(null=True)
    service_tier = text(null=True)
    route = text()
    transport = text(among=TRANSPORTS)
    client = text(null=True)
    pool = nested(PastRef, null=True)
    api_key = nested(PastRef, null=True)
    account = nested(PastRef, null=True)
    attempts = count()
    ttft_ms = count(null=True)
    duration_ms = count()
    usage = nested(TokenUsage, null=True)
    cost = nested(TurnCost, null=True)


class Attempt(Shape):
    """One account that was tried; ``started_ms`` counts from admission."""

    number = count()
    account = nested(PastRef, null=True)
    started_ms = count()
    duration_ms = count()
    outcome = text(among=("served", "failed_over", "failed", "cancelled"))
    http_status = count(null=True)
    error_code = text(null=True)
    reason = text(null=True)


class Exclusion(Shape):
    """How many accounts could not be candidates for one reason."""

    reason = text()
    accounts = count()


class LeftOutAccount(Ref):
    """An account that could not serve the turn, the first reason, and when that reason ends, where known."""

    code = text()
    until = out(Instant, null=True)


class Routing(Shape):
    """How the account was chosen: those that could serve in the order they would be tried, and those that could not.

    ``affinity`` tells what the session's own account had to do with it; ``more_left_out`` counts those not listed.
    """

    strategy = text()
    affinity = text()
    ranked = list_of(Ref)
    left_out = list_of(LeftOutAccount)
    more_left_out = count()


class RequestLogDetail(RequestLog):
    """One turn with its attempts.  ``session`` is a digest that tells sessions apart and names none."""

    attempt_log = list_of(Attempt)
    excluded = list_of(Exclusion)
    routing = nested(Routing, null=True)
    session = text(null=True)
    client_ip = text(null=True)
    request_bytes = count()
    response_bytes = count()


class RequestPageInfo(PageInfo):
    """As every page, with an estimate of the whole on the first one; it stops counting at 10,000."""

    total_estimate = count(null=True)


class RequestLogPage(Shape):
    """Newest first."""

    items = list_of(RequestLog)
    page = nested(RequestPageInfo)


class Facet(Shape):
    """A value the filtered turns have, and how many have it."""

    value = text()
    label = text()
    count = count()


class RequestFacets(Shape):
    """Counts per value over the newest 10,000 matching turns."""

    status = list_of(Facet)
    model = list_of(Facet)
    pool = list_of(Facet)
    account = list_of(Facet)
    api_key = list_of(Facet)
    transport = list_of(Facet)


class RequestHistogram(Shape):
    """Turns per step of time, in columns; ``t`` is the start of each step in Unix seconds."""

    step_seconds = count()
    t = list_of(fields.Integer())
    succeeded = list_of(fields.Integer())
    failed = list_of(fields.Integer())
    rejected = list_of(fields.Integer())
    cancelled = list_of(fields.Integer())


class TrafficQuery(Shape):
    """How far back, and for which pool."""

    range = fields.String(validate=validate.OneOf(RANGES))
    pool_id = fields.UUID()


class Traffic(Shape):
    """Traffic per step of time, in columns.

    Costs are in millionths of a US dollar; ``unpriced`` counts the turns whose tokens have no known price.
    """

    range = text(among=RANGES)
    step_seconds = count()
    pool_id = out(fields.UUID, null=True)
    t = list_of(fields.Integer())
    requests = list_of(fields.Integer())
    errors = list_of(fields.Integer())
    input_tokens = list_of(fields.Integer())
    cached_tokens = list_of(fields.Integer())
    cache_write_tokens = list_of(fields.Integer())
    output_tokens = list_of(fields.Integer())
    reasoning_tokens = list_of(fields.Integer())
    cost_micros = list_of(fields.Integer())
    unpriced = list_of(fields.Integer())
    ttft_avg_ms = list_of(fields.Integer(allow_none=True))
