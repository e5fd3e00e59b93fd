"""Sign-in, sign-out, and who is signed in."""

from __future__ import annotations

from typing import Any

from codex_pooler.operators.access import Caller
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.operators.login import authenticate_password
from codex_pooler.storage import queries_operators as queries
from codex_pooler.web.admin.api import PUBLIC, SIGNED_IN, VISITOR, Api, Call, Changing
from codex_pooler.web.admin.guard import LOGINS, csrf_token, end_session, peer, start_session
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.admin.schemas.session import LoginInput, Session

api = Api("session")
FREE_PER_ADDRESS = 20  # many people may share one address


@api.endpoint("GET", "/session", needs=VISITOR, returns=Session)
async def get_session(call: Call) -> Any:
    """Who is signed in; answers also when nobody is."""
    return await session_view(call, call.anybody)


@api.endpoint(
    "POST",
    "/auth/login",
    needs=PUBLIC,
    body=LoginInput,
    returns=Session,
    errors=(401, 403, 429),
    audit="auth.login",
)
async def log_in(call: Call) -> Any:
    """Sign in with e-mail and password."""
    throttle, email = call.request.app[LOGINS], call.body["email"].strip().lower()
    address = peer(call.request)
    throttle.attempt(address, free=FREE_PER_ADDRESS)
    throttle.attempt((email, address))
    operator_id = await authenticate_password(call.context.database, email, call.body["password"])
    if operator_id is None:
        await _record_failed_login(call, email)
        raise Problem(401, "not_authenticated", "The e-mail address or the password is not right.")
    throttle.succeeded(address, free=FREE_PER_ADDRESS)
    throttle.succeeded((email, address))
    return await session_view(call, await start_session(call, operator_id))


async def _record_failed_login(call: Call, email: str) -> None:
    """Only an operator's own address is written down: what somebody typed into the wrong field may be a password."""
    async with call.context.database.transaction() as session:
        known = await session.one(queries.BY_EMAIL, email=email)
        change = Changing(session, label=known.email if known else None, outcome="failure", reason="wrong_credentials")
        if known:
            change.touched(known.id)
        await call.record(session, change)


@api.endpoint("POST", "/auth/logout", needs=SIGNED_IN, status=204, audit="auth.logout")
async def log_out(call: Call) -> Any:
    """End the browser session; an access token has none and is left alone."""
    if call.caller.via_session:
        async with call.context.database.transaction() as session:
            change = Changing(session, label=call.caller.operator.email)
            change.touched(call.caller.operator.id)
            await call.record(session, change)
        await end_session(call.request)


async def session_view(call: Call, caller: Caller | None) -> dict[str, Any]:
    """The Session shape for a caller, or for nobody."""
    if caller is None:
        async with call.context.database.session() as session:
            state = "pending" if await is_pending(session) else "completed"
        return {
            "authenticated": False,
            "bootstrap": state,
            "csrf_token": None,
            "expires_at": None,
            "operator": None,
            "capabilities": [],
            "pool_scope": {"all": False, "pool_ids": []},
        }
    return {
        "authenticated": True,
        "bootstrap": "completed",
        "csrf_token": await csrf_token(call.request, call.context) if caller.via_session else None,
        "expires_at": caller.expires_at,
        "operator": caller.operator,
        "capabilities": sorted(caller.capabilities),
        "pool_scope": {"all": caller.scope.all, "pool_ids": list(caller.scope.pool_ids)},
    }
