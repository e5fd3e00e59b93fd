"""Pictures under ``/v1``: one call of the backend for each, one answer or stream for all."""

from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from codex_pooler.simulator.faults import Fault, Order
from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, forget, switch

PATH, EDITS = "/v1/images/generations", "/v1/images/edits"
BACKEND, BACKEND_EDITS = "/backend-api/codex/images/generations", "/backend-api/codex/images/edits"
PROMPT = "a canary-cat"
PNG = b"\x89PNG\r\n\x1a\n canary-picture"
URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


async def draw(gateway: Gateway, path: str = PATH, *, key: str | None = None, **more: Any) -> Reply:
    return await ask(gateway, "POST", path, json={"prompt": PROMPT, **more}, key=key)


async def edit(gateway: Gateway, *files: tuple[str, bytes], **fields: str) -> Reply:
    form = aiohttp.FormData(quote_fields=False)
    for name, value in ({"prompt": PROMPT} | fields).items():
        form.add_field(name, value)
    for name, data in files or [("image", PNG)]:
        form.add_field(name, io.BytesIO(data), filename="canary-name.png", content_type="image/png")
    return await ask(gateway, "POST", EDITS, data=form)


def events_in(reply: Reply) -> list[Any]:
    return [orjson.loads(line[6:]) for line in reply.body.splitlines() if line.startswith(b"data: ")]


async def sent(gateway: Gateway, path: str = BACKEND) -> Any:
    return (await arrived(gateway, path))[-1]["body"]


