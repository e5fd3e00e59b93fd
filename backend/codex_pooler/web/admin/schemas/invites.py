"""Shapes of invites; the link is only in the answers that make one."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.web.admin.schemas.common import (
    Instant,
    Line,
    PageInfo,
    PastRef,
    Ref,
    Shape,
    line,
    list_of,
    nested,
    out,
    text,
    whole,
)
from codex_pooler.web.admin.schemas.mail import Email

STATES = ("active", "accepted", "expired", "revoked")
MAIL_STATES = ("not_sent", "queued", "sent", "failed")
LONGEST_HOURS = 30 * 24


class InviteListQuery(Shape):
    """Repeat a parameter for "one of these"; different parameters narrow the result together."""

    pool_id = fields.List(fields.UUID(), validate=validate.Length(max=50))
    status = fields.List(fields.String(validate=validate.OneOf(STATES)), validate=validate.Length(max=4))
    q = Line(validate=validate.Length(max=100))
    cursor = fields.String(validate=validate.Length(max=200))
    limit = fields.Integer(validate=validate.Range(1, 200))


class InviteInput(Shape):
    """Who is invited into which pool; ``upstream_id`` names the account that needs a new login."""

    pool_id = fields.UUID(required=True)
    email = Email(required=True)
    send_email = fields.Boolean()
    ttl_hours = whole(1, LONGEST_HOURS)
    note = line(0, 500, allow_none=True)
    issue_api_key = fields.Boolean()
    upstream_id = fields.UUID(allow_none=True)


class InviteAgain(Shape):
    """Whether the new link is mailed."""

    send_email = fields.Boolean()


class Reinvitation(Shape):
    """How the account's owner is asked for a new login; without a pool it is the account's first."""

    send_email = fields.Boolean()
    ttl_hours = whole(1, LONGEST_HOURS)
    pool_id = fields.UUID()
    note = line(0, 500, allow_none=True)


class InviteMail(Shape):
    """What became of the mail; queued with a code: it failed and is tried again."""

    state = text(among=MAIL_STATES)
    sent_at = out(Instant, null=True)
    error_code = text(null=True)


class InviteResult(Shape):
    """Who accepted it."""

    upstream_id = out(fields.UUID, null=True)
    accepted_email = text(null=True)
    accepted_at = out(Instant, null=True)


class Invite(Shape):
    """One invite; ``upstream_id`` is the account that it asks a new login for."""

    id = out(fields.UUID)
    status = text(among=STATES)
    pool = nested(Ref)
    upstream_id = out(fields.UUID, null=True)
    invited_email = text()
    invited_by = nested(PastRef, null=True)
    note = text(null=True)
    issue_api_key = out(fields.Boolean)
    email = nested(InviteMail)
    result = nested(InviteResult)
    created_at = out(Instant)
    expires_at = out(Instant)


class InviteWithUrl(Invite):
    """With the link, which is shown this once."""

    url = text()


class InvitePage(Shape):
    """One page, newest first."""

    items = list_of(Invite)
    page = nested(PageInfo)
