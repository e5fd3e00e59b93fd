"""Sign-ins that operators make, by browser or by device code, for a new account or for one that needs a login."""

from __future__ import annotations

from typing import Any

from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.flow_view import FlowView
from codex_pooler.accounts.importing import Imported
from codex_pooler.accounts.linking import Also
from codex_pooler.storage import queries_pools
from codex_pooler.storage.database import Session
from codex_pooler.web.admin.api import UNCHANGING, Api, Call, Changing
from codex_pooler.web.admin.schemas.linking import FlowCallback, FlowInput, OAuthFlow
from codex_pooler.web.admin.upstream_view import locked_account

api = Api("upstreams")
# the audit trail's word for a finished sign-in of that kind
ACTIONS = {"browser": "upstream_account.oauth_browser_link", "device": "upstream_account.oauth_device_link"}


@api.endpoint(
    "POST",
    "/oauth-flows",
    needs="upstreams:write",
    body=FlowInput,
    returns=OAuthFlow,
    status=201,
    errors=(403, 404, 409, 502),
    audit=UNCHANGING,
)
async def start_oauth_flow(call: Call) -> Any:
    """Begin a sign-in; an older one of the same kind for the same purpose ends."""
    pool_id, upstream_id = call.body["pool_id"], call.body.get("upstream_id")
    async with call.context.database.transaction() as session:
        await _check_pool(call, session)
        if upstream_id is not None:
            await locked_account(call, session, upstream_id)
    return await call.context.flows.start(
        call.body["kind"],
        pool_id,
        account_id=upstream_id,
        operator_id=call.caller.operator.id,
        proxy=call.body.get("egress_proxy"),
    )


@api.endpoint("GET", "/oauth-flows/{flow_id}", needs="upstreams:write", returns=OAuthFlow, errors=(404,))
async def get_oauth_flow(call: Call) -> Any:
    """How a sign-in stands; of a device code it is asked, when that is due, whether it has been approved."""
    view = await _visible(call)
    flows = call.context.flows
    return await flows.poll(view.id, call.caller.scope.sees_all, also=_recording(call, view))


@api.endpoint(
    "POST",
    "/oauth-flows/{flow_id}/callback",
    needs="upstreams:write",
    body=FlowCallback,
    returns=OAuthFlow,
    errors=(400, 404, 409, 502, 503),
    audit=ACTIONS["browser"],
)
async def finish_oauth_flow(call: Call) -> Any:
    """Go on with the address that the browser ended at."""
    view = await _visible(call)
    flows, address = call.context.flows, call.body["callback_url"]
    return await flows.paste(view.id, address, call.caller.scope.sees_all, also=_recording(call, view))


@api.endpoint("DELETE", "/oauth-flows/{flow_id}", needs="upstreams:write", status=204, errors=(404,), audit=UNCHANGING)
async def cancel_oauth_flow(call: Call) -> Any:
    """Give a sign-in up; what it kept is deleted."""
    view = await _visible(call)
    await call.context.flows.cancel(view.id)


async def _visible(call: Call) -> FlowView:
    """The sign-in, for those who manage its pool.  Raises FlowRefused ``not_found``."""
    view = await call.context.flows.view(call.ids["flow_id"])
    if not call.caller.scope.sees(view.pool.id):
        raise FlowRefused("not_found")
    return view


async def _check_pool(call: Call, session: Session) -> None:
    """One answer for pools of others and for none at all."""
    pool_id = call.body["pool_id"]
    if not call.caller.scope.sees(pool_id) or not await session.fetch(queries_pools.ONE, pool_id=pool_id):
        raise FlowRefused("unauthorized_pool")


def _recording(call: Call, view: FlowView) -> Also:
    """Writes the finished sign-in into the audit trail, with the login itself."""

    async def record(session: Session, imported: Imported) -> None:
        change = Changing(session)
        change.touched(imported.account_id, [view.pool.id])
        change.details |= {"created": imported.created, "kind": view.kind}
        await call.record(session, change, action=ACTIONS[view.kind])

    return record
