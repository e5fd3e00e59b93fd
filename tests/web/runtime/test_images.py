"""Pictures: passed on byte by byte, to the next account when one fails, and not at all where a pool forbids them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from aiohttp import ClientTimeout

from codex_pooler.simulator.faults import Fault, Order
from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, forget, switch

PATHS = ["/backend-api/codex/images/generations", "/backend-api/codex/images/edits"]
BODY = b'{ "model":"gpt-image-2", "prompt" : "a c\\u0061nary-cat",  "n":1, "images": [{"image_url": "data:x"}] }'
FAULTS = [
    "usage_limit_reached",
    "rate_limit_exceeded",
    "bare_429",
    "deactivated_workspace",
    "server_error",
    "bad_gateway",
    "server_is_overloaded",
    "challenge",
]


async def draw(gateway: Gateway, path: str = PATHS[0], body: bytes = BODY, **more: Any) -> Reply:
    return await ask(gateway, "POST", path, data=body, headers={"Content-Type": "application/json"}, **more)


async def test_bytes_pass_both_ways(gateway: Gateway) -> None:
    for path in PATHS:
        reply = await draw(gateway, path)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("application/json")
        assert reply.json["data"][0]["b64_json"]
        (arrival,) = await arrived(gateway, path)
        assert arrival["sha256"] == hashlib.sha256(BODY).hexdigest()
        assert arrival["headers"]["content-type"] == "application/json"
        row = (await gateway.log())[0]
        assert (row["route"], row["status"], row["model"]) == (path, "succeeded", "gpt-image-2")


async def test_a_failing_account_is_replaced(gateway: Gateway) -> None:
    for fault in FAULTS:
        forget(gateway)
        await gateway.fault("acct-1", fault, route="images")
        reply = await draw(gateway)
        assert reply.status == 200, (fault, reply.body)
        assert [one["account"] for one in await arrived(gateway, PATHS[0])][-2:] == ["acct-1", "acct-2"], fault


async def test_a_refused_login_is_renewed_once_and_then_replaced(gateway: Gateway) -> None:
    fault = "token_revoked"
    await gateway.fault("acct-1", fault, route="images")
    assert (await draw(gateway)).status == 200
    assert [one["account"] for one in await arrived(gateway, PATHS[0])] == ["acct-1", "acct-1"]
    await gateway.fault("acct-1", fault, route="images", times=2)
    assert (await draw(gateway)).status == 200
    assert [one["account"] for one in await arrived(gateway, PATHS[0])][2:] == ["acct-1", "acct-1", "acct-2"]
    rows = await gateway.log()
    assert [attempt["outcome"] for attempt in rows[1]["attempt_log"]] == ["failed_over", "served"]


async def test_the_backends_own_refusal_comes_back_as_it_was(gateway: Gateway) -> None:
    for number, fault in enumerate(["bad_request", "policy_violation", "not_found"], 1):
        await gateway.fault("acct-1", fault, route="images")
        reply = await draw(gateway)
        assert reply.status in (400, 404)
        assert len(await arrived(gateway, PATHS[0])) == number, "nobody else is asked"
    assert {row["status"] for row in await gateway.log()} == {"rejected"}


async def test_a_large_picture_comes_back_whole(gateway: Gateway) -> None:
    picture = "a" * 9_000_000
    gateway.world.faults.add(Order("*", "images", Fault("refuse", status=200, body=picture), left=1))
    assert (await draw(gateway)).body == picture.encode()


async def test_a_lost_answer_is_not_asked_for_twice(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "reset_before_headers", route="images")
    reply = await draw(gateway)
    assert (reply.status, reply.code) == (502, "upstream_request_failed")
    assert len(await arrived(gateway, PATHS[0])) == 1, "a picture costs; the second would cost again"


async def test_a_pool_may_forbid_pictures(gateway: Gateway) -> None:
    await switch(gateway, allow_image_generation=False)
    for path in PATHS:
        reply = await draw(gateway, path)
        assert (reply.status, reply.code) == (403, "image_generation_disabled")
        assert "Image generation is disabled for this pool" in reply.json["error"]["message"]
        assert await arrived(gateway, path) == []
        assert (await draw(gateway, path, key="")).status == 401, "strangers learn nothing of the pool"
    assert await gateway.log() == []


async def test_a_key_may_be_for_other_models(gateway: Gateway) -> None:
    body = {"name": "text", "pool_id": gateway.pool_id, "allowed_models": ["gpt-5.5"]}
    key = (await gateway.admin("POST", "/api-keys", body))["secret"]
    reply = await draw(gateway, key=key)
    assert (reply.status, reply.code, reply.param) == (403, "model_not_allowed", "model")
    unnamed = await draw(gateway, body=b'{"prompt": "x"}', key=key)
    assert (unnamed.status, unnamed.param) == (400, "model")
    assert (await draw(gateway, body=b'{"prompt": "x"}')).status == 200, "a key for everything need not name one"


async def test_a_body_of_the_wrong_kind_is_refused_here(gateway: Gateway) -> None:
    for body in (b"", b"[]", b"{", b'{"model": 5, "prompt": "x"}'):
        reply = await draw(gateway, body=body)
        assert (reply.status, reply.code) == (400, "invalid_request")


async def test_only_json_is_taken(gateway: Gateway) -> None:
    reply = await ask(gateway, "POST", PATHS[1], data=b"--x--", headers={"Content-Type": "multipart/form-data"})
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_a_client_that_leaves_is_written_down_and_frees_its_account(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "slow_headers", route="images")
    with pytest.raises(TimeoutError):
        await draw(gateway, timeout=ClientTimeout(total=0.3))
    async with asyncio.timeout(5):
        while not (rows := await gateway.log()):
            await asyncio.sleep(0.05)
    assert [(row["status"], row["http_status"]) for row in rows] == [("cancelled", 499)]
    assert gateway.process.house.known.leases.total() == 0


async def test_nothing_of_a_picture_is_kept(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    await draw(gateway, body=b'{"model":"gpt-image-2","prompt":"canary-prompt","image":"data:canary-image"}')
    await gateway.fault("*", "bad_request", route="images")
    await draw(gateway, body=b'{"model":"gpt-image-2","prompt":"canary-prompt"}')
    rows = await gateway.log()
    assert len(rows) == 2
    assert "canary" not in str(rows) + caplog.text
