"""What a terminal event says is read whole, whatever shape it has."""

from __future__ import annotations

import pytest

from codex_pooler.protocol.events import is_handshake, read_terminal
from codex_pooler.protocol.sse import SseEvent
from codex_pooler.protocol.usage import Usage


def test_usage_and_identity_of_a_completed_turn() -> None:
    data = (
        b'{"type":"response.completed","response":{"id":"r1","model":"m","service_tier":"priority","usage":'
        b'{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,'
        b'"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}}'
    )
    terminal = read_terminal(SseEvent("response.completed", data))
    assert (terminal.kind, terminal.response_id, terminal.service_tier) == ("completed", "r1", "priority")
    assert terminal.usage == Usage(input=10, cached=4, output=6, reasoning=2)


@pytest.mark.parametrize(
    "usage",
    [
        b"null",
        b"{}",
        b'{"input_tokens":1,"output_tokens":1,"total_tokens":3}',
        b'{"input_tokens":-1,"output_tokens":1}',
        b'{"input_tokens":1}',
    ],
)
def test_usage_that_does_not_add_up_is_unknown(usage: bytes) -> None:
    event = SseEvent("response.completed", b'{"response":{"usage":' + usage + b"}}")
    assert read_terminal(event).usage is None


@pytest.mark.parametrize(
    ("name", "data", "kind", "code"),
    [
        ("response.failed", b'{"response":{"error":{"code":"server_error","message":"x"}}}', "failed", "server_error"),
        ("error", b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', "failed", None),
        ("error", b'{"type":"error","code":"rate_limit_exceeded","message":"x"}', "failed", "rate_limit_exceeded"),
        ("response.incomplete", b'{"response":{"incomplete_details":{"reason":"max"}}}', "incomplete", None),
        ("response.incomplete", b'{"response":{"error":{"code":"server_error"}}}', "failed", "server_error"),
        ("response.failed", b"not json", "failed", "invalid_upstream_response"),
        ("response.done", b'{"response":{}}', "completed", None),
    ],
)
def test_kinds_of_ends(name: str, data: bytes, kind: str, code: str | None) -> None:
    terminal = read_terminal(SseEvent(name, data))
    assert (terminal.kind, terminal.error.code if terminal.error else None) == (kind, code)


def test_announcements_are_handshake_and_output_is_not() -> None:
    held = ["response.created", "response.output_item.added", "codex.rate_limits", "keepalive"]
    assert all(is_handshake(SseEvent(name, b"{}")) for name in held)
    shown = ["response.output_text.delta", "response.output_item.done", "response.reasoning_text.delta", "new.thing"]
    assert not any(is_handshake(SseEvent(name, b"{}")) for name in shown)
