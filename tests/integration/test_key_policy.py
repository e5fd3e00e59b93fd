"""A key's policy and limits, from its client's request to the backend's record and the log."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from tests.integration.whole import Gateway


async def change(gateway: Gateway, body: dict[str, Any]) -> str:
    """Change the gateway's key; its id."""
    (key,) = (await gateway.admin("GET", "/api-keys"))["items"]
    await gateway.admin("PATCH", f"/api-keys/{key['id']}", body)
    return str(key["id"])


async def refused(gateway: Gateway, **asked: Any) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
    async with gateway.turn(**asked) as answer:
        return answer.status, (await answer.json())["error"], answer


async def sent(gateway: Gateway, **asked: Any) -> dict[str, Any]:
    """What the backend got of a turn that is served."""
    gateway.world.settings.keep_bodies = True
    async with gateway.turn(**asked) as answer:
        assert answer.status == 200, await answer.text()
    body: dict[str, Any] = (await gateway.arrived())[-1]["body"]
    return body


async def test_scenario_1_who_has_no_usable_key_learns_nothing_of_why(gateway: Gateway) -> None:
    wrong_secret = gateway.key[:-4] + ("aaaa" if not gateway.key.endswith("aaaa") else "bbbb")
    unknown = f"sk-cxp-{'0' * 12}-{'a' * 43}"
    bodies = set()
    for header in (f"Bearer {unknown}", f"Bearer {wrong_secret}", "Bearer nonsense", "Basic eDp5"):
        async with gateway.turn(headers={"Authorization": header}) as answer:
            assert answer.status == 401
            bodies.add(await answer.text())
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"status": "disabled"})
    async with gateway.turn() as answer:
        assert answer.status == 401
        bodies.add(await answer.text())
    assert len(bodies) == 1
    assert '"api_key_missing"' in bodies.pop()
    assert await gateway.arrived() == []


async def test_scenario_2_a_key_without_models_uses_and_sees_none(gateway: Gateway) -> None:
    await change(gateway, {"models": {"mode": "none"}})
    status, error, _ = await refused(gateway)
    assert (status, error["code"], error["param"]) == (403, "model_not_allowed", "model")
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.get(f"{gateway.origin}/backend-api/codex/models", headers=headers) as answer:
        assert (answer.status, (await answer.json())["models"]) == (200, [])
    assert await gateway.arrived() == []


async def test_scenario_3_an_enforced_model_goes_up_and_the_log_keeps_both(gateway: Gateway) -> None:
    await change(gateway, {"enforcement": {"model": "gpt-5.5"}, "allowed_models": ["gpt-5.5"]})
    assert (await sent(gateway, model="gpt-5.4"))["model"] == "gpt-5.5"
    (row,) = await gateway.log()
    assert (row["model"], row["requested_model"]) == ("gpt-5.5", "gpt-5.4")


async def test_scenario_4_efforts_are_capped_replaced_and_translated(gateway: Gateway) -> None:
    await change(gateway, {"enforcement": {"reasoning": {"mode": "max", "effort": "medium"}}})
    status, error, _ = await refused(gateway, reasoning={"effort": "high"})
    assert (status, error["code"], error["param"]) == (400, "reasoning_effort_not_allowed", "reasoning.effort")
    assert (await sent(gateway, reasoning={"effort": "minimal"}))["reasoning"]["effort"] == "low"
    await change(gateway, {"enforcement": {"reasoning": {"mode": "exact", "effort": "low"}}})
    body = await sent(gateway, reasoning={"effort": "high", "summary": "auto"})
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}


async def test_a_tier_is_enforced(gateway: Gateway) -> None:
    await change(gateway, {"enforcement": {"service_tier": "default"}})
    assert "service_tier" not in await sent(gateway, service_tier="priority")


async def test_scenario_39_the_third_request_of_a_minute_is_told_when_to_come_back(gateway: Gateway) -> None:
    await change(gateway, {"limits": {"default": {"max_requests_per_minute": 2}}})
    for _ in range(2):
        await sent(gateway)
    status, error, answer = await refused(gateway)
    assert (status, error["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert re.search(r"try again in \d+s$", error["message"])
    assert len(await gateway.arrived()) == 2
    await change(gateway, {"limits": {"per_model": {"gpt-5.5": {"max_requests_per_minute": 3}}}})
    await sent(gateway)
    assert (await refused(gateway))[0] == 429


async def test_scenario_40_a_turn_that_was_refused_leaves_its_budget(gateway: Gateway) -> None:
    await change(gateway, {"limits": {"default": {"max_requests_per_day": 1}}})
    await gateway.fault("acct-1", "bad_request")
    assert (await refused(gateway))[0] == 400
    async with gateway.turn() as answer:
        assert (answer.status, answer.headers["x-ratelimit-remaining-requests"]) == (200, "0")
        await answer.read()
    status, error, answer = await refused(gateway)
    assert (status, error["code"], error["type"]) == (429, "key_limit_reached", "usage_limit_reached")
    assert int(answer.headers["retry-after"]) <= 300
    assert 0 < error["resets_in_seconds"] <= 86400
    await gateway.process.writer.drain()
    (key,) = (await gateway.admin("GET", "/api-keys"))["items"]
    assert [each["used"] for each in key["consumption"]] == [1]


@pytest.mark.parametrize("action", ["pause", "revoke", "rotate"])
async def test_scenario_41_a_key_that_may_no_longer_be_used_is_refused_at_once(gateway: Gateway, action: str) -> None:
    (key,) = (await gateway.admin("GET", "/api-keys"))["items"]
    other = await gateway.admin("POST", "/api-keys", {"name": "other", "pool_id": gateway.pool_id})
    await gateway.admin("POST", f"/api-keys/{key['id']}/{action}")
    assert (await refused(gateway))[0] == 401
    gateway.key = other["secret"]
    await sent(gateway)


async def test_a_key_for_other_networks_is_refused(gateway: Gateway) -> None:
    await change(gateway, {"allowed_networks": ["10.0.0.0/8"]})
    status, error, _ = await refused(gateway)
    assert (status, error["code"]) == (403, "access_denied")
    await change(gateway, {"allowed_networks": ["127.0.0.1"]})
    await sent(gateway)
