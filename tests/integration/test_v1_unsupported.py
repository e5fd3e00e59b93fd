"""What there is not under ``/v1``: told alike to everybody who has a key, with what to use instead."""

from __future__ import annotations

import re

from codex_pooler.web.runtime.v1.unsupported import BRANCHES, OF_ANTHROPIC, PATHS
from tests.integration.whole import Gateway
from tests.web.runtime.asking import arrived, ask, switch


def places() -> list[tuple[str, str]]:
    """Every path, spelled out, with its row."""
    branches = [(path.replace("{id}", "x_1") + end, path) for path in BRANCHES for end in ("", "/y", "/y/z")]
    return [(path, path) for path in PATHS] + branches


async def test_what_is_not_offered_names_what_to_use_instead(gateway: Gateway) -> None:
    for path, row in places():
        for method in ("GET", "POST", "DELETE"):
            reply = await ask(gateway, method, path, data=b"{ no json")
            assert (reply.status, reply.code) == (404, "unsupported_endpoint"), (method, path)
            assert reply.json["error"]["message"].endswith({**PATHS, **BRANCHES}[row])
            assert (reply.json.get("type") == "error") == (row in OF_ANTHROPIC)
    assert await gateway.log() == []


async def test_strangers_hear_of_the_key_first(gateway: Gateway) -> None:
    for path in ("/v1/embeddings", "/v1/responses/resp_1/cancel", "/v1/nothing", "/v1", "/v1/"):
        for method in ("GET", "POST", "OPTIONS", "PUT"):
            reply = await ask(gateway, method, path, key="", json={})
            assert (reply.status, reply.code) == (401, "invalid_api_key"), (method, path)
            assert (await ask(gateway, method, path, key="sk-cxp-000000000000-x", json={})).status == 401


async def test_a_pool_without_this_surface_says_so_everywhere(gateway: Gateway) -> None:
    await switch(gateway, v1_compatibility=False)
    for path in ("/v1/embeddings", "/v1/nothing", "/v1/files", "/v1/audio/transcriptions", "/v1/images/generations"):
        reply = await ask(gateway, "POST", path, json={})
        assert (reply.status, reply.code) == (403, "v1_compatibility_disabled"), path


async def test_what_nobody_has_is_not_found(gateway: Gateway) -> None:
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1//files", "/v1/nothing/a/b", "/v1/%2e%2e/healthz"):
        reply = await ask(gateway, "POST", path, json={})
        assert (reply.status, reply.code) == (404, "not_found"), path


async def test_probes_of_other_servers_get_a_small_answer(gateway: Gateway) -> None:
    for path in ("/api/v1/models", "/api/tags", "/props", "/version", "/api/show"):
        reply = await ask(gateway, "GET", path)
        assert (reply.status, reply.code, reply.headers["content-type"]) == (
            404,
            "not_found",
            "application/json",
        )


async def test_every_alternative_is_a_route_that_there_is(gateway: Gateway) -> None:
    assert [text for text in {**PATHS, **BRANCHES}.values() if not re.search(r"\b(use|see|send)\b", text)] == []
    named = {found for text in {**PATHS, **BRANCHES}.values() for found in re.findall(r"(GET|POST) (/v1/[\w/]+)", text)}
    for method, path in named:
        reply = await ask(gateway, method, path, data=b"")
        assert reply.status != 405, (method, path)
        assert reply.status != 404, (method, path)
    assert await arrived(gateway, "/backend-api/codex/responses") == []
