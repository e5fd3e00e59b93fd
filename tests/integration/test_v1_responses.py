"""The public Responses API through the whole gateway, with a backend as strict as the real one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

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
