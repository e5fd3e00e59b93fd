"""``HEAD`` on the responses route, by which ``codex doctor`` finds out that there is something behind it."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.keys.lookup import authenticate
from codex_pooler.web.errors import answered, refusal
from codex_pooler.web.runtime.caller import HOUSE, KEYRING


async def probe_responses(request: web.Request) -> web.StreamResponse:
    """401 without a key, which tells the doctor that the route exists; 405 with one."""
    return await answered(request, _probe_responses)


async def _probe_responses(request: web.Request) -> web.StreamResponse:
    authenticate(request.headers, request.app[HOUSE].snapshot.current, request.app[KEYRING])
    response = refusal(405, "method_not_allowed", "send POST, or GET with a websocket upgrade")
    response.headers["allow"] = "GET, POST"
    return response
