"""Key holders see the quota of their pool, or their own limits; an account's login sees that of the account."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest

from codex_pooler.keys.tally import Consumption
from codex_pooler.quota.evidence import from_usage
from codex_pooler.snapshot.model import Limit
from codex_pooler.web.runtime.usage import CONSUME_PATHS, PATHS, own_limits
from tests.integration.whole import Gateway
from tests.quota.statements import NOW
from tests.web.runtime.asking import ask, switch

CODEX = ("/api/codex/usage", "/wham/usage", "/backend-api/wham/usage")


def observe(gateway: Gateway, **percent: float) -> None:
    """Have seen so many percent of each named account's five hours used."""
    now = time.time()
    for name, used in percent.items():
        window = f'{{"used_percent": {used}, "limit_window_seconds": 18000, "reset_after_seconds": 3600}}'
        body = f'{{"rate_limit": {{"allowed": true, "primary_window": {window}}}}}'
        gateway.process.house.known.quotas.observe(id_of(gateway, name), from_usage(body.encode(), now), now)


def account(gateway: Gateway, name: str) -> Any:
    name = name.replace("_", "-")
    pools = gateway.process.house.snapshot.current.pools.values()
    return next(m.account for pool in pools for m in pool.members if m.account.label == name)


def id_of(gateway: Gateway, name: str) -> UUID:
    found: UUID = account(gateway, name).id
    return found


def test_these_are_the_paths_that_clients_ask() -> None:
    assert PATHS == CODEX
    assert tuple(path.replace("/usage", "/rate-limit-reset-credits/consume") for path in CODEX) == CONSUME_PATHS


@pytest.mark.parametrize("path", CODEX)
async def test_a_key_holder_sees_the_pool(gateway: Gateway, path: str) -> None:
    observe(gateway, acct_1=100, acct_2=10)
    told = (await ask(gateway, "GET", path)).json
    used = from_usage((await ask(gateway, "GET", path)).body, time.time()).windows[0].used_percent
    assert 10 < used < 100
    assert (told["rate_limit"]["allowed"], told["rate_limit"]["limit_reached"]) == (True, False)
    assert told["rate_limit"]["primary_window"]["limit_window_seconds"] == 18_000
    plans = {account(gateway, name).plan_type for name in ("acct_1", "acct_2")}
    assert told["plan_type"] in plans


async def test_a_pool_that_hides_its_quota_shows_the_keys_own_limits(gateway: Gateway) -> None:
    observe(gateway, acct_1=100, acct_2=10)
    await switch(gateway, show_quota_to_keys=False)
    told = (await ask(gateway, "GET", "/wham/usage")).json
    assert told["plan_type"] == "api_key"
    assert told["rate_limit"] == {
        "allowed": True,
        "limit_reached": False,
        "primary_window": None,
        "secondary_window": None,
    }


@pytest.mark.parametrize("path", [*CODEX, *CONSUME_PATHS])
async def test_without_a_key_nothing_is_told(gateway: Gateway, path: str) -> None:
    method = "POST" if "consume" in path else "GET"
    assert (await ask(gateway, method, path, key="")).status == 401
    assert (await ask(gateway, method, path, key="sk-cxp-000000000000-nonsense")).status == 401


@pytest.mark.parametrize("path", CONSUME_PATHS)
async def test_no_client_can_spend_a_saved_reset(gateway: Gateway, path: str) -> None:
    reply = await ask(gateway, "POST", path, json={"redeem_request_id": "1"})
    assert (reply.status, reply.code) == (404, "not_found")
    record = await gateway.control("GET", "/record")
    assert not [each for each in record["arrivals"] if "consume" in each["path"]]


@pytest.mark.parametrize("path", CODEX)
async def test_an_accounts_own_login_sees_that_account(gateway: Gateway, path: str) -> None:
    observe(gateway, acct_1=100, acct_2=10)
    own = account(gateway, "acct_2")
    headers = {"chatgpt-account-id": own.chatgpt_account_id}
    told = (await ask(gateway, "GET", path, key=own.access_token, headers=headers)).json
    assert told["rate_limit"]["primary_window"]["used_percent"] == 10
    assert told["plan_type"] == own.plan_type


async def test_another_token_or_another_account_is_refused(gateway: Gateway) -> None:
    own, other = account(gateway, "acct_2"), account(gateway, "acct_1")
    headers = {"chatgpt-account-id": own.chatgpt_account_id}
    reply = await ask(gateway, "GET", "/wham/usage", key=other.access_token, headers=headers)
    assert (reply.status, reply.code) == (401, "invalid_authorization")
    headers = {"chatgpt-account-id": "unheard-of"}
    reply = await ask(gateway, "GET", "/wham/usage", key=own.access_token, headers=headers)
    assert (reply.status, reply.code) == (404, "invalid_chatgpt_account")


async def test_a_pool_key_counts_whatever_account_the_client_names(gateway: Gateway) -> None:
    observe(gateway, acct_1=50)
    reply = await ask(gateway, "GET", "/wham/usage", headers={"chatgpt-account-id": "unheard-of"})
    assert reply.status == 200


def test_own_limits_take_the_fullest_of_each_slot() -> None:
    consumed = [
        Consumption(Limit("tokens", "day", 1_000), 250, NOW + 60),
        Consumption(Limit("requests", "day", 10), 9, NOW + 60),
        Consumption(Limit("cost_micros", "month", 100), 100, NOW + 600),
        Consumption(Limit("tokens", "week", 100), 10, None),
        Consumption(Limit("tokens", "minute", 100), 1, NOW + 1),
        Consumption(Limit("tokens", "day", 10, model="gpt-5.5"), 10, NOW + 60),
    ]
    assert own_limits(consumed, NOW) == {
        "plan_type": "api_key",
        "rate_limit": {
            "allowed": False,
            "limit_reached": True,
            "primary_window": {
                "used_percent": 90,
                "limit_window_seconds": 86_400,
                "reset_after_seconds": 60,
                "reset_at": int(NOW) + 60,
            },
            "secondary_window": {
                "used_percent": 100,
                "limit_window_seconds": 2_592_000,
                "reset_after_seconds": 600,
                "reset_at": int(NOW) + 600,
            },
        },
        "additional_rate_limits": [],
    }
