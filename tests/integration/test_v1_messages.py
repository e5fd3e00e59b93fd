"""Anthropic's Messages API through the whole gateway, with a backend as strict as the real one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from tests.integration.whole import Gateway
from tests.protocol.anthropic.sdk import accumulated, decoded
from tests.web.runtime.asking import switch

PATH = "/v1/messages"
BASH = {"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object"}}
ASKING = {"role": "user", "content": "Run the shell command: `ls`"}
THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}}


@dataclass
class Told:
    """What a client was told: its events, and the message, put together if it came in pieces; or an error."""

    status: int
    headers: Any
    message: Any = None
    events: list[Any] = field(default_factory=list)

    @property
    def error(self) -> Any:
        """The error, whichever way it was told."""
        said = self.events[-1] if self.events else self.message
        assert said["type"] == "error"
        return said["error"]

    @property
    def text(self) -> str:
        return "".join(block.get("text", "") for block in self.message["content"])


async def ask(gateway: Gateway, *messages: Any, path: str = PATH, headers: Any = None, **more: Any) -> Told:
    """One request with these messages (or one that a user says), read to the end of its answer."""
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    body = {"model": "gpt-5.5", "max_tokens": 32_000, "messages": said, **more}
    sent = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01", "anthropic-beta": "one,two", **(headers or {})}
    async with gateway.http.post(gateway.origin + path, json=body, headers=sent) as answer:
        told, raw = Told(answer.status, answer.headers), await answer.read()
    if answer.content_type != "text/event-stream":
        told.message = orjson.loads(raw)
        return told
    told.events = decoded(raw)
    if told.events[-1]["type"] != "error":
        told.message = accumulated([event for event in told.events if event["type"] != "ping"])
    return told


async def catalogued(gateway: Gateway) -> Any:
    """The models that clients are shown, once the accounts' catalogues have come."""
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01"}
    async with asyncio.timeout(30):
        while True:
            async with gateway.http.get(gateway.origin + "/v1/models", headers=headers) as answer:
                page = await answer.json()
            if page["data"]:
                return page
            await asyncio.sleep(0.05)


async def sent_by(gateway: Gateway) -> list[Any]:
    """The bodies that reached the backend."""
    return [arrival["body"] for arrival in await gateway.arrived()]


