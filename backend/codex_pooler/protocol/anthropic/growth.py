"""Anthropic's events as bytes, and how a block that is known as a whole is told in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Deltas = tuple[dict[str, Any], list[dict[str, Any]]]


def _text_growth(block: dict[str, Any]) -> Deltas:
    citations = [{"type": "citations_delta", "citation": each} for each in block.get("citations", ())]
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": block["text"]}, *citations]


def _input_growth(block: dict[str, Any]) -> Deltas:
    told = msgspec.json.encode(block["input"]).decode()
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": told}]


def _thinking_growth(block: dict[str, Any]) -> Deltas:
    told = {"type": "thinking_delta", "thinking": block["thinking"]}
    sealed = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [told, sealed]


# block -> how it begins, and what makes it whole; others begin whole
GROWTH: Mapping[str, Callable[[dict[str, Any]], Deltas]] = {
    "text": _text_growth,
    "tool_use": _input_growth,
    "server_tool_use": _input_growth,
    "thinking": _thinking_growth,
}


def message_event(kind: str, members: Mapping[str, Any]) -> bytes:
    """One event of a message's stream, as bytes."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **members}))


def delta_event(number: int, delta: Mapping[str, Any]) -> bytes:
    """What makes block ``number`` grow."""
    return message_event("content_block_delta", {"index": number, "delta": delta})
