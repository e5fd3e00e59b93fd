"""Client configurations of a whole gateway tell of the models that the pool's accounts offer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.integration.whole import Gateway


async def configuration(gateway: Gateway) -> Any:
    """OpenCode's, once the accounts' catalogues have come."""
    path = f"/client-configs?tool=opencode&pool_id={gateway.pool_id}"
    async with asyncio.timeout(30):
        while True:
            (shown,) = (await gateway.admin("GET", path))["items"]
            read = json.loads(shown["variants"][0]["snippets"][0]["text"])
            if len(read["provider"]["openai"]["models"]) > 1:
                return read
            await asyncio.sleep(0.05)


async def test_models_and_their_limits_are_the_pools(gateway: Gateway) -> None:
    read = await configuration(gateway)
    models = read["provider"]["openai"]["models"]
    assert models["gpt-5.5"]["limit"] == {"context": 400_000, "input": 258_400, "output": 128_000}
    assert "codex-auto-review" not in models, "the backend hides it"
    assert read["model"] == "openai/" + next(iter(models))
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.get(gateway.origin + "/v1/models", headers=headers) as answer:
        offered = {model["id"] for model in (await answer.json())["data"]}
    assert set(models) <= offered
