"""Decides when a turn becomes visible: handshake events are held, the first event with output commits."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from codex_pooler.protocol.events import Terminal, is_handshake, read_terminal
from codex_pooler.protocol.sse import TERMINAL_TYPES, SseEvent

MAX_HELD_EVENTS = 64
MAX_HELD_BYTES = 1 << 20


class Decision(Enum):
    HOLD = "hold"
    COMMIT = "commit"
    FAIL = "fail"


class Hold:
    """What has been held back so far.  ``terminal`` is set once the stream said how it ends."""

    __slots__ = ("_events", "_held", "_size", "terminal")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = self._events = 0
        self.terminal: Terminal | None = None

    def add(self, piece: bytes, events: Iterable[SseEvent]) -> Decision:
        """Take payload and the events it completed; say whether to go on holding, to commit, or to give up."""
        self._held.append(piece)
        self._size += len(piece)
        decision = Decision.HOLD
        for event in events:
            self._events += 1
            if event.type in TERMINAL_TYPES:
                self.terminal = read_terminal(event)
                failed_unseen = self.terminal.kind == "failed" and decision is Decision.HOLD
                return Decision.FAIL if failed_unseen else Decision.COMMIT
            if not is_handshake(event):
                decision = Decision.COMMIT
        if self._events > MAX_HELD_EVENTS or self._size > MAX_HELD_BYTES:
            return Decision.COMMIT
        return decision

    def release(self) -> bytes:
        """Everything held, in order; the hold is empty afterwards."""
        held, self._held = b"".join(self._held), []
        return held
