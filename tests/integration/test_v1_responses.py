"""The public Responses API through the whole gateway, with a backend as strict as the real one."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest

from tests.integration.clients import PATIENCE, rest_of
from tests.integration.whole import Gateway

PATH = "/v1/responses"


async def ask(gateway: Gateway, body: dict[str, Any]) -> tuple[int, Any, Any]:
    """Status, headers and the answer: an object, or the events of a stream."""
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.post(gateway.origin + PATH, json={"model": "gpt-5.5", **body}, headers=headers) as answer:
        raw = await answer.read()
        if answer.content_type != "text/event-stream":
            return answer.status, answer.headers, orjson.loads(raw)
        blocks = [block for block in raw.split(b"\n\n") if block]
        return answer.status, answer.headers, [orjson.loads(block.split(b"data: ", 1)[1]) for block in blocks]


def text_of(answer: Any) -> str:
    return "".join(part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"])


async def test_a_text_is_answered_with_one_object(gateway: Gateway) -> None:
    status, headers, answer = await ask(gateway, {"input": "Reply with exactly: hello there"})
    assert (status, answer["object"], answer["status"]) == (200, "response", "completed")
    assert text_of(answer) == "hello there"
    assert answer["usage"]["total_tokens"] > 0
    assert "x-gateway-ignored" not in headers


async def test_a_stream_hides_what_is_meant_for_codex(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"sse_rate_limit_event": True})
    status, _, events = await ask(gateway, {"input": "Reply with exactly: hello there", "stream": True})
    assert status == 200
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    assert all(event["type"].startswith("response.") for event in events)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == "hello there"


async def test_on_a_websocket_turns_follow_each_other_as_the_sdk_sends_them(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.ws_connect(gateway.origin + PATH, headers=headers) as socket:
        frame: dict[str, Any] = {"type": "response.create", "model": "gpt-5.5", "temperature": 0.3}
        await socket.send_json({**frame, "input": "Reply with exactly: one"})
        first = await rest_of(socket)
        assert (first.end, first.text) == ("response.completed", "one")
        assert not [kind for kind in first.types if not kind.startswith("response.")]
        (earlier,) = first.response_ids
        await socket.send_json({**frame, "input": "Reply with exactly: two", "previous_response_id": earlier})
        assert (await rest_of(socket)).text == "two"
        await socket.send_json({**frame, "input": "x", "previous_response_id": "resp_of_nobody"})
        assert (await rest_of(socket)).error_code == "previous_response_not_found"
        await socket.send_json({**frame, "input": "x", "background": True})
        refused = (await rest_of(socket)).events[-1]
        assert (refused["status"], refused["error"]["code"]) == (400, "unsupported_parameter")
        assert refused["error"]["param"] == "background"
    sent = [one for one in await gateway.arrived() if one["transport"] == "websocket"]
    assert [one["headers"].get("openai-beta") for one in sent] == ["responses_websockets=2026-02-06"] * 2


async def test_a_socket_closes_when_the_surface_is_switched_off(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.ws_connect(gateway.origin + PATH, headers=headers) as socket:
        await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"switches": {"v1_compatibility": False}})
        await gateway.process.house.snapshot.refresh()
        await socket.send_json({"type": "response.create", "model": "gpt-5.5", "input": "x"})
        assert (await socket.receive(PATIENCE)).type is not aiohttp.WSMsgType.TEXT
    async with gateway.http.get(gateway.origin + PATH, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "v1_compatibility_disabled")


async def test_strict_pools_refuse_what_others_ignore_and_name(gateway: Gateway) -> None:
    body = {"input": "Reply with exactly: ok", "temperature": 0.1, "user": "me"}
    status, headers, _ = await ask(gateway, body)
    assert (status, headers["x-gateway-ignored"]) == (200, "temperature, user")
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"switches": {"v1_strict": True}})
    await gateway.process.house.snapshot.refresh()
    status, _, told = await ask(gateway, body)
    assert (status, told["error"]["code"], told["error"]["param"]) == (400, "unsupported_parameter", "temperature")


@pytest.mark.parametrize("stream", [True, False])
async def test_odd_names_cannot_get_into_the_head_of_an_answer(gateway: Gateway, stream: bool) -> None:
    odd = {"a\r\nx-evil: 1": 1, "b€": 2, "plain": 3}
    status, headers, _ = await ask(gateway, {"input": "Reply with exactly: ok", "stream": stream, **odd})
    assert status == 200
    assert "x-evil" not in headers
    assert headers["x-gateway-ignored"] == "unknown, plain"


async def test_a_tool_turn_goes_there_and_back(gateway: Gateway) -> None:
    tool = {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}, "strict": None}
    said = {"role": "user", "content": "Run the shell command: echo hi"}
    _, _, answer = await ask(gateway, {"input": [said], "tools": [tool]})
    (call,) = [item for item in answer["output"] if item["type"] == "function_call"]
    reply = {"type": "function_call_output", "call_id": call["call_id"], "output": "hi"}
    _, _, answer = await ask(gateway, {"input": [said, *answer["output"], reply], "tools": [tool]})
    assert text_of(answer) == "The command printed: hi"


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_of_another_account_are_left_out_and_the_turn_goes_on(gateway: Gateway, stream: bool) -> None:
    _, _, answer = await ask(gateway, {"input": "Reply with exactly: one"})
    await gateway.fault("acct-1", "usage_limit_reached", 50)
    again = {"role": "user", "content": "Reply with exactly: two"}
    first = {"role": "user", "content": "Reply with exactly: one"}
    status, _, told = await ask(gateway, {"input": [first, *answer["output"], again], "stream": stream})
    assert status == 200
    assert text_of(told[-1]["response"] if stream else told) == "two"


async def test_a_compaction_brings_one_sealed_item(gateway: Gateway) -> None:
    items = [{"role": "user", "content": "A story"}, {"role": "assistant", "content": "Yes"}]
    _, _, answer = await ask(gateway, {"input": [*items, {"type": "compaction_trigger"}]})
    (item,) = answer["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"]
    status, _, told = await ask(gateway, {"input": [{"type": "compaction_trigger"}, *items]})
    assert (status, told["error"]["param"]) == (400, "input")
    assert (await gateway.log())[0]["route"] == PATH


async def test_a_failure_inside_the_stream_is_one_that_sdks_raise(gateway: Gateway) -> None:
    await gateway.fault("*", "error_event_after_output")
    status, _, events = await ask(gateway, {"input": "say 30 words", "stream": True})
    assert status == 200
    assert events[-1]["type"] in ("response.failed", "error")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    await gateway.fault("*", "truncated_after_output")
    _, _, events = await ask(gateway, {"input": "say 30 words", "stream": True})
    assert (events[-1]["type"], events[-1]["error"]["code"]) == ("error", "stream_incomplete")
    await gateway.fault("*", "failed_context")
    status, _, told = await ask(gateway, {"input": "say 30 words", "stream": True})
    assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
