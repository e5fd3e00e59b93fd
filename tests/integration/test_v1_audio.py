"""Transcription under ``/v1``: what tools ask for and how they want it, over the way of dictation."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from codex_pooler.simulator.faults import Fault, Order
from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, switch

PATH = "/v1/audio/transcriptions"
BACKEND = "/backend-api/transcribe"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt canary-audio"


async def dictate(gateway: Gateway, data: bytes = WAV, *, kind: str = "audio/wav", **fields: str) -> Reply:
    key = fields.pop("key", None)
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", io.BytesIO(data), filename="canary-name.wav", content_type=kind)
    for name, value in ({"model": "whisper-1"} | fields).items():
        form.add_field(name, value)
    return await ask(gateway, "POST", PATH, data=form, key=key)


async def said(gateway: Gateway) -> str:
    return str((await dictate(gateway)).json["text"])


async def test_a_recording_comes_back_as_text(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    reply = await dictate(gateway, prompt="canary-prompt", language="de", temperature="0", stream="false")
    assert (reply.status, set(reply.json)) == (200, {"text"})
    assert "x-gateway-ignored" not in reply.headers
    (arrival,) = await arrived(gateway, BACKEND)
    assert arrival["sha256"] == hashlib.sha256(WAV).hexdigest()
    sent = {"file": "audio.wav", "model": "gpt-4o-transcribe", "prompt": "canary-prompt", "language": "de"}
    assert arrival["body"] == sent
    (row,) = await gateway.log()
    assert (row["route"], row["model"], row["status"]) == (PATH, "gpt-4o-transcribe", "succeeded")
    assert "canary" not in str(row)


async def test_each_shape_of_an_answer(gateway: Gateway) -> None:
    text = await said(gateway)
    plain = await dictate(gateway, response_format="text")
    assert (plain.body, plain.headers["content-type"]) == (text.encode() + b"\n", "text/plain")
    verbose = (await dictate(gateway, response_format="verbose_json", language="de")).json
    assert verbose == {"task": "transcribe", "language": "de", "duration": None, "text": text, "segments": []}
    streamed = await dictate(gateway, stream="true")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = [orjson.loads(line[6:]) for line in streamed.body.splitlines() if line.startswith(b"data: ")]
    assert events == [
        {"type": "transcript.text.delta", "delta": text},
        {"type": "transcript.text.done", "text": text},
    ]


async def test_every_name_for_the_model_is_taken(gateway: Gateway) -> None:
    names = (
        "whisper-1",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
        "Whisper-1",
    )
    for name in names:
        assert (await dictate(gateway, model=name)).status == 200, name
    for name in ("gpt-4o-transcribe-diarize", "gpt-5.5"):
        reply = await dictate(gateway, model=name)
        assert (reply.status, reply.code, reply.param) == (400, "invalid_model", "model"), name


REFUSED = {
    "response_format": ("srt", "vtt", "diarized_json"),
    "include[]": ("logprobs",),
}


async def test_what_cannot_be_given_is_refused_with_what_works(gateway: Gateway) -> None:
    for name, values in REFUSED.items():
        for value in values:
            asked: dict[str, Any] = {name: value}
            reply = await dictate(gateway, **asked)
            assert (reply.status, reply.code, reply.param) == (400, "unsupported_parameter", name.rstrip("[]"))
    assert "json, text or verbose_json" in (await dictate(gateway, response_format="srt")).json["error"]["message"]
    wrong: dict[str, dict[str, Any]] = {"file": {"kind": "image/png"}, "stream": {"stream": "maybe"}}
    for param, more in wrong.items():
        reply = await dictate(gateway, **more)
        assert (reply.status, reply.code, reply.param) == (400, "invalid_request", param)
    assert (await dictate(gateway, b"a" * 26_214_401)).code == "request_too_large"
    assert (await ask(gateway, "POST", PATH, json={})).code == "unsupported_media_type"
    assert await arrived(gateway, BACKEND) == []


async def test_what_has_no_effect_is_named_or_refused_by_strict_pools(gateway: Gateway) -> None:
    more: dict[str, Any] = {
        "temperature": "0.4",
        "timestamp_granularities[]": "word",
        "chunking_strategy": "auto",
        "later": "x",
    }
    reply = await dictate(gateway, **more)
    assert reply.status == 200
    assert reply.headers["x-gateway-ignored"] == "timestamp_granularities, chunking_strategy, later, temperature"
    await switch(gateway, v1_strict=True)
    strict = await dictate(gateway, **more)
    assert (strict.status, strict.code, strict.param) == (400, "unsupported_parameter", "timestamp_granularities")
    assert (await dictate(gateway)).status == 200


async def test_failures_are_told_as_the_api_tells_them(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached", route="transcribe")
    assert (await dictate(gateway)).status == 200, "another account takes over"
    await gateway.fault("*", "bad_request", route="transcribe")
    refused = await dictate(gateway)
    assert refused.status == 400
    assert set(refused.json["error"]) >= {"message", "type", "code", "param"}
    gateway.world.faults.add(Order("*", "transcribe", Fault("refuse", status=200, body='{"nothing": 1}'), left=1))
    reply = await dictate(gateway)
    assert (reply.status, reply.code) == (502, "transcription_failed")


async def test_a_client_that_waits_for_events_hears_of_life(gateway: Gateway) -> None:
    gateway.process.house.budgets = replace(gateway.process.house.budgets, keepalive=0.2)
    await gateway.fault("*", "slow_headers", route="transcribe")
    reply = await dictate(gateway, stream="true")
    assert reply.body.startswith(b": keepalive\n\n")
    assert b"transcript.text.done" in reply.body


async def test_keys_for_other_models_and_strangers(gateway: Gateway) -> None:
    body = {"name": "text", "pool_id": gateway.pool_id, "allowed_models": ["gpt-5.5"]}
    key = (await gateway.admin("POST", "/api-keys", body))["secret"]
    assert (await dictate(gateway, key=key)).code == "model_not_allowed"
    assert (await dictate(gateway, key="sk-cxp-000000000000-x")).status == 401


async def test_a_client_that_leaves_frees_its_account(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    await gateway.fault("acct-1", "slow_headers", route="transcribe")
    task = asyncio.create_task(dictate(gateway))
    async with asyncio.timeout(10):
        while not await arrived(gateway, BACKEND):
            await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(10):
        while not (rows := await gateway.log()):
            await asyncio.sleep(0.05)
    assert [row["status"] for row in rows] == ["cancelled"]
    assert gateway.process.house.known.leases.total() == 0
    assert "canary" not in caplog.text
