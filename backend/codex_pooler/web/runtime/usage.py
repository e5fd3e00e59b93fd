"""Tells clients how much quota is left: a key's holder that of the pool, an account's own login that of the account."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.keys.lookup import PREFIX, KeyRefused
from codex_pooler.keys.tally import Consumption
from codex_pooler.quota.wire import usage_document
from codex_pooler.snapshot.model import Account
from codex_pooler.web.errors import answered, refusal
from codex_pooler.web.runtime.caller import HOUSE, Caller, caller_of

PATHS = ("/api/codex/usage", "/wham/usage", "/backend-api/wham/usage")
CONSUME_PATHS = tuple(
    f"{prefix}/rate-limit-reset-credits/consume" for prefix in ("/api/codex", "/wham", "/backend-api/wham")
)
ACCOUNT_HEADER = "chatgpt-account-id"

SECONDS = {"day": 86_400, "week": 604_800, "month": 2_592_000}
SLOTS = {"primary_window": ("day",), "secondary_window": ("week", "month")}


def add_usage_routes(app: web.Application) -> None:
    """Register every path of this module."""
    for path in PATHS:
        app.router.add_get(path, usage)
    for path in CONSUME_PATHS:
        app.router.add_post(path, consume)


async def usage(request: web.Request) -> web.StreamResponse:
    """The quota of whoever asks."""
    return await answered(request, _usage)


async def consume(request: web.Request) -> web.StreamResponse:
    """Saved resets belong to the operators: no client may spend one."""
    return await answered(request, _refuse_consuming)


async def _usage(request: web.Request) -> web.StreamResponse:
    account_id = request.headers.get(ACCOUNT_HEADER)
    if account_id and not _bearer(request).startswith(PREFIX):
        return _of_account(request, account_id)
    return _json(_of_key(caller_of(request)))


async def _refuse_consuming(request: web.Request) -> web.StreamResponse:
    caller_of(request)
    return refusal(404, "not_found", "saved resets are spent by operators, in the console under Upstreams")


def _of_key(caller: Caller) -> dict[str, Any]:
    """The pool's view, or the key's own limits where the pool hides it or nothing is known yet."""
    pool, house, now = caller.key.pool, caller.house, caller.admitted.wall
    if pool.switches.show_quota_to_keys:
        accounts = (member.account for member in pool.fit)
        view = house.known.quotas.pool_view(accounts, None, now, key=pool.id)
        if view.observed:
            return usage_document(view, now)
    return own_limits(house.limits.usage(caller.key, caller.admitted), now)


def _of_account(request: web.Request, chatgpt_account_id: str) -> web.Response:
    """One account's usage, for its own login.  Raises KeyRefused; several logins may share a workspace's id."""
    house, now = request.app[HOUSE], time.time()
    members = [member for pool in house.snapshot.current.pools.values() for member in pool.members]
    named = [m.account for m in members if m.account.chatgpt_account_id == chatgpt_account_id]
    if not named:
        message = "no account of this gateway has that ChatGPT account id; ask an operator to add it"
        return refusal(404, "invalid_chatgpt_account", message)
    account = _whose(_bearer(request), named)
    if account is None:
        message = "this is not the current access token of that ChatGPT account; sign in again"
        raise KeyRefused("invalid_authorization", message)
    return _json(usage_document(house.known.quotas.pool_view([account], None, now), now))


def _whose(token: str, accounts: Iterable[Account]) -> Account | None:
    """The account whose access token this is, compared in constant time."""
    given = token.encode("utf-8", "replace")
    own = [each for each in accounts if each.access_token and hmac.compare_digest(each.access_token.encode(), given)]
    return own[0] if own else None


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def own_limits(consumed: Iterable[Consumption], now: float) -> dict[str, Any]:
    """A key's own limits in the shape of a usage document: of each slot the limit that is used up most."""
    fullest: dict[str, Consumption] = {}
    for each in consumed:
        if each.limit.model is None:
            held = fullest.get(each.limit.window)
            fullest[each.limit.window] = each if held is None else max(held, each, key=_percent)
    windows = {slot: _window([fullest[w] for w in names if w in fullest], now) for slot, names in SLOTS.items()}
    reached = any(_percent(each) >= 100 for each in fullest.values())
    rate_limit = {"allowed": not reached, "limit_reached": reached, **windows}
    return {"plan_type": "api_key", "rate_limit": rate_limit, "additional_rate_limits": []}


def _window(consumed: list[Consumption], now: float) -> dict[str, Any] | None:
    if not consumed:
        return None
    most = max(consumed, key=_percent)
    return {
        "used_percent": int(_percent(most)),
        "limit_window_seconds": SECONDS[most.limit.window],
        "reset_after_seconds": max(0, round(most.resets_at - now)) if most.resets_at else None,
        "reset_at": int(most.resets_at) if most.resets_at else None,
    }


def _percent(consumed: Consumption) -> float:
    return min(100.0, 100.0 * consumed.used / consumed.limit.maximum) if consumed.limit.maximum else 100.0


def _json(document: dict[str, Any]) -> web.Response:
    headers = {"cache-control": "no-store"}
    return web.Response(body=orjson.dumps(document), headers=headers, content_type="application/json")
