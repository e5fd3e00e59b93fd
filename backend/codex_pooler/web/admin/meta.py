"""Facts about the instance, and the description of this API."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from codex_pooler.storage.queries_nodes import ALIVE, ALIVE_SECONDS
from codex_pooler.web.admin.api import PUBLIC, SIGNED_IN, Api, Call
from codex_pooler.web.admin.openapi import DOCUMENT
from codex_pooler.web.admin.schemas.session import Meta

api = Api("meta")


@api.endpoint("GET", "/meta", needs=SIGNED_IN, returns=Meta)
async def get_meta(call: Call) -> Any:
    """Version, address and database of this instance."""
    context = call.context
    async with context.database.session() as session:
        alive = await session.fetch(ALIVE, seconds=ALIVE_SECONDS)
    return {
        "version": context.version,
        "origin": context.config.origin,
        "started_at": context.started_at,
        "database": "external" if context.config.database_url else "embedded",
        "timezone_list": None,
        "roles_alive": sorted({node.role for node in alive}),
    }


@api.endpoint("GET", "/openapi.json", needs=PUBLIC)
async def get_openapi(call: Call) -> Any:
    """This API as an OpenAPI 3.1 document."""
    return web.Response(text=call.request.app[DOCUMENT](), content_type="application/json")
