"""Shapes of the ways in which a login comes in: files, access tokens, and sign-ins by browser or device code."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from codex_pooler.accounts.flows import KINDS
from codex_pooler.web.admin.schemas.common import Instant, Ref, Shape, count, line, list_of, nested, out, text
from codex_pooler.web.admin.schemas.upstreams import Upstream

FLOW_STATES = ("pending", "authorizing", "completed", "failed", "expired", "cancelled")
MOST_DOCUMENTS = 200


def proxy() -> Any:
    """The address of a proxy, for input; it is checked where it is used, and shown to nobody again."""
    return fields.String(
        allow_none=True,
        validate=validate.Length(max=1024),
        metadata={"description": "http, https, socks5 or socks5h; may hold user and password"},
    )


class CredentialsInput(Shape):
    """A login: a Codex ``auth.json``, as an object or as its text, or a personal access token with its expiry."""

    auth_json = fields.Raw(metadata={"description": "the file's object, or its text; at most 64 KiB"})
    access_token = fields.String(
        validate=validate.Length(max=5000), metadata={"description": "a personal access token; it begins with at-"}
    )
    expires_at = Instant(allow_none=True, metadata={"description": "when the access token stops working, if it does"})

    @validates_schema
    def _one_login(self, data: dict[str, Any], **kwargs: Any) -> None:
        if ("auth_json" in data) == ("access_token" in data):
            raise ValidationError("Give either an auth.json or an access token.", "auth_json")
        if data.get("expires_at") and "access_token" not in data:
            raise ValidationError("Only an access token needs to be told when it expires.", "expires_at")


class ImportInput(CredentialsInput):
    """A login, the pool that gets the account, and the proxy that its requests shall leave through."""

    pool_id = fields.UUID(required=True)
    label = line(1, 100, allow_none=True)
    egress_proxy = proxy()


class ImportResult(Shape):
    """The imported account, and whether it is new."""

    result = text(among=("created", "updated"))
    account = nested(Upstream)


class ImportManyInput(Shape):
    """Texts that hold one ``auth.json`` each, a JSON array of them, or one on each line."""

    pool_id = fields.UUID(required=True)
    documents = fields.List(
        fields.String(required=True), required=True, validate=validate.Length(min=1, max=MOST_DOCUMENTS)
    )
    egress_proxy = proxy()


class ImportProblem(Shape):
    """Why a login was not imported, and what to do."""

    code = text()
    title = text()
    detail = text()


class ImportedItem(Shape):
    """What became of one login: number ``position`` (from 0) in document number ``index``."""

    index = count()
    position = count()
    result = text(among=("created", "updated", "failed"))
    account = nested(Upstream, null=True)
    problem = nested(ImportProblem, null=True)


class ImportManyResult(Shape):
    """What became of each login, in their order."""

    items = list_of(ImportedItem)


class FlowInput(Shape):
    """A sign-in to begin; with ``upstream_id`` it gives that account a new login."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    pool_id = fields.UUID(required=True)
    upstream_id = fields.UUID(allow_none=True)
    egress_proxy = proxy()


class FlowCallback(Shape):
    """The address that the browser ended at."""

    callback_url = fields.String(required=True, validate=validate.Length(max=16_384))


class FlowProblem(Shape):
    """Why a sign-in ended, or, while it is pending, why the last attempt did not get through."""

    code = text()
    detail = text()


class FlowOutcome(Shape):
    """The account that has the login now, and whether it is new."""

    upstream_id = out(fields.UUID)
    created = out(fields.Boolean)


class OAuthFlow(Shape):
    """A sign-in on its way; link and code are there only while it is pending."""

    id = out(fields.UUID)
    kind = text(among=KINDS)
    state = text(among=FLOW_STATES)
    pool = nested(Ref)
    upstream_id = out(fields.UUID, null=True)
    authorize_url = text(null=True)
    user_code = text(null=True)
    verification_url = text(null=True)
    interval_s = count(null=True)
    expires_at = out(Instant)
    error = nested(FlowProblem, null=True)
    result = nested(FlowOutcome, null=True)
