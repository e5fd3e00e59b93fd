"""Shapes of an explanation: how a request would be routed in a pool now, and why."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.routing.request import PROXY_STREAM, ROUTE_CLASSES
from codex_pooler.storage.tables import STRATEGIES
from codex_pooler.web.admin.schemas.common import Instant, Line, PageInfo, Ref, Shape, count, list_of, nested, out, text

AFFINITIES = ("none", "owner", "owner_passed_over", "pinned")
CELL_STATES = ("closed", "demoted", "open", "half_open")
GRADES = ("known_good", "unknown", "on_credits", "blocked")


class ExplainQuery(Shape):
    """The request to imagine.  A ``session`` is what a client's header calls it; it belongs to the key named."""

    model = Line(load_default="", validate=validate.Length(max=200))
    route_class = fields.String(load_default=PROXY_STREAM, validate=validate.OneOf(ROUTE_CLASSES))
    session = Line(validate=validate.Length(1, 500))
    api_key_id = fields.UUID()


class RoutingReason(Shape):
    """What is in an account's way, or why it goes last; ``until`` when that is known to end."""

    gate = text()
    code = text()
    until = out(Instant, null=True)


class RoutingCandidate(Shape):
    """An account of the pool: ``rank`` counts from 1 in the order they would be tried, null when it cannot serve."""

    account = nested(Ref)
    rank = count(null=True)
    usable = out(fields.Boolean)
    reasons = list_of(RoutingReason)
    priority = count()
    weight = out(fields.Float)
    quota = text(among=GRADES)
    remaining_percent = out(fields.Float, null=True)
    in_flight = count()


class RouteTrouble(Shape):
    """What an account failed at lately on one kind of route.

    ``open``: left alone until ``retry_at``; ``half_open``: one turn may try it; ``demoted``: others go first.
    """

    route_class = text(among=ROUTE_CLASSES)
    state = text(among=CELL_STATES)
    failures = count()
    last_error = text()
    failed_at = out(Instant)
    retry_at = out(Instant, null=True)


class RouteTroubles(Shape):
    """Everything an account failed at lately; kinds of route that work are not listed."""

    items = list_of(RouteTrouble)
    page = nested(PageInfo)


class RoutingAffinity(Shape):
    """What became of the account that the session is bound to, and the reason when it was passed over."""

    kind = text(among=AFFINITIES)
    account = nested(Ref, null=True)
    reason = text(null=True)


class RoutingExplanation(Shape):
    """Every account of the pool with its rank or what is in its way, as this process sees it."""

    pool = nested(Ref)
    model = text()
    route_class = text(among=ROUTE_CLASSES)
    strategy = text(among=STRATEGIES)
    max_attempts = count()
    evaluated_at = out(Instant)
    affinity = nested(RoutingAffinity)
    candidates = list_of(RoutingCandidate)
