"""``/v1/models`` and ``/v1/usage`` through the whole gateway, in both dialects."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.whole import Gateway

OF_ANTHROPIC = {"anthropic-version": "2023-06-01"}


async def get(gateway: Gateway, path: str, **headers: str) -> tuple[int, Any, Any]:
    given = {"Authorization": f"Bearer {gateway.key}", **headers}
    async with gateway.http.get(gateway.origin + path, headers=given) as answer:
        return answer.status, answer.headers, await answer.json() if answer.status != 304 else None


async def listed(gateway: Gateway, **headers: str) -> tuple[Any, dict[str, Any]]:
    """The models by name, once the accounts' catalogues have come; and the headers."""
    async with asyncio.timeout(30):
        while not (found := await get(gateway, "/v1/models", **headers))[2]["data"]:
            await asyncio.sleep(0.05)
    return found[1], {each["id"]: each for each in found[2]["data"]}


async def test_models_are_listed_for_the_tools_that_choose_one(gateway: Gateway) -> None:
    headers, models = await listed(gateway)
    model = models["gpt-5.5"]
    assert (model["object"], model["owned_by"], model["context_length"]) == ("model", "codex-pooler", 258_400)
    assert model["supports_reasoning"]
    assert "codex-auto-review" not in models, "a client's own errands are none of people's choices"
    assert (await get(gateway, "/v1/models/codex-auto-review"))[2]["id"] == "codex-auto-review"
    assert (await get(gateway, "/v1/models", **{"If-None-Match": headers["etag"]}))[0] == 304
    assert (await get(gateway, "/v1/models/GPT-5.5"))[2] == model
    status, _, told = await get(gateway, "/v1/models/gpt-2")
    assert (status, told["error"]["code"], told["error"]["param"]) == (404, "model_not_found", "model")
    async with gateway.http.head(gateway.origin + "/v1/models", headers={"x-api-key": gateway.key}) as answer:
        assert (answer.status, await answer.read()) == (200, b"")

    _, theirs = await listed(gateway, **OF_ANTHROPIC)
    assert theirs["gpt-5.5"]["type"] == "model"
    status, _, told = await get(gateway, "/v1/models/gpt-2", **OF_ANTHROPIC)
    assert (status, told["type"], told["error"]["type"]) == (404, "error", "not_found_error")


async def test_a_pools_other_names_are_listed_and_served(gateway: Gateway) -> None:
    aliases = [{"match": "gpt-4o", "model": "gpt-5.5"}, {"match": "claude-*", "model": "gpt-5.5"}]
    before, models = await listed(gateway)
    assert "gpt-4o" not in models
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"model_aliases": aliases})
    await gateway.process.house.snapshot.refresh()
    headers, models = await listed(gateway)
    assert "gpt-4o" in models
    assert "claude-*" not in models
    assert headers["etag"] != before["etag"]
    body = {"model": "gpt-4o", "input": "Reply with exactly: yes"}
    asking = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.post(f"{gateway.origin}/v1/responses", json=body, headers=asking) as answer:
        told = await answer.json()
        assert (answer.status, told.get("model")) == (200, "gpt-5.5"), told
    assert (await gateway.log())[0]["requested_model"] == "gpt-4o"


async def test_usage_tells_what_the_key_has_used(gateway: Gateway) -> None:
    async with gateway.turn() as answer:
        await answer.read()
    await gateway.log()
    status, _, told = await get(gateway, "/v1/usage")
    assert status == 200
    assert told["request_count"] == 1
    assert told["total_tokens"] > 0
    assert {each["source"] for each in told["limits"] + told["upstream_limits"]} <= {"api_key_limit", "upstream_usage"}
    status, _, told = await get(gateway, "/v1/usage?start=1")
    assert (status, told["error"]["code"], told["error"]["param"]) == (400, "unsupported_parameter", "start")
