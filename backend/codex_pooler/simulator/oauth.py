"""The simulated sign-in server: authorize with PKCE, code and device exchange, rotating refresh tokens, whoami."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from aiohttp import web

from codex_pooler.simulator.answers import error
from codex_pooler.simulator.door import WORLD, answer_late, arrive, note_body, strike_early
from codex_pooler.simulator.pages import sign_in_page
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.tokens import CLIENT_ID
from codex_pooler.simulator.world import Account, World

_DEVICE_SECONDS = 900


def _refuse(code: str, message: str, status: int = 400) -> web.Response:
    return web.json_response(error(message, kind="invalid_request_error", code=code), status=status)


async def authorize(request: web.Request) -> web.Response:
    """`GET /oauth/authorize`: signs in `auto_account` or the login account, and redirects."""
    world, query = request.app[WORLD], request.query
    arrive(world, request)
    account = world.accounts.get(query.get("auto_account") or world.settings.login_account or "")
    if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code" or "redirect_uri" not in query:
        return _refuse("invalid_request", "The client is not known.")
    if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
        return _refuse("invalid_request", "PKCE with S256 is required.")
    if query.get("deny"):
        answer = urlencode({"error": "access_denied", "state": query.get("state", "")})
        raise web.HTTPFound(f"{query['redirect_uri']}?{answer}")
    if account is None and "text/html" in request.headers.get("accept", ""):
        return sign_in_page(world, request)
    if account is None:
        return _refuse("login_required", "No account is signed in; add ?auto_account=NAME.", 401)
    code = new_code(world, account, query["code_challenge"], query.get("redirect_uri", ""))
    answer = urlencode({"code": code, "scope": query.get("scope", ""), "state": query.get("state", "")})
    raise web.HTTPFound(f"{query['redirect_uri']}?{answer}")


def new_code(world: World, account: Account, challenge: str, redirect_uri: str) -> str:
    """A code that one exchange with the right verifier and redirect turns into tokens."""
    code = world.identifier("ac")
    world.codes[code] = {"account": account.name, "challenge": challenge, "redirect_uri": redirect_uri}
    return code


async def token(request: web.Request) -> web.Response:
    """`POST /oauth/token`: JSON or a form; a code for tokens, or a refresh token for its successor."""
    world = request.app[WORLD]
    arrival = arrive(world, request)
    raw = await request.read()
    note_body(world, arrival, raw)
    values = _values(request, raw)
    account, fault = world.accounts.get(_account_of(world, values)), None
    if account is not None:
        arrival.account = account.name
        fault = world.faults.strike(account.name, "token")
        if fault is not None:
            arrival.fault = fault.name
            struck = await strike_early(world, account, request, fault)
            if struck is not None:
                return struck
    answer = _grant(world, values)
    await answer_late(fault)
    arrival.status = answer.status
    return answer


def _values(request: web.Request, raw: bytes) -> dict[str, Any]:
    if request.content_type == "application/json":
        loaded = orjson.loads(raw)
        return loaded if isinstance(loaded, dict) else {}
    return dict(parse_qsl(raw.decode()))


def _account_of(world: World, values: Mapping[str, Any]) -> str:
    claims = world.mint.read_refresh(str(values.get("refresh_token", "")))
    if claims is not None:
        return claims.account
    return str(world.codes.get(str(values.get("code")), {}).get("account", ""))


def _grant(world: World, values: Mapping[str, Any]) -> web.Response:
    if values.get("client_id") != CLIENT_ID:
        return _refuse("invalid_client", "The client is not known.", 401)
    if values.get("grant_type") == "authorization_code":
        return _exchange(world, values)
    if values.get("grant_type") == "refresh_token":
        return _refresh(world, values)
    return _refuse("unsupported_grant_type", "The grant type is not supported.")


def _exchange(world: World, values: Mapping[str, Any]) -> web.Response:
    code = world.codes.pop(str(values.get("code")), None)
    if code is None or code["account"] not in world.accounts:
        return _refuse("invalid_grant", "The code is invalid, expired or already used.")
    if values.get("redirect_uri") != code["redirect_uri"]:
        return _refuse("invalid_grant", "The redirect does not match.")
    if challenge_of(str(values.get("code_verifier", ""))) != code["challenge"]:
        return _refuse("invalid_grant", "The code verifier does not match.")
    return web.json_response(world.issue(world.accounts[code["account"]]))


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refresh(world: World, values: Mapping[str, Any]) -> web.Response:
    claims = world.mint.read_refresh(str(values.get("refresh_token", "")))
    account = world.accounts.get(claims.account) if claims is not None else None
    if claims is None or account is None:
        return _refuse("invalid_grant", "The refresh token is not known.")
    if account.deactivated:
        return _refuse("account_deactivated", "The account has been deactivated.", 401)
    if account.logged_out or claims.lineage in world.revoked:
        return _refuse("refresh_token_invalidated", "Your session has ended. Please sign in again.", 401)
    current = world.generations.setdefault((account.name, claims.lineage), claims.generation)
    if claims.generation != current:
        world.record.reuse(account.name, claims.lineage, claims.generation)
        world.revoked.add(claims.lineage)
        return _refuse("refresh_token_reused", "Your refresh token has already been used. Please sign in again.")
    return web.json_response(world.issue(account, claims.lineage))


async def user_code(request: web.Request) -> web.Response:
    """`POST /api/accounts/deviceauth/usercode`: begins a device sign-in."""
    world = request.app[WORLD]
    arrive(world, request)
    device_id = world.identifier("deviceauth")
    digits = world.digest(device_id)[:9].upper()
    shown = f"{digits[:4]}-{digits[4:]}"
    world.devices[device_id] = {"user_code": shown, "account": None, "until": world.clock() + _DEVICE_SECONDS}
    interval = str(world.settings.device_interval_s)
    expires_at = int(world.devices[device_id]["until"])
    return web.json_response(
        {"device_auth_id": device_id, "user_code": shown, "interval": interval, "expires_at": expires_at}
    )


async def device_token(request: web.Request) -> web.Response:
    """`POST /api/accounts/deviceauth/token`: 403 until someone approved the code, then a code and its verifier."""
    world = request.app[WORLD]
    arrive(world, request)
    values = await request.json()
    device = world.devices.get(str(values.get("device_auth_id")))
    if device is None or device["user_code"] != values.get("user_code"):
        return _refuse("not_found", "The device code is not known.", 404)
    if world.clock() >= device["until"]:
        return _refuse("expired_token", "The device code has expired.")
    if device.get("denied"):
        return _refuse("access_denied", "The sign-in was denied.")
    if device.get("slow_down"):
        device["slow_down"] -= 1
        return _refuse("slow_down", "Ask less often.")
    account = world.accounts.get(device["account"] or "")
    if account is None:
        return _refuse("authorization_pending", "The sign-in is pending.", 403)
    verifier = world.digest(f"verifier:{device['user_code']}")
    redirect_uri = device.get("redirect_uri", f"{request.scheme}://{request.host}/deviceauth/callback")
    del world.devices[values["device_auth_id"]]
    code = new_code(world, account, challenge_of(verifier), redirect_uri)
    return web.json_response(
        {"authorization_code": code, "code_challenge": challenge_of(verifier), "code_verifier": verifier}
    )


async def whoami(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`GET …/user-auth-credential/whoami`: who a personal access token belongs to."""
    return web.json_response(
        {
            "email": account.email,
            "chatgpt_user_id": account.user_id,
            "chatgpt_account_id": account.account_id,
            "chatgpt_plan_type": account.plan,
            "chatgpt_account_is_fedramp": account.fedramp,
        }
    )
