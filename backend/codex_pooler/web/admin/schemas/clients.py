"""Shapes of ready-made client configurations and of the live channel's query."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.web.admin.schemas.common import PageInfo, Shape, line, list_of, nested, out, text
from codex_pooler.web.clients.filling import LANGUAGES
from codex_pooler.web.clients.tools import KINDS, TOOLS

TOPICS = ("pools", "upstreams", "keys", "invites", "requests", "settings", "jobs")


class ClientConfigQuery(Shape):
    """For which tool (all without), for which pool's models (those of every pool without), and with which of them."""

    tool = fields.String(validate=validate.OneOf(TOOLS))
    pool_id = fields.UUID()
    model = line()


class ClientConfigSnippet(Shape):
    """A text to paste into ``file``, or to type or read where that is null; it holds no secret."""

    title = text()
    file = text(null=True)
    language = text(among=LANGUAGES)
    text = text()
    notes = list_of(fields.String())


class ClientConfigVariant(Shape):
    """One way to configure the tool."""

    id = text()
    title = text()
    default = out(fields.Boolean)
    snippets = list_of(ClientConfigSnippet)


class ClientConfigTrouble(Shape):
    """What may be seen, and what to do about it."""

    symptom = text()
    remedy = text()


class ClientConfig(Shape):
    """Everything one needs to connect a tool; the key comes from the environment."""

    tool = text(among=TOOLS)
    title = text()
    kind = text(among=KINDS)
    base_url = text()
    notes = list_of(fields.String())
    variants = list_of(ClientConfigVariant)
    verify = nested(ClientConfigSnippet)
    troubleshooting = list_of(ClientConfigTrouble)


class ClientConfigPage(Shape):
    """One entry per tool."""

    items = list_of(ClientConfig)
    page = nested(PageInfo)


class EventsQuery(Shape):
    """Comma-separated topics; without them all."""

    topics = fields.String(validate=validate.Length(max=200))
