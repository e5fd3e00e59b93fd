"""Carries one attempt's answer from the backend's websocket to the client's: whole messages pass in their own frames,
so that ours and those of other turns may stand between any two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from codex_pooler.gateway.attempt import BROKEN, Attempt
from codex_pooler.gateway.commit import Decision
from codex_pooler.gateway.turn import Ending, Sink
from codex_pooler.protocol.errors import error_frame, failed_frame
from codex_pooler.protocol.events import CODEX_PREFIX, RATE_LIMITS, Terminal, frame_type, read_terminal
from codex_pooler.protocol.sse import TERMINAL_TYPES, SseEvent
from codex_pooler.protocol.websocket import Message, frame
from codex_pooler.upstream.websocket import UpstreamSocket

CHECK_EVERY = 32 * 1024
TOO_OLD = "websocket_connection_limit_reached"
LOOKED_AT = TERMINAL_TYPES | {RATE_LIMITS}


class FrameRelay(Attempt):
    """The receiver of one attempt over a websocket.  ``stream_id`` is put on every event of the turn; without
    ``shows_codex`` the client sees nothing of what the backend tells Codex alone."""

    def __init__(
        self,
        sink: Sink,
        loop: asyncio.AbstractEventLoop,
        stream_id: str | None = None,
        *,
        shows_codex: bool = True,
    ) -> None:
        super().__init__(sink, loop)
        self._shows_codex = shows_codex
        self.socket: UpstreamSocket | None = None
        self._label = b'{"stream_id":"%b",' % stream_id.encode() if stream_id else b""
        self._heard = False
        self._refusal = b""
        self._unchecked = 0

    @property
    def carrier(self) -> UpstreamSocket | None:
        return self.socket

    @property
    def answered(self) -> bool:
        return self._heard

    @property
    def found_a_closed_connection(self) -> bool:
        if self.socket is None or self.socket.turns_served == 1 or not self.ending.done() or self.committed:
            return False
        too_old = self.terminal is not None and _code(self.terminal) == TOO_OLD
        return too_old or (not self._heard and self.ending.result().kind == "lost")

    def limit_headers(self) -> Sequence[tuple[str, str]]:
        upgrade = self.socket.head if self.socket and self.socket.turns_served == 1 else None
        told = self.terminal.headers if self.terminal else ()
        return (*upgrade.headers, *told) if upgrade else told

    def insertable(self) -> bool:
        return True

    # -- FrameReceiver

    def frames_received(self, messages: Sequence[Message], data: bytes) -> None:
        self._last_bytes, self._heard = self.loop.time(), True
        if self.first_output_at is None:
            self._hold_back(messages)
        else:
            self._pass(messages, data)

    def lost(self, reason: str) -> None:
        if not self.ending.done():
            self._end("lost", f"upstream_{reason}")
            self._cut_client_off()

    # -- before output

    def _hold_back(self, messages: Sequence[Message]) -> None:
        for number, message in enumerate(messages, 1):
            event = SseEvent(frame_type(message.payload), message.payload)
            if event.type == RATE_LIMITS:
                self._hold.add(self._limits(message), ())
                continue
            ends = event.type in TERMINAL_TYPES
            decision = self._hold.add(b"" if ends else self._wire(message), (event,))
            if decision is Decision.HOLD:
                continue
            if decision is Decision.FAIL:
                self.terminal, self._refusal = self._hold.terminal, message.payload
                self._drop_carrier()
                self._end("failed")
                return
            self._commit(messages[number - ends :])
            return

    def _commit(self, rest: Sequence[Message]) -> None:
        """Show what was held, and ``rest``; a terminal event is among the latter."""
        self.first_output_at = self._last_bytes
        self.sink.begin(self.head)
        held = self._hold.release()
        if held:
            self._send(held)
        if rest:
            self._pass(rest, b"")

    # -- after

    def _pass(self, messages: Sequence[Message], data: bytes) -> None:
        if (
            data
            and not self._label
            and self._shows_codex
            and not any(frame_type(m.payload) in LOOKED_AT for m in messages)
        ):
            self._send(data)
            return
        wires: list[bytes] = []
        for message in messages:
            kind = frame_type(message.payload)
            if kind in TERMINAL_TYPES:
                self.terminal = read_terminal(SseEvent(kind, message.payload))
                self._finish(b"".join(wires) + self._last_wire(message), self.terminal)
                return
            wires.append(self._limits(message) if kind == RATE_LIMITS else self._wire(message))
        self._send(b"".join(wires))

    def _send(self, data: bytes) -> None:
        self.sink.raw(data)
        self._last_written = self._last_bytes
        self._unchecked += len(data)
        if self._unchecked > CHECK_EVERY:
            self._unchecked = 0
            self._ease_off()

    def _finish(self, data: bytes, terminal: Terminal) -> None:
        """The turn is over; the socket serves another only after an end that was clean."""
        if self.socket and terminal.kind != "failed":
            self.socket.turn_over(terminal.response_id)
        else:
            self._drop_carrier()
        self._announce_end(len(data))
        self.sink.raw(data)
        self.sink.finish(terminated=True)
        self._end(terminal.kind)

    # -- what a client is shown

    def _wire(self, message: Message) -> bytes:
        if not self._shows_codex and frame_type(message.payload).startswith(CODEX_PREFIX):
            return b""
        if self._label:
            return frame(self._label + message.payload[1:])
        return message.wire or frame(message.payload)

    def _limits(self, message: Message) -> bytes:
        """One account's limits say nothing to somebody who uses a pool."""
        first = not self.evidence
        self.evidence.append(message.payload)
        told = self.pool_limits() if first and self.pool_limits and self._shows_codex else None
        return self._wire(Message(message.opcode, told, None)) if told else b""

    def _last_wire(self, message: Message) -> bytes:
        """A terminal event after output.  What an account did wrong by then must read as "try again"."""
        terminal = self.terminal
        if terminal is None or terminal.kind != "failed":
            return self._wire(message)
        if text := self._retryable_words():
            return self._wire(Message(message.opcode, failed_frame(BROKEN, text, terminal.response_id), None))
        if terminal.status is None:
            return self._wire(message)
        return self._wire(Message(message.opcode, error_frame(terminal.status, message.payload), None))

    def _ending(self, kind: str, reason: str = "") -> Ending:
        return Ending(kind, self.committed, self.head, self._refusal, self.terminal, reason)


def _code(terminal: Terminal) -> object:
    return terminal.error.code if terminal.error else None
