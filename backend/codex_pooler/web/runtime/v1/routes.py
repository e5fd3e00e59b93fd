"""Every route under ``/v1``."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.web.runtime.v1.chat import add_chat_routes
from codex_pooler.web.runtime.v1.messages import add_message_routes
from codex_pooler.web.runtime.v1.responses import add_responses_routes
from codex_pooler.web.runtime.v1.unsupported import add_unsupported_routes


def add_v1_routes(app: web.Application) -> None:
    """Register what tools that do not speak Codex may ask for."""
    add_chat_routes(app)
    add_message_routes(app)
    add_responses_routes(app)
    add_unsupported_routes(app)  # the last: it takes what is left
