"""The public API as an application to mount: no session, no cookie, and answers that nobody keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from codex_pooler.web.admin.api import Endpoint
from codex_pooler.web.admin.app import as_problem
from codex_pooler.web.admin.guard import admit
from codex_pooler.web.admin.live import BROADCASTER, Broadcaster
from codex_pooler.web.admin.problems import Problem, problem_response, request_id
from codex_pooler.web.context import CONTEXT, WebContext
from codex_pooler.web.public import invites
from codex_pooler.web.public.pace import TooFast

BASE_PATH = "/api/public/v1"
ENDPOINTS: tuple[Endpoint, ...] = tuple(invites.api.endpoints)
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def public_app(context: WebContext, broadcaster: Broadcaster | None = None) -> web.Application:
    """The application to mount at ``BASE_PATH``."""
    app = web.Application(middlewares=[_problems])
    app[CONTEXT] = context
    app[BROADCASTER] = broadcaster or Broadcaster()
    app[invites.PACES] = invites.Paces()
    for endpoint in ENDPOINTS:
        app.router.add_route(endpoint.method, endpoint.path, _guarded(endpoint), name=endpoint.name)
    return app


def _guarded(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        await admit(request, endpoint)
        return await endpoint.answer(request, None)

    return handle


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into a problem document; the address holds a secret, and so no answer repeats it."""
    try:
        response = await handler(request)
    except TooFast as exc:
        wait = str(exc.retry_after_seconds)
        detail = f"Too many requests. Wait {wait} seconds."
        response = problem_response(
            request, Problem(429, "rate_limited", detail, headers={"Retry-After": wait}), instance=BASE_PATH
        )
    except Exception as exc:
        response = problem_response(request, as_problem(exc), instance=BASE_PATH)
    response.headers.update(HEADERS)
    response.headers["X-Request-Id"] = request_id(request)
    return response
