"""Shapes of the audit trail and its filters."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from codex_pooler.web.admin.schemas.common import Instant, Line, PageInfo, Ref, Shape, list_of, nested, out, text

ACTOR_TYPES = ("user", "api_token", "system", "visitor")
OUTCOMES = ("success", "failure")


def _several(kind: fields.Field[Any]) -> fields.List[Any]:
    return fields.List(kind, validate=validate.Length(max=50))


class AuditQuery(Shape):
    """Repeat a parameter for "one of these"; different parameters narrow the result together."""

    action = _several(Line(validate=validate.Length(max=100)))
    actor_id = _several(fields.UUID())
    actor_type = _several(fields.String(validate=validate.OneOf(ACTOR_TYPES)))
    target_id = _several(fields.UUID())
    target_type = _several(Line(validate=validate.Length(max=100)))
    pool_id = _several(fields.UUID())
    outcome = _several(fields.String(validate=validate.OneOf(OUTCOMES)))
    q = Line(validate=validate.Length(max=100))
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    cursor = fields.String(validate=validate.Length(max=200))
    limit = fields.Integer(validate=validate.Range(1, 200))


class AuditActor(Shape):
    """Who did it; ``label`` is the name at that time."""

    type = text(among=ACTOR_TYPES)
    id = out(fields.UUID, null=True)
    label = text(null=True)


class AuditTarget(Shape):
    """What it was done to; the label is the one of that time, the object may be gone."""

    type = text()
    id = out(fields.UUID, null=True)
    label = text(null=True)


class AuditChange(Shape):
    """One field that was changed; without ``shown`` its values are not kept."""

    field = text()
    shown = out(fields.Boolean)
    before = out(fields.Raw, null=True)
    after = out(fields.Raw, null=True)


class AuditLog(Shape):
    """One thing that was done, or that happened by itself."""

    id = out(fields.UUID)
    occurred_at = out(Instant)
    actor = nested(AuditActor)
    action = text()
    target = nested(AuditTarget)
    pools = list_of(Ref)
    outcome = text(among=OUTCOMES)
    reason = text(null=True)
    client_ip = text(null=True)
    request_id = text(null=True)
    changes = list_of(AuditChange)
    details = out(fields.Dict)


class AuditPage(Shape):
    """One page, newest first."""

    items = list_of(AuditLog)
    page = nested(PageInfo)
