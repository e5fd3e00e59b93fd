"""Who may come in: identifies the caller, stops forged cross-site requests, checks the endpoint's permission."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp_session
from aiohttp import web

from codex_pooler.operators.access import Caller
from codex_pooler.operators.audit import operator_actor
from codex_pooler.operators.callers import caller_of_session, caller_of_token
from codex_pooler.operators.sessions import new_expiry
from codex_pooler.operators.throttle import LoginThrottle
from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.web.admin.api import PUBLIC, SIGNED_IN, VISITOR, Call, Changing, Endpoint
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.context import CONTEXT, WebContext

LOGINS = web.AppKey("logins", LoginThrottle)


async def admit(request: web.Request, endpoint: Endpoint) -> Caller | None:
    """The caller, when they may use the endpoint.  Raises Problem 401 or 403."""
    context = request.config_dict[CONTEXT]
    if endpoint.needs == PUBLIC:
        if endpoint.is_unsafe and not _same_site(request, context):
            raise _forged()
        return None
    caller = await identify(request, context)
    if endpoint.needs == VISITOR:
        return caller
    if caller is None:
        raise Problem(401, "not_authenticated", "Sign in, or send an operator access token.")
    if endpoint.is_unsafe and caller.via_session:
        await _check_forgery(request, context)
    if endpoint.needs != SIGNED_IN and not caller.may(endpoint.needs):
        raise _denied(caller, endpoint.needs)
    return caller


async def identify(request: web.Request, context: WebContext) -> Caller | None:
    """The operator behind the request, None for nobody.  With an ``Authorization`` header the cookie does not count."""
    if "Authorization" in request.headers:
        return await _identify_token(request, context)
    session = await aiohttp_session.get_session(request)
    if "operator_id" not in session:
        return None
    expires_at = datetime.fromisoformat(session["expires_at"])
    return await caller_of_session(context.database, UUID(session["operator_id"]), expires_at)


async def _identify_token(request: web.Request, context: WebContext) -> Caller:
    scheme, _, token = request.headers["Authorization"].partition(" ")
    known = scheme.lower() == "bearer" and await caller_of_token(context.database, context.keyring, token.strip())
    if not known:
        detail = "Send an operator access token (pat-cxp-…) that has not expired. Pool keys do not open this API."
        raise Problem(401, "token_invalid", detail, headers={"WWW-Authenticate": "Bearer"})
    return known


async def still_valid(request: web.Request, context: WebContext) -> bool:
    """Whether a long-lived request's caller is still let in; an unreachable database changes nothing."""
    request.pop(aiohttp_session.SESSION_KEY, None)
    try:
        return await identify(request, context) is not None
    except UNAVAILABLE:
        return True
    except Problem:
        return False


def _denied(caller: Caller, capability: str) -> Problem:
    if caller.via_session:
        return Problem(403, "capability_denied", "Your role does not allow this.")
    return Problem(403, "scope_missing", f"The token lacks {capability!r}, or its owner's role does not allow it.")


def _forged() -> Problem:
    return Problem(403, "csrf_failed", "The request does not come from this console. Load the page again.")


async def _check_forgery(request: web.Request, context: WebContext) -> None:
    """A session counts for a change only with its own token and from its own site."""
    sent = request.headers.get("X-CSRF-Token", "")
    known = await csrf_token(request, context)
    from_here = _same_site(request, context) and ("Origin" in request.headers or "Sec-Fetch-Site" in request.headers)
    if not from_here or not hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), known.encode()):
        raise _forged()


def _same_site(request: web.Request, context: WebContext) -> bool:
    """Browsers send ``Origin`` or ``Sec-Fetch-Site`` with every change; what sends neither is no browser."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    return origin == context.config.origin or urlsplit(origin).netloc == request.host


async def csrf_token(request: web.Request, context: WebContext) -> str:
    """The token that belongs to the request's session."""
    session = await aiohttp_session.get_session(request)
    digest = context.keyring.digest("csrf", str(session.identity))
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def start_session(call: Call, operator_id: UUID) -> Caller:
    """Sign an operator in: a new cookie goes out with the answer, the old one stops working."""
    expires_at = new_expiry()
    caller = await caller_of_session(call.context.database, operator_id, expires_at)
    if caller is None:
        raise Problem(401, "not_authenticated", "This operator may not sign in.")
    async with call.context.database.transaction() as database_session:
        await database_session.execute(queries.LOGGED_IN, operator_id=operator_id)
        actor = operator_actor(caller.operator, call.actor.client_ip)
        change = Changing(database_session, label=caller.operator.email, actor=actor)
        change.touched(operator_id)
        await call.record(database_session, change, action="auth.login")
    session = await aiohttp_session.new_session(call.request)
    session.set_new_identity(secrets.token_urlsafe(32))
    session["operator_id"], session["expires_at"] = str(operator_id), expires_at.isoformat()
    return caller


async def end_session(request: web.Request) -> None:
    """Sign out: the row goes, so the cookie is worthless wherever it was copied to."""
    session = await aiohttp_session.get_session(request)
    session.invalidate()


def peer(request: web.Request) -> str:
    """The address the connection comes from."""
    return request.remote or ""
