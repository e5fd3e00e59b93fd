"""First set-up: the one moment in which anybody can become the owner, guarded by the bootstrap token."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from codex_pooler.operators.bootstrap import AlreadyBootstrapped, create_first_owner, is_pending
from codex_pooler.operators.passwords import MIN_PASSWORD_LENGTH
from codex_pooler.web.admin.api import PUBLIC, Api, Call
from codex_pooler.web.admin.guard import LOGINS, peer, start_session
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.admin.schemas.session import BootstrapInput, BootstrapState, Session
from codex_pooler.web.admin.session import session_view

api = Api("bootstrap")
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@api.endpoint("GET", "/bootstrap", needs=PUBLIC, returns=BootstrapState)
async def get_bootstrap(call: Call) -> Any:
    """Whether the first owner exists, and whether creating one takes the token from the log."""
    async with call.context.database.session() as session:
        pending = await is_pending(session)
    return {
        "state": "pending" if pending else "completed",
        "token_required": not is_local(call.request),
        "min_password_length": MIN_PASSWORD_LENGTH,
    }


@api.endpoint(
    "POST",
    "/bootstrap",
    needs=PUBLIC,
    body=BootstrapInput,
    returns=Session,
    status=201,
    errors=(403, 409, 429),
    audit="auth.bootstrap",
)
async def complete_bootstrap(call: Call) -> Any:
    """Create the first owner and sign them in; works once."""
    async with call.context.database.session() as session:
        if not await is_pending(session):
            raise AlreadyBootstrapped
    _check_token(call)
    operator = await create_first_owner(
        call.context.database,
        email=call.body["email"],
        display_name=call.body.get("display_name"),
        password=call.body["password"],
        timezone=call.body.get("timezone"),
        client_ip=call.actor.client_ip,
    )
    return await session_view(call, await start_session(call, operator.id))


def _check_token(call: Call) -> None:
    if is_local(call.request):
        return
    throttle, name = call.request.app[LOGINS], ("bootstrap", peer(call.request))
    throttle.attempt(name)
    known, given = call.context.bootstrap_token, call.body.get("token") or ""
    if known is None or not hmac.compare_digest(known.encode(), given.encode()):
        message = "Enter the bootstrap token that the server printed when it first started."
        raise Problem(403, "bootstrap_token_invalid", message, errors=[("/token", "invalid", message)])
    throttle.succeeded(name)


def is_local(request: web.Request) -> bool:
    """A browser on the machine itself.  A foreign host name could be a web page that was pointed at loopback."""
    if any(name in request.headers for name in FORWARDING):
        return False
    try:
        loopback = ipaddress.ip_address(peer(request)).is_loopback
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return loopback and host in LOCAL_NAMES
