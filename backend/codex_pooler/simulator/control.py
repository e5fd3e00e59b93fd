"""The control interface under `/__control/`: make and change accounts, order faults, read the record."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from codex_pooler.simulator.door import WORLD
from codex_pooler.simulator.faults import ANY_ACCOUNT, PRESETS, TURN, Order, fault_of
from codex_pooler.simulator.usage import grant_credit
from codex_pooler.simulator.windows import windows_for
from codex_pooler.simulator.world import Account, World, change

_PLAIN_FIELDS = frozenset(
    {"email", "models", "pacing_ms", "logged_out", "deactivated", "workspace", "fedramp"}
    | {"routing_override", "backend_origin", "called_deactivated"}
)
Values = Mapping[str, Any]


def control(answer: Callable[[World, web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A control handler: its value as JSON, its ValueError as a 400, its KeyError as a 404."""

    async def serve(request: web.Request) -> web.Response:
        try:
            return web.json_response(await answer(request.app[WORLD], request))
        except ValueError as problem:
            return web.json_response({"error": str(problem)}, status=400)
        except KeyError as problem:
            return web.json_response({"error": f"{problem.args[0]} is not known"}, status=404)

    return serve


async def _body(request: web.Request) -> dict[str, Any]:
    body = await request.json() if request.can_read_body else {}
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    return body


def describe(account: Account) -> dict[str, Any]:
    """An account as the control interface shows it; without tokens."""
    used = {slot: round(window.used_percent, 3) for slot, window in account.windows.items()}
    hidden = ("windows", "personal_token")
    return {name: value for name, value in asdict(account).items() if name not in hidden} | {"used_percent": used}


async def state(world: World, request: web.Request) -> Any:
    """`GET /__control/state`."""
    return {
        "seed": world.seed,
        "settings": asdict(world.settings),
        "accounts": [describe(one) for one in world.accounts.values()],
        "faults": [asdict(order) for order in world.faults.orders],
        "presets": sorted(PRESETS),
        "arrivals": world.record.count,
        "totals": {name: asdict(usage) for name, usage in world.record.totals.items()},
    }


async def create_account(world: World, request: web.Request) -> Any:
    """`POST /__control/accounts`: a new account, with an `auth_json` ready for import."""
    body = await _body(request)
    name = body.pop("name", None) or f"acct-{len(world.accounts) + 1}"
    if name in world.accounts:
        raise ValueError(f"there is already an account {name!r}")
    account = world.add_account(name, body.pop("plan", "plus"), body.pop("email", None))
    _change_account(world, account, body)
    return credentials(world, account)


def credentials(world: World, account: Account) -> dict[str, Any]:
    """The account with a fresh sign-in."""
    auth = world.auth_json(account)
    fresh = {"access_token": auth["tokens"]["access_token"], "personal_token": account.personal_token}
    return describe(account) | fresh | {"auth_json": auth}


async def sign_in(world: World, request: web.Request) -> Any:
    """`GET /__control/accounts/{name}`: the account with a fresh sign-in."""
    return credentials(world, world.accounts[request.match_info["name"]])


async def change_account(world: World, request: web.Request) -> Any:
    """`POST /__control/accounts/{name}`: set plan, `used_percent`, `resets_in_s`, models, pacing, logged_out, …"""
    account = world.accounts[request.match_info["name"]]
    _change_account(world, account, await _body(request))
    return describe(account)


