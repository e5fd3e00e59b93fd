"""The model list over HTTP: complete, quick to say that nothing changed, and closed to strangers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from codex_pooler.simulator.models import bundled
from tests.integration.whole import Gateway

MODELS = "/backend-api/codex/models"


@asynccontextmanager
async def listed(gateway: Gateway, path: str = MODELS, method: str = "GET", **headers: str) -> AsyncIterator[Any]:
    sent = {"Authorization": f"Bearer {gateway.key}"} | {name.replace("_", "-"): each for name, each in headers.items()}
    async with gateway.http.request(method, gateway.origin + path, headers=sent) as answer:
        yield answer


async def slugs(gateway: Gateway, **headers: str) -> list[str]:
    async with listed(gateway, **headers) as answer:
        assert answer.status == 200
        return [model["slug"] for model in (await answer.json())["models"]]


@pytest.fixture
async def synced(gateway: Gateway) -> Gateway:
    """A gateway that has fetched the catalogues of its accounts by itself."""
    async with asyncio.timeout(15):
        while not await slugs(gateway):
            await asyncio.sleep(0.1)
    return gateway


async def test_the_whole_catalogue_of_the_accounts_is_listed(synced: Gateway) -> None:
    for path in (MODELS, "/backend-api/codex/v1/models", f"{MODELS}?client_version=0.169.0"):
        async with listed(synced, path) as answer:
            models = (await answer.json())["models"]
            assert answer.content_type == "application/json"
            assert answer.headers["etag"].startswith('W/"cp-models-v1-')
        assert models == sorted(bundled().models.values(), key=lambda model: str(model["slug"]))


async def test_who_has_the_list_already_is_told_so(synced: Gateway) -> None:
    async with listed(synced) as answer:
        etag = answer.headers["etag"]
    bare = etag.removeprefix("W/")
    for told in (etag, bare, "*", f'"other", {etag}', f'W/"with, comma",{bare}'):
        async with listed(synced, If_None_Match=told) as answer:
            assert (answer.status, await answer.read(), answer.headers["etag"]) == (304, b"", etag), told
    for told in ('"other"', "other", etag.upper(), "", bare.strip('"')):
        async with listed(synced, If_None_Match=told) as answer:
            assert answer.status == 200, told


async def test_head_tells_the_same_without_the_list(synced: Gateway) -> None:
    async with listed(synced) as answer:
        etag, length = answer.headers["etag"], len(await answer.read())
    async with listed(synced, method="HEAD") as answer:
        assert (answer.status, answer.headers["etag"], int(answer.headers["content-length"])) == (200, etag, length)
        assert await answer.read() == b""


async def test_a_key_sees_the_models_it_may_use(synced: Gateway) -> None:
    policies = {
        "allowed_models = ARRAY['GPT-5.5', 'gpt-6-sol', 'gpt-unknown']": ["gpt-5.5", "gpt-6-sol"],
        "allowed_models = NULL, enforced_model = 'gpt-5.5'": ["gpt-5.5"],
        "enforced_model = NULL": await slugs(synced),
    }
    tags = set()
    for policy, expected in policies.items():
        async with synced.process.context.database.session() as session:
            await session.run(f"UPDATE api_keys SET {policy}")
        await synced.process.house.snapshot.refresh()
        async with listed(synced) as answer:
            assert [model["slug"] for model in (await answer.json())["models"]] == expected
            tags.add(answer.headers["etag"])
    assert len(tags) == 3


async def test_an_account_with_fewer_models_takes_none_away(synced: Gateway) -> None:
    first = next(iter(synced.world.accounts.values()))
    first.models = ["gpt-5.5"]
    database, snapshot = synced.process.context.database, synced.process.house.snapshot
    async with database.session() as session:
        await session.run("DELETE FROM account_models")
    await snapshot.refresh()
    async with asyncio.timeout(15):
        while any(m.account.models is None for pool in snapshot.current.pools.values() for m in pool.members):
            await asyncio.sleep(0.1)
    assert len(await slugs(synced)) == len(bundled().models)


# -- strangers, and the doctor


@pytest.mark.parametrize("authorization", [None, "Bearer sk-cxp-wrong", "Basic abc"])
async def test_strangers_are_refused_at_once(gateway: Gateway, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for method, path in (("GET", MODELS), ("HEAD", MODELS), ("HEAD", "/backend-api/codex/responses")):
        async with gateway.http.request(method, gateway.origin + path, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (401, "application/json"), (method, path)


async def test_codex_doctor_finds_the_route(gateway: Gateway) -> None:
    url = gateway.origin + "/backend-api/codex/responses"
    beta = {"Authorization": f"Bearer {gateway.key}", "openai-beta": "responses_websockets=2026-02-06"}
    async with gateway.http.ws_connect(url, headers=beta) as socket:
        assert socket._response.status == 101
    async with gateway.http.head(url) as answer:
        assert answer.status == 401
    async with gateway.http.get(gateway.origin + MODELS) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (401, "api_key_missing")


async def test_a_probe_with_a_key_is_told_how_to_ask(gateway: Gateway) -> None:
    for path in ("/backend-api/codex/responses", "/backend-api/codex/v1/responses"):
        async with listed(gateway, path, "HEAD") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_model_that_is_new_can_be_used_within_seconds(synced: Gateway) -> None:
    database, snapshot = synced.process.context.database, synced.process.house.snapshot
    old = "slugs = ARRAY['old'], digest = 'old', etag = NULL, fetched_at = now() - interval '1 hour'"
    async with database.session() as session:
        await session.run(f"UPDATE account_models SET {old}")
    await snapshot.refresh()
    async with synced.turn() as answer:
        assert answer.status < 500
        assert answer.status >= 400
    async with asyncio.timeout(15):
        while True:
            async with synced.turn() as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.2)
