"""Every route under ``/v1``."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.web.runtime.v1.audio import add_v1_audio_routes
from codex_pooler.web.runtime.v1.chat import add_chat_routes
from codex_pooler.web.runtime.v1.files import add_v1_file_routes
from codex_pooler.web.runtime.v1.images import add_v1_image_routes
from codex_pooler.web.runtime.v1.messages import add_message_routes
from codex_pooler.web.runtime.v1.models import add_model_routes
from codex_pooler.web.runtime.v1.responses import add_responses_routes
from codex_pooler.web.runtime.v1.unsupported import add_unsupported_routes
from codex_pooler.web.runtime.v1.usage import add_usage_route


def add_v1_routes(app: web.Application) -> None:
    """Register what tools that do not speak Codex may ask for."""
    add_v1_audio_routes(app)
    add_chat_routes(app)
    add_v1_file_routes(app)
    add_v1_image_routes(app)
    add_message_routes(app)
    add_model_routes(app)
    add_responses_routes(app)
    add_usage_route(app)
    add_unsupported_routes(app)  # the last: it takes what is left
