"""Carries one attempt's answer from the backend's socket to the client's: bytes pass as they came, and only the
events that decide something are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from codex_pooler.gateway import budgets
from codex_pooler.gateway.commit import Decision, Hold
from codex_pooler.gateway.turn import Ending, Sink
from codex_pooler.protocol.events import Terminal, read_terminal
from codex_pooler.protocol.http1 import Body, ResponseHead
from codex_pooler.protocol.sse import EventScanner
from codex_pooler.upstream.connection import UpstreamConnection

MAX_ERROR_BODY = 256 * 1024
CHECK_EVERY = 32 * 1024  # bytes passed between two looks at how far the client lags behind


class Relay:
    """The receiver of one attempt.  ``ending`` resolves exactly once; times are the loop's monotonic seconds."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self.sink, self.loop = sink, loop
        self.ending: asyncio.Future[Ending] = loop.create_future()
        self.connection: UpstreamConnection | None = None
        self.first_output_at: float | None = None
        self.terminal: Terminal | None = None
        # called with the ending and the bytes about to go out, before the client can see that the turn is over
        self.before_the_end: Callable[[Ending, int], None] | None = None
        self._head: ResponseHead | None = None
        self._body: Body | None = None
        self._hold = Hold()
        self._scanner = EventScanner()
        self._error_body = b""
        self._streaming = False
        self._aligned = False  # the client's chunks end where the backend's do: raw bytes may pass
        self._last_bytes = self._last_written = loop.time()
        self._unchecked = 0
        self._resuming: asyncio.Task[None] | None = None

    @property
    def committed(self) -> bool:
        return self.first_output_at is not None

    @property
    def found_a_closed_connection(self) -> bool:
        """The turn went out on a connection from an earlier turn and nothing at all came back."""
        used_before = self.connection is not None and self.connection.turns_served != 1
        return used_before and self._head is None and self.ending.done() and self.ending.result().kind == "lost"

    # -- Receiver

    def head_received(self, head: ResponseHead, body: Body) -> None:
        self._head, self._body, self._last_bytes = head, body, self.loop.time()
        content_type = (head.get("content-type") or "").lower()
        plain = (head.get("content-encoding") or "identity").lower() == "identity"
        self._streaming = head.status == 200 and content_type.startswith("text/event-stream") and plain
        if head.status == 200 and not self._streaming:
            self._stop("not_a_stream", "invalid_upstream_response")

    def body_received(self, raw: bytes, pieces: Sequence[bytes]) -> None:
        self._last_bytes = self.loop.time()
        if self.first_output_at is not None:
            self._pass(raw, pieces)
        elif self._streaming:
            self._hold_back(pieces)
        elif len(self._error_body) < MAX_ERROR_BODY:
            self._error_body += b"".join(pieces)

    def ended(self) -> None:
        if not self._streaming:
            self._end("http_error")
        elif self.terminal:
            self._finish_client()
            self._end(self.terminal.kind)
        else:
            if self.committed:
                self._finish_client()
            self._end("truncated", "upstream_stream_truncated")

    def lost(self, reason: str) -> None:
        if self.terminal:  # everything that matters had arrived
            self._finish_client()
            self._end(self.terminal.kind)
            return
        self._end("lost", f"upstream_{reason}")
        self._cut_client_off()

    # -- time, and the client

    def tick(self, now: float) -> None:
        """Called about once a second while the attempt runs."""
        if self.ending.done():
            return
        if self.terminal:
            if now - self._last_bytes > budgets.AFTER_TERMINAL:
                self._drop_connection()
                self.lost("closed")
            return
        budget, reason = self._budget()
        if now - self._last_bytes > budget:
            self._stop("timeout", reason)
        elif now - self._last_written > budgets.KEEPALIVE and self._insertable():
            self.sink.keepalive()
            self._last_written = now

    def client_left(self) -> None:
        """The client is gone; give the attempt up unless its usage is worth waiting for."""
        self._stop("client_gone", "client_disconnected")

    def _budget(self) -> tuple[float, str]:
        if self._head is None:
            return budgets.FIRST_BYTE, "upstream_first_byte_timeout"
        if not self.committed:
            return budgets.FIRST_EVENT, "upstream_first_event_timeout"
        return budgets.GAP, "upstream_idle_timeout"

    def _insertable(self) -> bool:
        """A keepalive may stand before any output, and later only between events that end with their chunk."""
        if not self.committed:
            return self._head is None or self._streaming
        return self._scanner.at_boundary and self._body is not None and self._body.at_boundary

    # -- before output

    def _hold_back(self, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces, 1):
            decision = self._hold.add(piece, self._scanner.feed(piece))
            if decision is Decision.HOLD:
                continue
            self.terminal = self._hold.terminal
            if decision is Decision.FAIL:
                self._drop_connection()
                self._end("failed")
                return
            self._commit(pieces[number:])
            return

    def _commit(self, rest: Sequence[bytes]) -> None:
        self.first_output_at = self._last_written = self._last_bytes
        self._scanner.only_terminal = True
        self._watch(rest)
        complete = self._body is not None and self._body.complete
        payload = b"".join((self._hold.release(), *rest))
        if self.terminal:
            self._announce_end(len(payload))
        self.sink.begin(self._head)
        self.sink.payload(payload, last=complete)
        self._aligned = self._may_splice()
        self._ease_off()

    # -- after

    def _pass(self, raw: bytes, pieces: Sequence[bytes]) -> None:
        self._watch(pieces)
        if self.terminal:
            self._announce_end(len(raw))
        if self._aligned:
            self.sink.raw(raw)
        else:
            self.sink.payload(b"".join(pieces))
            self._aligned = self._may_splice()
        self._last_written = self._last_bytes
        self._unchecked += len(raw)
        if self._unchecked > CHECK_EVERY:
            self._unchecked = 0
            self._ease_off()

    def _watch(self, pieces: Sequence[bytes]) -> None:
        if pieces:
            for event in self._scanner.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces)):
                self.terminal = self.terminal or read_terminal(event)

    def _announce_end(self, size: int) -> None:
        announce, self.before_the_end = self.before_the_end, None
        if announce and self.terminal:
            announce(self._ending(self.terminal.kind), size)

    def _may_splice(self) -> bool:
        body = self._body
        return self.sink.takes_raw and body is not None and body.chunked and body.at_boundary and not body.complete

    def _ease_off(self) -> None:
        """Stop reading from the backend until a slow client has taken what is buffered for it."""
        if self.connection and self.sink.congested and self._resuming is None:
            self.connection.pause()
            self._resuming = self.loop.create_task(self._resume(self.connection), name="relay-resume")

    async def _resume(self, connection: UpstreamConnection) -> None:
        try:
            await self.sink.drained()
        finally:
            self._resuming = None
            if not self.ending.done():
                self._last_bytes = self.loop.time()
                connection.resume()

    def _finish_client(self) -> None:
        body = self._body
        if self._aligned and body is not None and not body.at_boundary:
            self.sink.abort()  # in the middle of a chunk there is no clean way to end
        else:
            self.sink.finish(terminated=self._aligned and body is not None and body.complete)

    # -- the end

    def _stop(self, kind: str, reason: str) -> None:
        if self.ending.done():  # the connection may be serving another turn by now
            return
        self._drop_connection()
        self._end(kind, reason)
        self._cut_client_off()

    def _cut_client_off(self) -> None:
        """Last of all: closing the client's connection cancels its handler, which must find the ending set."""
        if self.committed:
            self.sink.abort()

    def _drop_connection(self) -> None:
        if self.connection:
            self.connection.abort()

    def _end(self, kind: str, reason: str = "") -> None:
        if not self.ending.done():
            self.ending.set_result(self._ending(kind, reason))

    def _ending(self, kind: str, reason: str = "") -> Ending:
        return Ending(kind, self.committed, self._head, self._error_body, self.terminal, reason)
