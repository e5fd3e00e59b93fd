"""The admin API as an application to mount: every endpoint behind request id, problem documents and the guard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import aiohttp_session
from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from psycopg2 import errors as pg

from codex_pooler.accounts.access_tokens import AccessTokenError
from codex_pooler.accounts.auth_json import AuthJsonError
from codex_pooler.accounts.bundle import BundleRefused
from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.importing import AccountGone, IdentityConflict, IdentityMismatch
from codex_pooler.accounts.invites import InviteRefused
from codex_pooler.accounts.moving import NotMovable
from codex_pooler.accounts.states import AccountActionRefused
from codex_pooler.keys.editing import KeyEditRefused
from codex_pooler.keys.lifecycle import KeyActionRefused
from codex_pooler.operators.bootstrap import AlreadyBootstrapped
from codex_pooler.operators.passwords import WeakPassword
from codex_pooler.operators.sessions import SessionStorage
from codex_pooler.operators.throttle import LoginThrottle, Throttled
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.web.admin import (
    api_keys,
    audit_logs,
    bootstrap,
    bundles,
    client_configs,
    cockpit,
    events,
    forecast,
    invites,
    jobs,
    meta,
    oauth_flows,
    pools,
    request_logs,
    routing,
    saved_resets,
    session,
    settings,
    traffic,
    upstream_credentials,
    upstreams,
)
from codex_pooler.web.admin.api import Endpoint
from codex_pooler.web.admin.guard import LOGINS, admit
from codex_pooler.web.admin.live import BROADCASTER, Broadcaster
from codex_pooler.web.admin.openapi import DOCUMENT, rendered
from codex_pooler.web.admin.problems import Problem, not_found, problem_response, refused_field, request_id
from codex_pooler.web.context import CONTEXT, WebContext

log = logging.getLogger(__name__)
PAGES = (
    session,
    bootstrap,
    meta,
    pools,
    routing,
    upstreams,
    upstream_credentials,
    oauth_flows,
    cockpit,
    forecast,
    saved_resets,
    api_keys,
    invites,
    request_logs,
    traffic,
    client_configs,
    events,
    settings,
    audit_logs,
    bundles,
    jobs,
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for page in PAGES for endpoint in page.api.endpoints)
CLOSE = {"Connection": "close"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def admin_app(context: WebContext, broadcaster: Broadcaster | None = None) -> web.Application:
    """The application to mount at ``/api/admin/v1``; whoever writes log rows publishes through ``broadcaster``."""
    storage = SessionStorage(context.database, secure=context.config.origin.startswith("https://"))
    app = web.Application(middlewares=[_problems, aiohttp_session.session_middleware(storage)])
    app[CONTEXT] = context
    app[BROADCASTER] = broadcaster or Broadcaster()
    app[DOCUMENT] = openapi
    app[LOGINS] = LoginThrottle()
    app.on_shutdown.append(_close_channels)
    for endpoint in ENDPOINTS:
        app.router.add_route(endpoint.method, endpoint.path, _guarded(endpoint), name=endpoint.name)
    return app


def openapi() -> str:
    """The OpenAPI 3.1 document as JSON; the same code always gives the same text."""
    return _rendered()


@cache
def _rendered() -> str:
    return rendered(ENDPOINTS)


def _guarded(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await admit(request, endpoint)
        return await endpoint.answer(request, caller)

    return handle


async def _close_channels(app: web.Application) -> None:
    app[BROADCASTER].close()


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into a problem document, and forbid caching."""
    try:
        response = await handler(request)
    except Exception as exc:
        response = problem_response(request, as_problem(exc))
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def as_problem(exc: Exception) -> Problem:
    """The problem an exception means to the caller; unknown ones are logged and told as an internal error."""
    if isinstance(exc, Problem):
        return exc
    for kind, translate in TRANSLATIONS:
        if isinstance(exc, kind):
            return translate(exc)
    log.error("admin request failed", exc_info=exc)
    return Problem(500, "internal_error", "Something went wrong here; the log has the details.")


def _http(exc: web.HTTPException) -> Problem:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
    return Problem(exc.status, codes.get(exc.status, "bad_request"), exc.reason, headers=headers)


def _unavailable(_: Exception) -> Problem:
    detail = "The database does not answer. Traffic goes on; try again in a moment."
    return Problem(503, "database_unavailable", detail, headers={"Retry-After": "2"})


def _throttled(exc: Throttled) -> Problem:
    detail = f"Too many attempts. Wait {exc.retry_after_seconds} seconds."
    return Problem(429, "login_throttled", detail, headers={"Retry-After": str(exc.retry_after_seconds)})


BUNDLE_FIELDS = {"weak_passphrase": "/passphrase", "wrong_passphrase": "/passphrase"}

# First match wins.
TRANSLATIONS: tuple[tuple[Any, Callable[[Any], Problem]], ...] = (
    (BundleRefused, lambda e: refused_field(BUNDLE_FIELDS.get(e.code, "/bundle"), e.code, str(e))),
    (NotMovable, lambda e: Problem(409, "not_exportable", str(e))),
    (AuthJsonError, lambda e: Problem(422, e.code, e.message, errors=[("/auth_json", e.code, e.message)])),
    (AccessTokenError, lambda e: Problem(e.status, e.code, e.message, errors=[("/access_token", e.code, e.message)])),
    (IdentityConflict, lambda e: Problem(409, "identity_conflict", str(e))),
    (IdentityMismatch, lambda e: Problem(409, "identity_mismatch", str(e))),
    (AccountGone, lambda e: not_found()),
    ((AccountActionRefused, KeyActionRefused), lambda e: Problem(409, "invalid_state_transition", str(e))),
    ((FlowRefused, InviteRefused), lambda e: Problem(e.status, e.code, e.message)),
    (KeyEditRefused, lambda e: refused_field(e.pointer, e.code, e.message)),
    (
        AlreadyBootstrapped,
        lambda e: Problem(409, "bootstrap_already_completed", "This instance has an owner. Sign in."),
    ),
    (WeakPassword, lambda e: refused_field("/password", "weak_password", str(e))),
    (Throttled, _throttled),
    (pg.ForeignKeyViolation, lambda e: not_found()),
    (pg.QueryCanceled, lambda e: Problem(503, "query_too_slow", "That took too long. Choose a shorter time range.")),
    (UNAVAILABLE, _unavailable),
    (web.HTTPException, _http),
    (RequestPayloadError, lambda e: Problem(400, "malformed_body", "The body cannot be decoded.", headers=CLOSE)),
    (asyncio.IncompleteReadError, lambda e: Problem(400, "malformed_json", "The body ended early.")),
)
