"""From a client's request to one call of the gateway, and from the call's answer to a response."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aiohttp import web

from codex_pooler.gateway.call import CallAnswer, CallRequest, run_call
from codex_pooler.routing.affinity import Seed
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.sinks import failure_response

JSON = "application/json"
ANYTHING = "*/*"
ACCEPTED = (JSON, "text/event-stream", ANYTHING)  # what a client may ask the backend for


def call_of(caller: Caller, *, content_type: str | None = JSON, **asked: Any) -> CallRequest:
    """The call for a request; ``asked`` are members of CallRequest that the route decides.

    Of the client's headers only ``accept`` goes along, and only when it says nothing special.
    """
    call_id, key = uuid7_text(), caller.key
    seed = caller.seed(None, call_id)
    accept = caller.headers.get("accept")
    headers = [("accept", accept if accept in ACCEPTED else ANYTHING), ("x-request-id", call_id)]
    if content_type:
        headers.insert(0, ("content-type", content_type))
    return CallRequest(
        id=call_id,
        key=key,
        method=caller.method,
        headers=headers,
        seed=seed.value,
        owner=_owner(caller, seed),
        client=caller.client,
        client_ip=caller.logged_address,
        admitted=caller.admitted,
        **asked,
    )


def _owner(caller: Caller, seed: Seed) -> UUID | None:
    """The account of the session's turns: a file, for one, had better be where they are."""
    if seed.kind != "session":
        return None
    digest = caller.keyring.digest("session_ref", seed.value)
    return caller.house.known.bindings.account_of(digest, caller.admitted.wall)


async def carry(caller: Caller, call: CallRequest) -> CallAnswer:
    """Run the call once there is a place for it.  Raises Overloaded."""
    async with caller.house.admission.slot(call.route_class, call.key.id, call.key.pool.id):
        return await run_call(call, caller.house)


async def answer_call(caller: Caller, call: CallRequest) -> web.Response:
    """Run the call and tell the client how it ended."""
    return response_of(await carry(caller, call), call.id)


def response_of(answer: CallAnswer, call_id: str) -> web.Response:
    """The backend's answer with its bytes as they came, or the failure in its place."""
    if answer.failure:
        return failure_response(answer.failure, call_id)
    headers = {"x-request-id": call_id, "cache-control": "no-store", **dict(answer.headers)}
    return web.Response(status=answer.status, body=answer.body or None, headers=headers)
