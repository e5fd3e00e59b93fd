"""The one place that turns what the rooms raise into HTTP for the runtime surface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from codex_pooler.gateway.admission import Overloaded
from codex_pooler.keys.lookup import KeyRefused
from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.protocol.errors import error_body
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.web.bodies import BodyRefused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(
    status: int, code: str, message: str, *, param: str | None = None, retry_after: int | None = None
) -> web.Response:
    """An error in the envelope that Codex and the OpenAI SDKs parse.  ``retry_after``: seconds."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = error_body(code, message, kind=kind, **({"param": param} if param else {}))
    headers = {"cache-control": "no-store"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if status == 426:
        headers["upgrade"] = "HTTP/1.1"
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run a runtime handler; whatever it refuses becomes an error body."""
    try:
        return await handler(request)
    except KeyRefused as exc:
        return refusal(401, exc.code, exc.message)
    except PolicyRefused as exc:
        return refusal(exc.status, exc.code, exc.message, param=exc.param)
    except Overloaded as exc:
        return refusal(503, "server_is_overloaded", exc.message, retry_after=exc.retry_after)
    except BadRequest as exc:
        return refusal(400, "invalid_request", exc.message, param=exc.param)
    except BodyRefused as exc:
        response = refusal(exc.status, exc.code, exc.message)
        response.force_close()  # the rest of that body still stands between us and a next request
        return response
    except (ConnectionResetError, asyncio.IncompleteReadError):  # the client left while it was sending
        raise asyncio.CancelledError from None


def not_found(request: web.Request) -> web.Response:
    """Unknown paths of the API surfaces: small, quick, and never the console."""
    return refusal(404, "not_found", "there is no such route here; see the client documentation for the paths that are")
