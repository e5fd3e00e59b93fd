"""The way in: which account a request speaks for, what it carries, and the faults that strike early."""

import asyncio
import gzip
import hashlib
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.simulator.answers import Refusal, detail, error
from codex_pooler.simulator.faults import HTTP, TURN, Fault
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.tokens import AUTH_CLAIM
from codex_pooler.simulator.world import Account, World

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WORLD = web.AppKey("world", World)

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"
_SETTLE_SECONDS = 0.02

Handler = Callable[[World, Account, web.Request, Arrival], Awaitable[web.StreamResponse]]


def unauthorized(message: str, code: str) -> Refusal:
    """A 401 with the backend's code for it."""
    return Refusal(401, error(message, kind=None, code=code) | {"status": 401})


def who(world: World, request: web.Request) -> Account | Refusal:
    """The account behind the bearer token, or the 401 or 403 the backend would give."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return detail(401, "Unauthorized")
    account = _bearer(world, token)
    if isinstance(account, Refusal):
        return account
    if account.deactivated:
        return unauthorized("Your account has been deactivated.", "account_deactivated")
    claimed = request.headers.get("chatgpt-account-id", account.account_id)
    return account if claimed == account.account_id else detail(403, "The token does not belong to this account")


def _bearer(world: World, token: str) -> Account | Refusal:
    if token.startswith("at-"):
        personal = next((one for one in world.accounts.values() if one.personal_token == token), None)
        return personal if personal is not None and not personal.logged_out else detail(401, "Unauthorized")
    try:
        claims = world.mint.read_jwt(token)
    except ValueError:
        claims = None
    account = world.named(claims[AUTH_CLAIM]["chatgpt_account_id"]) if claims else None
    if claims is None or account is None:
        return detail(401, "Unauthorized")
    if claims["exp"] <= world.clock():
        return unauthorized("Provided authentication token is expired. Please try signing in again.", "token_expired")
    if account.logged_out or claims["session_id"] in world.revoked:
        return unauthorized("Your authentication token has been invalidated. Please sign in again.", "token_revoked")
    return account


def plain(raw: bytes, encoding: str) -> bytes:
    """The body without its content encoding. Raises ValueError when it does not decode."""
    try:
        if "zstd" in encoding and raw.startswith(_ZSTD_MAGIC):
            return bytes(zstd.decompress(raw))
        return gzip.decompress(raw) if "gzip" in encoding and raw.startswith(_GZIP_MAGIC) else raw
    except (zstd.ZstdError, OSError, EOFError) as problem:
        raise ValueError(f"the body does not decode: {problem}") from None


async def read_json(world: World, request: web.Request, arrival: Arrival) -> tuple[dict[str, Any], int] | Refusal:
    """The JSON object of the body and its decoded length, noting in the record what came over the wire."""
    raw = await request.read()
    note_body(world, arrival, raw)
    try:
        decoded = plain(raw, request.headers.get("content-encoding", ""))
        body = orjson.loads(decoded)
    except ValueError:
        return detail(400, "There was an error parsing the body")
    if not isinstance(body, dict):
        return detail(400, "Input should be a valid dictionary")
    if world.settings.keep_bodies:
        arrival.body = body
    model = body.get("model")
    arrival.model = model if isinstance(model, str) else None
    return body, len(decoded)


def note_body(world: World, arrival: Arrival, raw: bytes) -> None:
    """Record length and digest of a body as it came over the wire."""
    arrival.body_bytes = len(raw)
    arrival.sha256 = hashlib.sha256(raw).hexdigest()


async def reset(request: web.Request) -> None:
    """Cut the connection with a TCP RST, once what was written has had time to leave."""
    await asyncio.sleep(_SETTLE_SECONDS)
    transport = request.transport
    if transport is None or transport.is_closing():
        return
    wire = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(wire.fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def strike_early(world: World, account: Account, request: web.Request, fault: Fault) -> web.Response | None:
    """Play the faults that need no stream: refusals, resets, delays, and 200s that are no event stream."""
    if fault.kind == "refuse":
        return fault.refusal(account.plan, world.clock()).as_response()
    if fault.kind == "not_sse":
        return web.Response(text=str(fault.body), content_type="text/html")
    if fault.kind == "reset":
        await reset(request)
        return web.Response()
    if fault.kind == "delay" and not fault.after_headers:
        await asyncio.sleep(fault.delay_ms / 1000)
    return None


async def answer_late(fault: Fault | None) -> None:
    """Let whoever asked wait for the answer to something that was done."""
    if fault is not None and fault.kind == "delay" and fault.after_headers:
        await asyncio.sleep(fault.delay_ms / 1000)


async def lose(request: web.Request, fault: Fault, account: Account, now: float) -> web.Response:
    """What the caller gets in place of the answer to something that was done."""
    await asyncio.sleep(fault.delay_ms / 1000)
    if fault.status:
        return fault.refusal(account.plan, now).as_response()
    await reset(request)
    return web.Response()


def arrive(world: World, request: web.Request, transport: str = HTTP) -> Arrival:
    """Open this request's line in the record."""
    return world.record.arrive(request.method, request.path, transport, request.headers)


def behind_login(route: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The request handler of a route that needs a token: record, authenticate, meet faults, then `handler`."""

    async def serve(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        arrival = arrive(world, request)
        account = who(world, request)
        if isinstance(account, Refusal):
            arrival.status = account.status
            return account.as_response()
        arrival.account = account.name
        account.roll(world.clock())
        fault = None if route == TURN else world.faults.strike(account.name, route)
        if fault is not None:
            arrival.fault = fault.name
            struck = await strike_early(world, account, request, fault)
            if struck is not None:
                arrival.status = None if fault.kind == "reset" else struck.status
                return struck
        response = await handler(world, account, request, arrival)
        await answer_late(fault)
        if fault is not None and fault.kind == "lost":
            response = await lose(request, fault, account, world.clock())
        arrival.status = arrival.status or response.status
        return response

    return serve