async def test_a_picture_is_made(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    reply = await draw(
        gateway, model="gpt-image-1", quality="hd", background="transparent", n=1, response_format="b64_json"
    )
    assert reply.status == 200, reply.body
    answer = reply.json
    assert [one["b64_json"][:5] for one in answer["data"]] == ["iVBOR"]
    assert (answer["background"], answer["output_format"]) == ("transparent", "png")
    assert answer["usage"]["total_tokens"] == 212
    assert await sent(gateway) == {
        "prompt": PROMPT,
        "model": "gpt-image-1",
        "quality": "high",
        "background": "transparent",
    }
    assert reply.headers["x-gateway-ignored"] == "quality", "the backend chose another"
    (row,) = await gateway.log()
    assert (row["route"], row["model"], row["status"]) == (PATH, "gpt-image-1", "succeeded")
    assert "canary" not in str(row)
    assert (await draw(gateway)).headers.get("x-gateway-ignored") is None
    assert (await sent(gateway))["model"] == "gpt-image-2", "unless another is named"


async def test_several_pictures_are_made_one_by_one(gateway: Gateway) -> None:
    answer = (await draw(gateway, n=5)).json
    assert len(answer["data"]) == 5
    assert (answer["usage"]["output_tokens"], answer["usage"]["input_tokens_details"]["text_tokens"]) == (980, 80)
    assert "incomplete" not in answer
    assert len(await arrived(gateway, BACKEND)) == len(await gateway.log()) == 5


async def test_pictures_that_were_made_are_given_though_others_failed(gateway: Gateway) -> None:
    gateway.world.faults.add(Order("*", "images", Fault("refuse", status=400, body={"detail": "No."}), skip=2, left=9))
    reply = await draw(gateway, n=10)
    assert reply.status == 200
    incomplete = reply.json["incomplete"]
    assert (incomplete["asked"], incomplete["made"], incomplete["error"]["message"]) == (10, 2, "No.")
    assert len(reply.json["data"]) == 2
    assert len(await arrived(gateway, BACKEND)) <= 5, "after the first failure no more are begun"
    await gateway.control("DELETE", "/faults")
    gateway.world.faults.add(Order("*", "images", Fault("refuse", status=400, body={"detail": "No."}), skip=1, left=1))
    made, failed = events_in(await draw(gateway, n=2, stream=True))
    assert (made["type"], failed["error"]["message"]) == ("image_generation.completed", "No.")
    gateway.world.faults.add(Order("*", "images", Fault("refuse", status=400, body={"detail": "No."})))
    refused = await draw(gateway, n=3)
    assert (refused.status, refused.json["error"]["message"]) == (400, "No.")


async def test_a_stream_has_an_event_for_each_picture(gateway: Gateway) -> None:
    reply = await draw(gateway, n=2, stream=True, partial_images=2)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-gateway-ignored"] == "partial_images"
    events = events_in(reply)
    assert [one["type"] for one in events] == ["image_generation.completed"] * 2
    assert set(events[0]) >= {"b64_json", "created_at", "size", "quality", "background", "output_format", "usage"}
    (edited,) = events_in(await edit(gateway, stream="true"))
    assert edited["type"] == "image_edit.completed"


async def test_a_client_that_waits_hears_of_life(gateway: Gateway) -> None:
    gateway.process.house.budgets = replace(gateway.process.house.budgets, keepalive=0.2)
    await gateway.fault("*", "slow_headers", route="images")
    reply = await draw(gateway)
    assert reply.body.startswith(b"  ")
    assert reply.json["data"]
    gateway.world.faults.add(Order("*", "images", Fault("delay", delay_ms=700), left=1))
    gateway.world.faults.add(Order("*", "images", Fault("refuse", status=200, body="{}"), left=1))
    late = await draw(gateway, n=1, stream=True)
    assert late.body.startswith(b": keepalive\n\n")


async def test_pictures_are_edited_out_of_a_form(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    reply = await edit(gateway, ("image[]", PNG), ("image[]", b"\xff\xd8\xff jpeg"), n="2", size="1024x1024")
    assert (reply.status, len(reply.json["data"])) == (200, 2)
    body = await sent(gateway, BACKEND_EDITS)
    jpeg = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff jpeg").decode()
    assert body["images"] == [{"image_url": URL}, {"image_url": jpeg}]
    assert (body["prompt"], body["size"]) == (PROMPT, "1024x1024")
    assert (await edit(gateway, ("image", PNG), ("mask", PNG))).status == 200
    body = await sent(gateway, BACKEND_EDITS)
    assert len(body["images"]) == 2
    assert body["prompt"].startswith(PROMPT)
    assert "mask" in body["prompt"], "the backend hears what the second picture is for"


async def test_a_large_picture_is_edited(gateway: Gateway) -> None:
    assert (await edit(gateway, ("image", PNG + bytes(3_000_000)))).status == 200


async def test_pictures_are_edited_out_of_json(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    for given in ({"images": [{"image_url": URL}]}, {"image": URL}, {"image": [URL]}):
        assert (await draw(gateway, EDITS, **given)).status == 200
        assert (await sent(gateway, BACKEND_EDITS))["images"] == [{"image_url": URL}]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"response_format": "url"}, "unsupported_parameter", "response_format"),
    ({"model": "dall-e-3"}, "invalid_model", "model"),
    ({"model": "gpt-5.5"}, "invalid_model", "model"),
    ({"model": 5}, "invalid_request", "model"),
    ({"n": 0}, "invalid_request", "n"),
    ({"n": 11}, "invalid_request", "n"),
    ({"n": True}, "invalid_request", "n"),
    ({"n": "2"}, "invalid_request", "n"),
    ({"prompt": " "}, "invalid_request", "prompt"),
    ({"prompt": None}, "invalid_request", "prompt"),
    ({"size": 5}, "invalid_request", "size"),
    ({"stream": "yes"}, "invalid_request", "stream"),
]
WRONG_EDITS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "invalid_request", "image"),
    ({"images": [{"file_id": "file_1"}]}, "unsupported_parameter", "images"),
    ({"images": [{"image_url": "http://10.0.0.1/x"}]}, "invalid_request", "images"),
    ({"images": [5]}, "invalid_request", "images"),
    ({"images": [URL], "mask": [URL, URL]}, "invalid_request", "mask"),
]


