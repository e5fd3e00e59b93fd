"""Shapes of ready-made client configurations and of the live channel's query."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.web.admin.schemas.common import PageInfo, Shape, list_of, nested, text

TOPICS = ("pools", "upstreams", "keys", "invites", "requests", "settings", "jobs")
TOOLS = ("codex", "curl", "openai-python", "openai-node")


class ClientConfigQuery(Shape):
    """For which pool."""

    pool_id = fields.UUID()


class ClientConfig(Shape):
    """What to paste where; the key comes from the environment, so the text holds no secret."""

    tool = text(among=TOOLS)
    title = text()
    language = text(among=("toml", "shell", "python", "javascript"))
    file = text(null=True)
    body = text()
    notes = list_of(fields.String())


class ClientConfigPage(Shape):
    """One entry per tool."""

    items = list_of(ClientConfig)
    page = nested(PageInfo)


class EventsQuery(Shape):
    """Comma-separated topics; without them all."""

    topics = fields.String(validate=validate.Length(max=200))
