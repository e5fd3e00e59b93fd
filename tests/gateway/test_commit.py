"""Nothing is shown before output, and output is never withheld."""

from __future__ import annotations

from codex_pooler.gateway.commit import MAX_HELD_BYTES, MAX_HELD_EVENTS, Decision, Hold
from codex_pooler.protocol.sse import SseEvent

CREATED = SseEvent("response.created", b"{}")
DELTA = SseEvent("response.output_text.delta", b"{}")
FAILED = SseEvent("response.failed", b'{"response":{"error":{"code":"server_is_overloaded"}}}')
COMPLETED = SseEvent("response.completed", b'{"response":{"id":"r"}}')


def test_handshake_is_held_and_released_in_order() -> None:
    hold = Hold()
    assert hold.add(b"a", [CREATED]) is Decision.HOLD
    assert hold.add(b"b", []) is Decision.HOLD
    assert hold.add(b"c", [DELTA]) is Decision.COMMIT
    assert hold.release() == b"abc"
    assert hold.release() == b""


def test_a_failure_after_the_handshake_is_not_shown() -> None:
    hold = Hold()
    assert hold.add(b"a", [CREATED, FAILED]) is Decision.FAIL
    assert hold.terminal
    assert hold.terminal.error
    assert hold.terminal.error.code == "server_is_overloaded"


def test_a_failure_after_output_in_the_same_bytes_is_shown() -> None:
    assert Hold().add(b"a", [CREATED, DELTA, FAILED]) is Decision.COMMIT


def test_a_turn_without_any_output_is_complete_all_the_same() -> None:
    hold = Hold()
    assert hold.add(b"a", [CREATED, COMPLETED]) is Decision.COMMIT
    assert hold.terminal
    assert hold.terminal.kind == "completed"


def test_holding_is_bounded() -> None:
    hold = Hold()
    decisions = [hold.add(b"", [CREATED]) for _ in range(MAX_HELD_EVENTS + 1)]
    assert decisions[-2:] == [Decision.HOLD, Decision.COMMIT]
    assert Hold().add(b"x" * (MAX_HELD_BYTES + 1), []) is Decision.COMMIT
