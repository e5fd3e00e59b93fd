"""What a turn through the whole gateway cost, as the log, the charts and the backend's own record have it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from codex_pooler.jobs import prices
from tests.integration.whole import Gateway

HEADERS = {"session_id": "a-session-that-must-not-be-stored", "user-agent": "codex_exec/0.169.0"}


async def ask(gateway: Gateway, **more: Any) -> dict[str, Any]:
    """One turn; its row."""
    async with gateway.turn(headers=HEADERS, **more) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    row: dict[str, Any] = (await gateway.log())[0]
    return row


def priced(usage: dict[str, int], read: float, cached: float, said: float) -> str:
    """Dollars, as the formula for operators says."""
    tokens = (usage["input"] - usage["cached_input"]) * read + usage["cached_input"] * cached + usage["output"] * said
    return f"{round(tokens) / 1_000_000:.6f}"


async def test_a_turn_is_priced_by_the_tier_that_served_it(gateway: Gateway) -> None:
    plain, fast = await ask(gateway), await ask(gateway, service_tier="priority")
    for row, rates in ((plain, (5, 0.5, 30)), (fast, (12.5, 1.25, 75))):
        usd = priced(row["usage"], *rates)
        assert row["cost"] == {"usd": usd, "state": "priced", "pricing_status": "priced"}
        assert float(usd) > 0
    pool = await gateway.admin("GET", f"/pools/{gateway.pool_id}")
    assert float(pool["usage"]["cost_usd"]) == float(plain["cost"]["usd"]) + float(fast["cost"]["usd"])
    chart = await gateway.admin("GET", "/traffic?range=1h")
    assert sum(chart["cost_micros"]) == round(float(pool["usage"]["cost_usd"]) * 1_000_000)


async def test_the_log_tells_how_the_account_was_chosen_and_names_no_session(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached")
    await ask(gateway)
    row = await ask(gateway)
    assert row["routing"]["strategy"] == "fill_first"
    assert [account["name"] for account in row["routing"]["ranked"]] == ["acct-2"]
    (left_out,) = row["routing"]["left_out"]
    assert (left_out["name"], left_out["code"]) == ("acct-1", "usage_limited")
    assert row["client_ip"] == "127.0.0.1"
    assert row["session"]
    assert HEADERS["session_id"] not in orjson.dumps(row).decode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that looks for another price list all the time."""
    monkeypatch.setattr(prices, "LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_an_operators_price_list_counts_without_a_restart(gateway: Gateway) -> None:
    async def answer(request: web.Request) -> web.Response:
        buckets = {"default": {"input": 1, "output": 1}}
        return web.json_response({"models": {"gpt-5.5": {"prices": {"standard": buckets}}}})

    app = web.Application()
    app.router.add_get("/pricing.json", answer)
    async with TestServer(app) as server:
        house = gateway.process.house
        before = house.prices.current
        url = str(server.make_url("/pricing.json"))
        await gateway.admin("PATCH", "/settings/catalog", {"values": {"openai_pricing_url": url}})
        for _ in range(100):
            if house.prices.current is not before:
                break
            await asyncio.sleep(0.05)
        row = await ask(gateway)
    assert row["cost"]["usd"] == priced(row["usage"], 1, 1, 1)
