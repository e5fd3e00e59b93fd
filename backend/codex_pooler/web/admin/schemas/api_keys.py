"""Shapes of pool API keys; the secret is only in the answers to create and rotate."""

from __future__ import annotations

from marshmallow import fields, validate

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


class KeyModels(Shape):
    """Which models the key may use; ``ids`` is empty when ``mode`` is ``all``."""

    mode = text(among=("all", "selected"))
    ids = list_of(fields.String())


class KeyUsage(Shape):
    """The last 24 hours of a key; the cost lacks the ``unpriced`` turns."""

    window = text(among=("24h",))
    requests = count()
    failed = count()
    tokens = count()
    cost_usd = text()
    unpriced = count()
    tokens_hourly = list_of(fields.Integer())


class ApiKey(Shape):
    """A key that clients send to use one pool."""

    id = out(fields.UUID)
    version = count()
    name = text()
    prefix = text()
    pool = nested(Ref)
    status = text(among=("active", "paused", "revoked", "expired"))
    expires_at = out(Instant, null=True)
    last_used_at = out(Instant, null=True)
    models = nested(KeyModels)
    usage = nested(KeyUsage)
    created_at = out(Instant)
    updated_at = out(Instant)
    allowed_actions = list_of(AllowedAction)


class ApiKeyWithSecret(ApiKey):
    """A key with its secret, shown this once."""

    secret = text()


class ApiKeyPage(Shape):
    """All keys the caller sees."""

    items = list_of(ApiKey)
    page = nested(PageInfo)


class ApiKeyPatch(Shape):
    """What to change about a key; ``allowed_models`` null means all models."""

    name = line(1, 100)
    expires_at = Instant(allow_none=True)
    allowed_models = fields.List(line(1, 200), allow_none=True, validate=validate.Length(max=200))


class ApiKeyInput(ApiKeyPatch):
    """A new key; without ``expires_at`` it lives until it is revoked."""

    name = line(1, 100, required=True)
    pool_id = fields.UUID(required=True)
