"""How clients of Anthropic's API read a stream: the events, and the message that the official SDKs make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

Event = dict[str, Any]


def decoded(raw: bytes) -> list[Event]:
    found = []
    for one in raw.split(b"\n\n")[:-1]:
        name, data = one.split(b"\n", 1)
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        found.append(event)
    return found


def accumulated(events: Sequence[Event]) -> Event:
    """The message as the official SDKs put it together; it fails where they would."""
    assert events[0]["type"] == "message_start"
    message: Event = events[0]["message"]
    arguments: dict[int, str] = {}
    is_open: set[int] = set()
    for event in events[1:]:
        number = event.get("index", -1)
        match event["type"]:
            case "content_block_start":
                assert number == len(message["content"])
                message["content"].append(event["content_block"])
                is_open.add(number)
            case "content_block_delta":
                assert number in is_open
                grow(message["content"][number], event["delta"], arguments, number)
            case "content_block_stop":
                is_open.remove(number)
                if number in arguments:
                    message["content"][number]["input"] = orjson.loads(arguments[number])
            case "message_delta":
                assert not is_open
                message |= event["delta"]
                message["usage"] |= event["usage"]
            case kind:
                assert kind == "message_stop"
    assert events[-1]["type"] == "message_stop"
    return message


def grow(block: Event, delta: Event, arguments: dict[int, str], number: int) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])
        case kind:
            assert kind == "input_json_delta"
            arguments[number] = arguments.get(number, "") + delta["partial_json"]