async def test_what_cannot_be_is_refused_here(gateway: Gateway) -> None:
    for path, cases in ((PATH, WRONG), (EDITS, WRONG_EDITS)):
        for given, code, param in cases:
            reply = await draw(gateway, path, **given)
            assert (reply.status, reply.code, reply.param) == (400, code, param), given
    assert (await edit(gateway, ("image", b"<svg>"))).param == "image"
    assert (await edit(gateway, ("file", PNG))).param == "image"
    for path in (PATH, EDITS):
        assert (await ask(gateway, "POST", path, data=b"{")).code == "unsupported_media_type"
        broken = await ask(gateway, "POST", path, data=b"{", headers={"content-type": "application/json"})
        assert (broken.status, broken.code) == (400, "invalid_request")
    assert await arrived(gateway, "/backend-api/codex/images") == []


async def test_what_has_no_effect_is_named_or_refused_by_strict_pools(gateway: Gateway) -> None:
    more: dict[str, Any] = {
        "user": "u",
        "style": "vivid",
        "moderation": "low",
        "output_compression": 100,
        "input_fidelity": "low",
    }
    reply = await draw(gateway, **more)
    assert (reply.status, reply.headers["x-gateway-ignored"]) == (200, "user, style, moderation")
    form = await edit(gateway, user="u", input_fidelity="high", later="x")
    assert (form.status, set(form.headers["x-gateway-ignored"].split(", "))) == (
        200,
        {"user", "input_fidelity", "later"},
    )
    await switch(gateway, v1_strict=True)
    strict = await draw(gateway, **more)
    assert (strict.status, strict.code, strict.param) == (400, "unsupported_parameter", "user")


async def test_a_pool_may_forbid_pictures_before_they_are_read(gateway: Gateway) -> None:
    await switch(gateway, allow_image_generation=False)
    for path in (PATH, EDITS):
        reply = await ask(gateway, "POST", path, data=b"{ nonsense")
        assert (reply.status, reply.code) == (403, "image_generation_disabled")
        assert (await ask(gateway, "POST", path, data=b"{", key="")).status == 401


async def test_keys_and_failures(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    body = {"name": "text", "pool_id": gateway.pool_id, "allowed_models": ["gpt-5.5"]}
    key = (await gateway.admin("POST", "/api-keys", body))["secret"]
    assert (await draw(gateway, key=key)).code == "model_not_allowed"
    await gateway.fault("acct-1", "usage_limit_reached", route="images")
    assert (await draw(gateway)).status == 200, "another account takes over"
    forget(gateway)
    for answer in ("{}", '{"data": []}', '{"data": [{"b64_json": null}]}', '{"data": [{"url": "x"}]}', "<html>"):
        gateway.world.faults.add(Order("*", "images", Fault("refuse", status=200, body=answer), left=1))
        reply = await draw(gateway)
        assert (reply.status, reply.code) == (502, "image_generation_failed"), answer
    await gateway.fault("*", "bad_request", route="images")
    assert set((await draw(gateway)).json["error"]) >= {"message", "type", "code", "param"}
    assert "canary" not in str(await gateway.log()) + caplog.text


async def test_a_client_that_leaves_ends_every_picture(gateway: Gateway) -> None:
    gateway.world.faults.add(Order("*", "images", Fault("delay", delay_ms=60_000)))
    task = asyncio.create_task(draw(gateway, n=4))
    async with asyncio.timeout(10):
        while len(await arrived(gateway, BACKEND)) < 3:
            await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(10):
        while len(rows := await gateway.log()) < 3:
            await asyncio.sleep(0.05)
    assert {row["status"] for row in rows} == {"cancelled"}
    assert gateway.process.house.known.leases.total() == 0
    assert len(await arrived(gateway, BACKEND)) == 3