def _change_account(world: World, account: Account, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in _PLAIN_FIELDS:
            setattr(account, name, value)
        elif name in _CHANGES:
            _CHANGES[name](world, account, value)
        else:
            raise ValueError(f"unknown field {name!r}; known are {', '.join(sorted(_PLAIN_FIELDS | set(_CHANGES)))}")


def _set_plan(world: World, account: Account, plan: str) -> None:
    account.plan = plan
    account.windows = windows_for(plan, world.settings.tokens_per_credit, world.clock())


def _set_used(world: World, account: Account, used: Values) -> None:
    for slot, percent in used.items():
        account.windows[slot].set_used(percent)


def _set_resets(world: World, account: Account, resets: Values) -> None:
    for slot, seconds in resets.items():
        account.windows[slot].reset_at = world.clock() + seconds


def _grant_credits(world: World, account: Account, granted: int | list[float]) -> None:
    """So many good for a month, or one for each of these lifetimes in seconds."""
    if isinstance(granted, int):
        for _ in range(granted):
            grant_credit(world, account)
        return
    for lifetime_s in granted:
        grant_credit(world, account, lifetime_s)


_CHANGES: dict[str, Callable[[World, Account, Any], None]] = {
    "plan": _set_plan,
    "used_percent": _set_used,
    "resets_in_s": _set_resets,
    "grant_reset_credits": _grant_credits,
}


async def add_fault(world: World, request: web.Request) -> Any:
    """`POST /__control/faults`: `{"account", "fault", "times", "skip", "route", "transport", "model", "prewarm"}`.

    `fault` is a preset's name or an object (`{"preset": …, field: value}`); without `times` the fault stands.
    """
    body = await _body(request)
    fault = fault_of(body.pop("fault", ""))
    account = body.pop("account", ANY_ACCOUNT)
    if account not in (ANY_ACCOUNT, *world.accounts):
        raise KeyError(account)
    left = body.pop("times", None)
    try:
        order = Order(account, body.pop("route", TURN), fault, left, **body)
    except TypeError as problem:
        raise ValueError(f"unknown field of a fault order: {problem}") from None
    world.faults.add(order)
    return {"waiting": len(world.faults.orders)}


async def clear_faults(world: World, request: web.Request) -> Any:
    """`DELETE /__control/faults`, all or those of `?account=`."""
    world.faults.clear(request.query.get("account"))
    return {"waiting": len(world.faults.orders)}


async def read_record(world: World, request: web.Request) -> Any:
    """`GET /__control/record`, all or `?account=`, at most the last `?limit=` arrivals."""
    lines = list(world.record.lines(request.query.get("account")))
    limit = int(request.query.get("limit", len(lines)))
    return {
        "arrivals": lines[len(lines) - limit :] if limit < len(lines) else lines,
        "totals": {name: asdict(usage) for name, usage in world.record.totals.items()},
        "reused_refresh_tokens": world.record.reused_refresh_tokens,
    }


async def clear_record(world: World, request: web.Request) -> Any:
    """`DELETE /__control/record`."""
    world.record.clear()
    return {"arrivals": 0}


async def change_settings(world: World, request: web.Request) -> Any:
    """`POST /__control/settings`: any field of `world.Settings`."""
    change(world.settings, await _body(request))
    world.record.keep_bodies = world.settings.keep_bodies
    return asdict(world.settings)


async def revoke(world: World, request: web.Request) -> Any:
    """`POST /__control/accounts/{name}/revoke`: end every session the account has now; new sign-ins work."""
    account = world.accounts[request.match_info["name"]]
    return {"revoked": world.revoke(account)}


async def list_devices(world: World, request: web.Request) -> Any:
    """`GET /__control/devices`: the codes that nobody has used up yet, the oldest first."""
    return {"devices": [{"user_code": one["user_code"], "account": one["account"]} for one in world.devices.values()]}


async def answer_device(world: World, request: web.Request) -> Any:
    """`POST /__control/devices`: approve `{"user_code", "account"}`, or `{"user_code", "denied": true}`.

    `"expired": true` ends the code, `"slow_down": n` asks for patience at the next n polls.
    """
    body = await _body(request)
    device = next((one for one in world.devices.values() if one["user_code"] == body.get("user_code")), None)
    if device is None:
        raise KeyError(body.get("user_code"))
    if "account" in body:
        device["account"] = world.accounts[body["account"]].name
    if body.get("expired"):
        device["until"] = world.clock()
    device |= {name: body[name] for name in ("denied", "redirect_uri", "slow_down") if name in body}
    return {"user_code": device["user_code"]}


def routes() -> list[web.RouteDef]:
    """The control routes."""
    return [
        web.get("/__control/state", control(state)),
        web.post("/__control/accounts", control(create_account)),
        web.get("/__control/accounts/{name}", control(sign_in)),
        web.post("/__control/accounts/{name}", control(change_account)),
        web.post("/__control/accounts/{name}/revoke", control(revoke)),
        web.post("/__control/faults", control(add_fault)),
        web.delete("/__control/faults", control(clear_faults)),
        web.get("/__control/record", control(read_record)),
        web.delete("/__control/record", control(clear_record)),
        web.post("/__control/settings", control(change_settings)),
        web.get("/__control/devices", control(list_devices)),
        web.post("/__control/devices", control(answer_device)),
    ]
