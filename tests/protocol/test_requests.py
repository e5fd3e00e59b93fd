"""Bodies are read for a few fields, rewritten only at the top level, and refused with the member's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from codex_pooler.protocol.anthropic import wire
from codex_pooler.protocol.openai import images, responses_request
from codex_pooler.protocol.openai.chat_request import read_chat
from codex_pooler.protocol.requests import (
    LOST_SUMMARY,
    MOST_MEMBERS,
    BadRequest,
    read_fields,
    rewritten,
    without_account_bound_items,
)


def test_the_routed_fields_are_read() -> None:
    fields = read_fields(b'{"model":"m","stream":true,"reasoning":{"effort":"high","x":[1]},"input":[{"a":1}]}')
    assert (fields.model, fields.stream, fields.effort) == ("m", True, "high")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'"x"', None),
        (b"{", None),
        (b"{}", "model"),
        (b'{"model":1}', "model"),
        (b'{"model":"m","stream":"yes"}', "stream"),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_no_turn_is_refused_with_the_member_at_fault(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        read_fields(body)
    assert caught.value.param == param


def test_a_rewrite_keeps_the_bytes_of_everything_else() -> None:
    body = b'{"model":"m","input":[{"n":1.0000000000000001,"u":"\\u00e9"}],"stream":false}'
    assert b'"input":[{"n":1.0000000000000001,"u":"\\u00e9"}]' in rewritten(body, stream=True)
    assert json.loads(rewritten(body, stream=True))["stream"] is True


def test_the_model_is_told_of_a_summary_that_nobody_else_can_read() -> None:
    message = {"type": "message", "role": "user", "content": "hi"}
    sealed = {"type": "compaction", "encrypted_content": "x"}
    shorter = without_account_bound_items(json.dumps({"model": "m", "input": [message, sealed, message]}).encode())
    assert shorter is not None
    before, told, after = json.loads(shorter)["input"]
    assert (before, after) == (message, message)
    assert (told["role"], told["content"][0]["text"]) == ("developer", LOST_SUMMARY)


def test_reasoning_items_are_taken_out() -> None:
    body = b'{"model":"m","input":[{"type":"reasoning","encrypted_content":"x"},{"type":"message","content":"hi"}]}'
    shorter = without_account_bound_items(body)
    assert shorter is not None
    assert json.loads(shorter)["input"] == [{"type": "message", "content": "hi"}]
    assert without_account_bound_items(b'{"model":"m","input":[{"type":"message"}]}') is None
    assert without_account_bound_items(b'{"model":"m","input":"text"}') is None


@pytest.mark.parametrize("read", [read_chat, responses_request.read_request, images.read_generation, wire.read_request])
def test_a_request_that_is_taken_apart_has_no_more_members_than_anybody_needs(read: Callable[[bytes], Any]) -> None:
    said = [{"role": "user", "content": "x"}]
    needed = {"model": "m", "messages": said, "input": "x", "prompt": "x", "max_tokens": 9}
    filled = needed | {f"m{n}": 0 for n in range(MOST_MEMBERS + 1)}
    with pytest.raises(BadRequest, match="at most 1,000 members"):
        read(json.dumps(filled).encode())
