"""What an account may know of its own limits: usage, headers, saved resets, and the accounts it belongs to."""

from typing import Any

from aiohttp import web

from codex_pooler.simulator.answers import Refusal
from codex_pooler.simulator.door import read_json
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.world import Account, World

_MONTH_SECONDS = 30 * 86_400


def limit_headers(account: Account, now: float) -> dict[str, str]:
    """The `x-codex-*` headers that every answer to a turn carries."""
    headers = {
        "x-codex-plan-type": account.plan,
        "x-codex-active-limit": "premium",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-unlimited": "False",
    }
    for slot, window in account.windows.items():
        headers |= window.as_headers(slot, now)
    return headers


async def usage(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`GET /backend-api/wham/usage`."""
    now = world.clock()
    full = account.exhausted() is not None
    windows = {f"{slot}_window": window.as_usage(now) for slot, window in account.windows.items()}
    return web.json_response(
        {
            "user_id": account.user_id,
            "account_id": account.account_id,
            "email": account.email,
            "plan_type": account.plan,
            "rate_limit": {"allowed": not full, "limit_reached": full, "secondary_window": None} | windows,
            "code_review_rate_limit": None,
            "additional_rate_limits": None,
            "credits": {"has_credits": False, "unlimited": False, "overage_limit_reached": False, "balance": None},
            "spend_control": {"reached": False, "individual_limit": None},
            "rate_limit_reached_type": {"type": "rate_limit_reached"} if full else None,
            "rate_limit_reset_credits": {"available_count": len(_available(account, now))},
        }
    )


async def accounts_check(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`GET /backend-api/wham/accounts/check`: the one account behind the token."""
    shown = {
        "id": account.account_id,
        "name": account.name,
        "structure": "personal" if account.plan in ("free", "plus", "pro", "prolite") else "workspace",
        "plan_type": account.plan,
        "account_user_role": "account-owner",
        "is_deactivated": account.deactivated or account.called_deactivated,
        "is_fedramp_compliant_workspace": account.fedramp,
        "workspace_backend_origin": account.backend_origin or f"{request.scheme}://{request.host}",
        "account_routing_override": account.routing_override,
        "profile_picture_url": None,
    }
    order = [account.account_id]
    return web.json_response({"accounts": [shown], "default_account_id": order[0], "account_ordering": order})


def grant_credit(world: World, account: Account, lifetime_s: float = _MONTH_SECONDS) -> None:
    """Give the account one saved reset, good for so long."""
    now = int(world.clock())
    credit = {
        "id": world.identifier("rlc"),
        "status": "available",
        "granted_at": now,
        "expires_at": int(now + lifetime_s),
    }
    account.reset_credits.append(credit)


async def reset_credits(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`GET /backend-api/wham/rate-limit-reset-credits`."""
    available = _available(account, world.clock())
    return web.json_response({"available_count": len(available), "credits": account.reset_credits})


async def consume_credit(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST …/consume`: spend one saved reset; the same `redeem_request_id` never spends a second one."""
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    code = _consume(account, read[0], world.clock())
    reset = [window for window in account.windows.values() if window.spent] if code == "reset" else []
    for window in reset:
        window.reset_at = world.clock()
    account.roll(world.clock())
    return web.json_response({"code": code, "windows_reset": len(reset)})


def _consume(account: Account, body: dict[str, Any], now: float) -> str:
    request_id = str(body.get("redeem_request_id"))
    if request_id in account.redeemed:
        return "already_redeemed"
    wanted = body.get("credit_id")
    credit = next((one for one in _available(account, now) if wanted in (None, one["id"])), None)
    if credit is None:
        return "no_credit"
    if not any(window.spent for window in account.windows.values()):
        return "nothing_to_reset"
    credit["status"] = "redeemed"
    account.redeemed[request_id] = credit["id"]
    return "reset"


def _available(account: Account, now: float) -> list[dict[str, Any]]:
    for one in account.reset_credits:
        if one["status"] == "available" and one["expires_at"] <= now:
            one["status"] = "expired"
    return [one for one in account.reset_credits if one["status"] == "available"]
