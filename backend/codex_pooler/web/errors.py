"""The one place that turns what the rooms raise into HTTP for the runtime surface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiohttp import web

from codex_pooler.gateway.admission import Overloaded
from codex_pooler.gateway.files import FileRefused
from codex_pooler.keys.lookup import KeyRefused
from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.protocol.dialects import NATIVE, Dialect
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.web.bodies import BodyRefused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUS_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"www-authenticate": "Bearer"},
    426: {"upgrade": "HTTP/1.1"},
}
GIVE_UP: Mapping[str, str] = {"x-should-retry": "false"}  # both makers' SDKs would try again twice otherwise
REFUSALS = (KeyRefused, PolicyRefused, FileRefused, Overloaded, BadRequest, BodyRefused)


def refusal(
    status: int, code: str, message: str, *, param: str | None = None, retry_after: int | None = None
) -> web.Response:
    """An error in the envelope that Codex and the OpenAI SDKs parse.  ``retry_after``: seconds."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return refused(Failure(status, code, message, kind, retry_after, param=param), NATIVE)


def refused(failure: Failure, dialect: Dialect, more: Iterable[tuple[str, str]] = ()) -> web.Response:
    """The answer to a request that failed before anything was sent; ``more`` headers tell of limits, for one."""
    status, body = dialect.status(failure), dialect.body(failure)
    headers = {"cache-control": "no-store", **dict(more), **STATUS_HEADERS.get(status, {}), **dict(failure.headers)}
    if dialect.request_id:
        headers.setdefault(dialect.request_id, uuid7_text())
    if failure.lasts:
        headers |= GIVE_UP
    if failure.retry_after is not None:
        headers["retry-after"] = str(failure.retry_after)
    kind = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/plain"
    return web.Response(status=status, body=body, headers=headers, content_type=kind)


def failure_of(exc: Exception) -> Failure:
    """What one of REFUSALS is to the client."""
    match exc:
        case KeyRefused():
            return Failure(401, exc.code, exc.message, "invalid_request_error")
        case PolicyRefused():
            return Failure(exc.status, exc.code, exc.message, "invalid_request_error", param=exc.param)
        case FileRefused():
            kind = "server_error" if exc.status >= 500 else "invalid_request_error"
            return Failure(exc.status, exc.code, exc.message, kind)
        case Overloaded():
            return exc.failure()
        case BadRequest():
            return Failure(400, exc.code, exc.message, "invalid_request_error", param=exc.param)
        case BodyRefused():
            return Failure(exc.status, exc.code, exc.message, "invalid_request_error")
    raise exc


async def answered(request: web.Request, handler: Handler, dialect: Dialect = NATIVE) -> web.StreamResponse:
    """Run a runtime handler; whatever it refuses becomes an error body."""
    try:
        return await handler(request)
    except REFUSALS as exc:
        response = refused(failure_of(exc), dialect)
        if isinstance(exc, BodyRefused):
            response.force_close()  # the rest of that body still stands between us and a next request
        return response
    except (ConnectionResetError, asyncio.IncompleteReadError):  # the client left while it was sending
        raise asyncio.CancelledError from None


def not_found(request: web.Request) -> web.Response:
    """Unknown paths of the API surfaces: small, quick, and never the console."""
    return refusal(404, "not_found", "there is no such route here; see the client documentation for the paths that are")
