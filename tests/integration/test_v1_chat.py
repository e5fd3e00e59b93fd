"""Chat Completions through the whole gateway, with a backend as strict as the real one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from tests.integration.whole import Gateway

PATH = "/v1/chat/completions"
SHELL = {
    "type": "function",
    "function": {
        "name": "shell",
        "description": "Runs a command",
        "parameters": {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}},
    },
}


@dataclass
class Told:
    """What a client was told: one object, or the chunks of a stream and what stood around them."""

    status: int
    headers: Any
    body: Any = None
    chunks: list[Any] = field(default_factory=list)
    comments: list[bytes] = field(default_factory=list)
    done: bool = False

    @property
    def text(self) -> str:
        return "".join(one["delta"].get("content") or "" for one in self.choices)

    @property
    def choices(self) -> list[Any]:
        return [chunk["choices"][0] for chunk in self.chunks if chunk.get("choices")]

    @property
    def finish(self) -> Any:
        return self.choices[-1]["finish_reason"]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def ask(gateway: Gateway, *messages: Any, headers: dict[str, str] | None = None, **more: Any) -> Told:
    """One request with these messages, read to the end of its answer."""
    body = {"model": "gpt-5.5", "messages": list(messages), **more}
    sent = {"Authorization": f"Bearer {gateway.key}", **(headers or {})}
    async with gateway.http.post(gateway.origin + PATH, json=body, headers=sent) as answer:
        told = Told(answer.status, answer.headers)
        raw = await answer.read()
    if answer.content_type != "text/event-stream":
        told.body = orjson.loads(raw)
        return told
    for block in raw.split(b"\n\n"):
        if block == b"data: [DONE]":
            told.done = True
        elif block.startswith(b"data: "):
            told.chunks.append(orjson.loads(block[6:]))
        elif block:
            told.comments.append(block)
    return told


async def sent_by(gateway: Gateway) -> list[Any]:
    """The bodies that reached the backend."""
    return [arrival["body"] for arrival in await gateway.arrived()]


async def test_a_question_is_answered_with_one_completion(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    told = await ask(gateway, {"role": "system", "content": "Be brief."}, user("Reply with exactly: hello there"))
    assert (told.status, told.body["object"], told.body["model"]) == (200, "chat.completion", "gpt-5.5")
    assert told.body["id"].startswith("chatcmpl-")
    (choice,) = told.body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "hello there", "refusal": None}
    assert choice["finish_reason"] == "stop"
    usage = told.body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 32
    assert "x-gateway-ignored" not in told.headers
    (sent,) = await sent_by(gateway)
    assert (sent["instructions"], sent["stream"], sent["store"]) == ("Be brief.", True, False)
    assert sent["prompt_cache_key"]
    (row,) = await gateway.log()
    assert (row["route"], row["status"]) == (PATH, "succeeded")


async def test_a_stream_names_the_role_first_and_ends_with_done(gateway: Gateway) -> None:
    told = await ask(gateway, user("Reply with exactly: hello there"), stream=True)
    assert told.status == 200
    assert told.choices[0]["delta"] == {"role": "assistant"}
    assert (told.text, told.finish, told.done) == ("hello there", "stop", True)
    assert all("usage" not in chunk for chunk in told.chunks)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in told.chunks}) == 1
    counted = await ask(gateway, user("Reply with exactly: ok"), stream=True, stream_options={"include_usage": True})
    assert counted.chunks[-1]["choices"] == []
    assert counted.chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_turn_goes_there_and_back(gateway: Gateway, stream: bool) -> None:
    await gateway.control("POST", "/settings", {"empty_completed_output": True})
    question = user("Run the shell command: `ls`")
    told = await ask(gateway, question, tools=[SHELL], stream=stream)
    said = _added_up(told) if stream else told.body["choices"][0]["message"]
    finish = told.finish if stream else told.body["choices"][0]["finish_reason"]
    assert finish == "tool_calls"
    assert said["content"] is None
    (call,) = said["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "shell")
    assert orjson.loads(call["function"]["arguments"]) == {"command": ["bash", "-lc", "ls"]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "file.txt"}
    second = await ask(gateway, question, {"role": "assistant", **said}, result, tools=[SHELL])
    assert second.body["choices"][0]["message"]["content"] == "The command printed: file.txt"


def _added_up(told: Told) -> dict[str, Any]:
    """The message that a client makes of a stream with one tool call."""
    calls = [call for choice in told.choices for call in choice["delta"].get("tool_calls", ())]
    assert {call["index"] for call in calls} == {0}
    first = {name: calls[0][name] for name in ("id", "type")}
    arguments = "".join(call["function"]["arguments"] for call in calls)
    function = {"name": calls[0]["function"]["name"], "arguments": arguments}
    return {"content": told.text or None, "tool_calls": [{**first, "function": function}]}


async def test_what_is_ignored_is_named_unless_the_pool_is_strict(gateway: Gateway) -> None:
    extra: dict[str, Any] = {"temperature": 0.2, "max_tokens": 5, "n": 1, "odd\r\nset-cookie: x": 1}
    told = await ask(gateway, user("Reply with exactly: ok"), **extra)
    assert told.status == 200
    assert told.headers["x-gateway-ignored"] == "temperature, max_tokens, unknown"
    assert "set-cookie" not in told.headers
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"switches": {"v1_strict": True}})
    refused = await ask(gateway, user("hi"), temperature=0.2)
    assert refused.status == 400
    error = refused.body["error"]
    assert (error["code"], error["param"], error["type"]) == (
        "unsupported_parameter",
        "temperature",
        "invalid_request_error",
    )


async def test_refusals_are_in_the_envelope_of_the_sdks(gateway: Gateway) -> None:
    several = await ask(gateway, user("hi"), n=2, stream=True)
    assert (several.status, several.body["error"]["param"]) == (400, "n")
    unknown = await ask(gateway, user("hi"), headers={"Authorization": "Bearer sk-cxp-wrong"})
    assert (unknown.status, unknown.body["error"]["type"]) == (401, "invalid_request_error")
    for account in ("acct-1", "acct-2"):
        await gateway.fault(account, "usage_limit_reached", times=9)
    limited = await ask(gateway, user("hi"), stream=True)
    assert (limited.status, limited.body["error"]["type"]) == (429, "usage_limit_reached")
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"switches": {"v1_compatibility": False}})
    off = await ask(gateway, user("hi"))
    assert (off.status, off.body["error"]["code"]) == (403, "v1_compatibility_disabled")


async def test_a_failing_account_is_replaced_unseen(gateway: Gateway) -> None:
    for name in ("rate_limit_exceeded", "failed_overloaded", "reset_before_output"):
        await gateway.fault("acct-1", name)
        told = await ask(gateway, user("Reply with exactly: ok"), stream=True)
        assert (told.text, told.finish, told.done) == ("ok", "stop", True), name


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("failed_after_output", "stream_incomplete"),
        ("error_event_after_output", "stream_incomplete"),
        ("truncated_after_output", "stream_incomplete"),
        ("reset_after_output", "stream_incomplete"),
    ],
)
async def test_a_stream_that_fails_late_never_looks_complete(gateway: Gateway, fault: str, code: str) -> None:
    await gateway.fault("acct-1", fault)
    told = await ask(gateway, user("Reply with exactly: one two three"), stream=True)
    assert told.chunks[-1]["error"]["code"] == code
    assert not told.done
    assert all(choice["finish_reason"] is None for choice in told.choices)
    whole = await ask(gateway, user("Reply with exactly: ok"))
    assert whole.status == 200


async def test_an_answer_that_ran_out_of_room_says_so(gateway: Gateway) -> None:
    for stream in (True, False):
        await gateway.fault("acct-1", "incomplete")
        told = await ask(gateway, user("Reply with exactly: one two three"), stream=stream)
        finish = told.finish if stream else told.body["choices"][0]["finish_reason"]
        assert finish == "length"


async def test_a_model_is_shown_under_the_name_that_was_asked_for(gateway: Gateway) -> None:
    await gateway.admin(
        "PATCH", f"/pools/{gateway.pool_id}", {"model_aliases": [{"match": "fast", "model": "gpt-5.5"}]}
    )
    whole = await ask(gateway, user("Reply with exactly: ok"), model="fast")
    assert (whole.status, whole.body["model"]) == (200, "fast")
    streamed = await ask(gateway, user("Reply with exactly: ok"), model="fast", stream=True)
    assert {chunk["model"] for chunk in streamed.chunks} == {"fast"}
    row = (await gateway.log())[0]
    assert (row["model"], row["requested_model"]) == ("gpt-5.5", "fast")


async def test_turns_of_one_conversation_share_their_cache_key(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    first, other = user("Reply with exactly: one"), user("Reply with exactly: two")
    await ask(gateway, first)
    await ask(gateway, first, {"role": "assistant", "content": "one"}, user("Reply with exactly: more"))
    await ask(gateway, other)
    await ask(gateway, other, prompt_cache_key="mine")
    keys = [body["prompt_cache_key"] for body in await sent_by(gateway)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


async def test_silence_is_filled_with_comments_or_white_space(gateway: Gateway) -> None:
    house = gateway.process.house
    house.budgets = replace(house.budgets, keepalive=0.2)
    for stream in (True, False):
        await gateway.fault("acct-1", "slow_headers")
        told = await ask(gateway, user("Reply with exactly: ok"), stream=stream)
        text = told.text if stream else told.body["choices"][0]["message"]["content"]
        assert text == "ok"
        assert bool(told.comments) == stream
        assert set(told.comments) <= {b": keepalive"}


async def test_a_failure_after_a_keepalive_is_told_inside_the_answer(gateway: Gateway) -> None:
    house = gateway.process.house
    house.budgets = replace(house.budgets, keepalive=0.2, first_event=1.2)
    for stream in (True, False):
        for account in ("acct-1", "acct-2"):
            await gateway.fault(account, "stall_before_output")
        told = await ask(gateway, user("hi"), stream=stream)
        assert (told.status, told.done) == (200, False)
        error = told.chunks[-1]["error"] if stream else told.body["error"]
        assert error["code"] == "upstream_request_failed"