async def test_a_question_is_answered(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    await catalogued(gateway)
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    asking: dict[str, Any] = {"model": "claude-opus-4-8", "system": system, "path": PATH + "?beta=true"}
    for stream in (True, False):
        told = await ask(gateway, "Reply with exactly: hello there", stream=stream, **asking)
        assert (told.status, told.text) == (200, "hello there")
        assert (told.message["model"], told.message["stop_reason"]) == ("claude-opus-4-8", "end_turn")
        assert told.message["usage"]["output_tokens"] > 0
        assert told.headers["x-gateway-ignored"] == "max_tokens"
        assert told.headers["request-id"] == told.headers["x-request-id"]
    for sent in await sent_by(gateway):
        assert (sent["instructions"], sent["model"]) == ("Be brief.", "gpt-6.1-sol")
        assert (sent["stream"], sent["store"]) == (True, False)
    for row in await gateway.log():
        assert (row["route"], row["status"], row["model"]) == (PATH, "succeeded", "gpt-6.1-sol")
        assert row["requested_model"] == "claude-opus-4-8"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_turn_goes_there_and_back_with_its_reasoning(gateway: Gateway, stream: bool) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True, "empty_completed_output": True})
    first = await ask(gateway, ASKING, tools=[BASH], stream=stream, **THINKING)
    thought, call = first.message["content"]
    assert (thought["type"], first.message["stop_reason"]) == ("redacted_thinking", "tool_use")
    assert (call["name"], call["input"]) == ("Bash", {"command": "ls"})
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "file.txt"}]}
    said = {"role": "assistant", "content": first.message["content"]}
    second = await ask(
        gateway, ASKING, said, {"role": "user", "content": [result]}, tools=[BASH], stream=stream, **THINKING
    )
    assert second.text == "The command printed: file.txt"
    before, after = await sent_by(gateway)
    assert [item["type"] for item in after["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert before["include"] == ["reasoning.encrypted_content"]
    assert before["prompt_cache_key"] == after["prompt_cache_key"]


async def test_a_conversation_outlives_the_account_that_sealed_its_reasoning(gateway: Gateway) -> None:
    first = await ask(gateway, ASKING, tools=[BASH], **THINKING)
    result = {"type": "tool_result", "tool_use_id": first.message["content"][1]["id"], "content": "file.txt"}
    said = {"role": "assistant", "content": first.message["content"]}
    await gateway.fault("acct-1", "usage_limit_reached", 5)
    told = await ask(
        gateway, ASKING, said, {"role": "user", "content": [result]}, tools=[BASH], stream=True, **THINKING
    )
    assert told.text == "The command printed: file.txt"


async def test_an_exhausted_account_is_replaced_unseen(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "failed_usage_limit")
    told = await ask(gateway, "Reply with exactly: ok", stream=True)
    assert (told.status, told.text) == (200, "ok")


async def test_what_breaks_in_the_middle_ends_in_an_error(gateway: Gateway) -> None:
    for fault in ("failed_after_output", "error_event_after_output", "truncated_after_output"):
        pool = await gateway.apart(fault)
        await gateway.fault(f"{fault}-1", fault)
        told = await ask(pool, "Reply with exactly: one two three", stream=True)
        assert (told.status, told.error["type"]) == (200, "api_error"), fault
        assert not {"message_delta", "message_stop"} & {event["type"] for event in told.events}


FAILURES = [
    ("context_length_exceeded", 400, "invalid_request_error"),
    ("failed_context", 400, "invalid_request_error"),
    ("policy_violation", 400, "invalid_request_error"),
    ("server_is_overloaded", 529, "overloaded_error"),
    ("failed_overloaded", 529, "overloaded_error"),
    ("server_error", 502, "api_error"),
    ("usage_limit_reached", 429, "rate_limit_error"),
    ("bare_429", 429, "rate_limit_error"),
]


async def test_failures_have_anthropics_shape(gateway: Gateway) -> None:
    for fault, status, kind in FAILURES:
        for stream in (True, False):
            name = f"{fault}-{stream}"
            pool = await gateway.apart(name)
            await gateway.fault("*", fault, 2)
            told = await ask(pool, "Reply with exactly: ok", stream=stream)
            await gateway.control("DELETE", "/faults")
            assert (told.status, told.error["type"]) == (status, kind), name
            assert told.headers["request-id"]
            if "context" in fault:
                assert told.error["message"].startswith("prompt is too long")


async def test_an_answer_that_is_cut_short_says_so(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "incomplete")
    told = await ask(gateway, "Reply with exactly: one two three", stream=True)
    assert (told.message["stop_reason"], told.text) == ("max_tokens", "one")


async def test_strangers_hear_of_the_key_first(gateway: Gateway) -> None:
    for path in (PATH, PATH + "/count_tokens", PATH + "/batches", PATH + "/nothing"):
        told = await ask(gateway, "hi", path=path, headers={"x-api-key": "nobody's"})
        assert (told.status, told.error["type"], told.error["code"]) == (401, "authentication_error", "api_key_missing")
        assert told.headers["request-id"]
        bearer = {"x-api-key": "", "Authorization": f"Bearer {gateway.key}"}
        assert (await ask(gateway, "hi", path=path, headers=bearer)).status != 401


async def test_what_there_is_not_is_not_found(gateway: Gateway) -> None:
    for path in ("/batches", "/batches/x", "/nothing"):
        told = await ask(gateway, "hi", path=PATH + path)
        assert (told.status, told.error["type"]) == (404, "not_found_error")
    async with gateway.http.get(gateway.origin + PATH, headers={"x-api-key": gateway.key}) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (405, "invalid_request_error")


async def test_a_pool_without_this_surface_says_so(gateway: Gateway) -> None:
    await switch(gateway, v1_compatibility=False)
    told = await ask(gateway, "hi")
    assert (told.status, told.error["type"], told.error["code"]) == (
        403,
        "permission_error",
        "v1_compatibility_disabled",
    )


async def test_a_strict_pool_refuses_what_has_no_effect(gateway: Gateway) -> None:
    await switch(gateway, v1_strict=True)
    told = await ask(gateway, "hi", temperature=0.1)
    assert (told.status, told.error["code"], told.error["param"]) == (400, "unsupported_parameter", "temperature")
    assert (await ask(gateway, "hi", something_new={"a": 1})).error["param"] == "something_new"
    assert (await ask(gateway, "Reply with exactly: ok")).text == "ok"


async def test_a_refusal_names_the_member(gateway: Gateway) -> None:
    told = await ask(gateway, {"role": "user", "content": [{"type": "image", "source": {"type": "odd"}}]})
    assert (told.status, told.error["param"]) == (400, "messages[0].content[0]")
    assert await gateway.arrived() == []


async def test_names_of_models_lead_to_the_pools_own(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    aliases = [{"match": "claude-haiku-*", "model": "gpt-5.5"}]
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"model_aliases": aliases})
    await gateway.process.house.snapshot.refresh()
    await catalogued(gateway)
    for name in ("claude-haiku-4-5", "claude-sonnet-4-5", "gpt-6-luna"):
        told = await ask(gateway, "Reply with exactly: ok", model=name, output_config={"effort": "max"})
        assert told.message["model"] == name
    sent = await sent_by(gateway)
    assert [body["model"] for body in sent] == ["gpt-5.5", "gpt-6.1-sol", "gpt-6-luna"]
    assert [body["reasoning"]["effort"] for body in sent] == ["xhigh", "max", "max"]
    unknown = await ask(gateway, "hi", model="gpt-nothing")
    assert (unknown.status, unknown.error["code"], unknown.error["param"]) == (400, "invalid_model", "model")


async def test_a_session_stays_with_its_account_and_its_cache(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    for name in ("one", "one", "two"):
        await ask(gateway, f"Say 3 words about {name}", headers={"X-Claude-Code-Session-Id": name})
    keys = [body["prompt_cache_key"] for body in await sent_by(gateway)]
    assert keys[0] == keys[1] != keys[2]
    sessions = [row["session"] for row in await gateway.log()]
    assert sessions[2] == sessions[1] != sessions[0]


async def test_silence_is_broken_by_pings(gateway: Gateway) -> None:
    house = gateway.process.house
    house.budgets = replace(house.budgets, keepalive=0.2)
    await gateway.fault("acct-1", "slow_headers")
    told = await ask(gateway, "Reply with exactly: ok", stream=True)
    assert told.events[0] == {"type": "ping"}
    assert told.text == "ok"


async def test_tokens_are_estimated_here(gateway: Gateway) -> None:
    path = PATH + "/count_tokens"
    short = await ask(gateway, "a" * 4_000, path=path)
    assert short.status == 200
    assert 1_000 <= short.message["input_tokens"] <= 1_100
    assert (await ask(gateway, "a" * 4_000, path=path)).message == short.message
    system = await ask(gateway, "a" * 4_000, path=path, system="b" * 4_000, tools=[BASH])
    assert system.message["input_tokens"] > short.message["input_tokens"] + 1_000
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}}
    told = await ask(gateway, {"role": "user", "content": [picture]}, path=path)
    assert 1_500 <= told.message["input_tokens"] <= 1_600
    assert await gateway.arrived() == []


async def test_models_are_listed_as_anthropics_clients_read_them(gateway: Gateway) -> None:
    page = await catalogued(gateway)
    assert page["data"][0]["type"] == "model"
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    assert page["has_more"] is False
