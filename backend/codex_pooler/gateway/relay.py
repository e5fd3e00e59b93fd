"""Carries one attempt's answer from the backend's HTTP connection to the client: bytes pass as they came, and only the
events that decide something are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from codex_pooler.gateway.attempt import BROKEN, Attempt
from codex_pooler.gateway.commit import Decision
from codex_pooler.gateway.turn import Ending, Sink
from codex_pooler.protocol.errors import failed_event
from codex_pooler.protocol.events import RATE_LIMITS, read_terminal
from codex_pooler.protocol.http1 import Body, ResponseHead
from codex_pooler.protocol.sse import EventScanner, SseEvent, replaced
from codex_pooler.upstream.connection import UpstreamConnection

MAX_ERROR_BODY = 256 * 1024
MAX_FAILURE = 1024 * 1024
LAST_CHUNK = b"0\r\n\r\n"
CHECK_EVERY = 32 * 1024  # bytes passed between two looks at how far the client lags behind


class Relay(Attempt):
    """The receiver of one attempt over HTTP."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(sink, loop)
        self.connection: UpstreamConnection | None = None
        self._body: Body | None = None
        self._scanner = EventScanner()
        self._error_body = b""
        self._streaming = False
        self._aligned = False  # the client's chunks end where the backend's do: raw bytes may pass
        self._between_chunks = True  # what comes next begins a chunk
        self._withheld = b""  # the beginning of a failure, which is told in our words once all of it is here
        self._terminated = False  # the backend's last chunk went out with the rest
        self._unchecked = 0

    @property
    def carrier(self) -> UpstreamConnection | None:
        return self.connection

    @property
    def found_a_closed_connection(self) -> bool:
        used_before = self.connection is not None and self.connection.turns_served != 1
        return used_before and self.head is None and self.ending.done() and self.ending.result().kind == "lost"

    def limit_headers(self) -> Sequence[tuple[str, str]]:
        return self.head.headers if self.head else ()

    def insertable(self) -> bool:
        """A keepalive may stand before any output, and later only between events that end with their chunk."""
        if not self.committed:
            return self.head is None or self._streaming
        if self._withheld:
            return True
        at_boundary = self._scanner.at_boundary and self._body is not None and self._body.at_boundary
        return at_boundary and not self._terminated

    # -- Receiver

    def head_received(self, head: ResponseHead, body: Body) -> None:
        self.head, self._body, self._last_bytes = head, body, self.loop.time()
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
            self._end("truncated", "upstream_stream_truncated")
            self._cut_client_off()

    def lost(self, reason: str) -> None:
        if self.ending.done():
            return
        if self.terminal:  # everything that matters had arrived
            self._finish_client()
            self._end(self.terminal.kind)
            return
        self._end("lost", f"upstream_{reason}")
        self._cut_client_off()

    # -- before output

    def _hold_back(self, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces, 1):
            events = self._scanner.feed(piece)
            self._note_limits(events)
            decision = self._hold.add(piece, events)
            if decision is Decision.HOLD:
                continue
            self.terminal = self._hold.terminal
            if decision is Decision.FAIL:
                self._drop_carrier()
                self._end("failed")
                return
            self._commit(pieces[number:])
            return

    def _commit(self, rest: Sequence[bytes]) -> None:
        self.first_output_at = self._last_written = self._last_bytes
        self._scanner.only_terminal = True
        self._watch(rest)
        complete = self._body is not None and self._body.complete and self.terminal is not None
        payload = b"".join((self._hold.release(), *rest))
        if self.evidence:
            told = self.pool_limits() if self.pool_limits else None
            payload = replaced(payload, RATE_LIMITS, b"event: codex.rate_limits\ndata: " + told if told else None)
        if self.terminal:
            payload = self._reworded(payload)
            self._announce_end(len(payload))
        else:
            payload = self._withhold(payload)
        self.sink.begin(self.head)
        self.sink.payload(payload, last=complete)
        self._aligned = self._between_chunks = self._may_splice()
        self._ease_off()

    def _note_limits(self, events: Sequence[SseEvent]) -> None:
        for event in events:
            if event.type == RATE_LIMITS:
                self.evidence.append(event.data)

    # -- after

    def _pass(self, raw: bytes, pieces: Sequence[bytes]) -> None:
        may_reword = self._between_chunks or not self._aligned
        self._watch(pieces)
        self._between_chunks = self._body is not None and self._body.at_boundary
        if self._withheld or (may_reword and self._scanner.unfinished_failure):
            pieces, self._aligned = (self._withheld, *pieces), False
        if self.terminal:
            self._pass_the_end(raw, pieces, may_reword)
        elif self._aligned:
            self.sink.raw(self._without_the_end(raw))
        else:
            if told := self._withhold(b"".join(pieces)):
                self.sink.payload(told)
            self._aligned = self._may_splice()
        self._last_written = self._last_bytes
        self._unchecked += len(raw)
        if self._unchecked > CHECK_EVERY:
            self._unchecked = 0
            self._ease_off()

    def _withhold(self, payload: bytes) -> bytes:
        """The payload without the beginning of a failure at its end."""
        begun = self._scanner.unfinished_failure
        self._withheld = begun if len(begun) < MAX_FAILURE and payload.endswith(begun) else b""
        return payload[: len(payload) - len(self._withheld)]

    def _pass_the_end(self, raw: bytes, pieces: Sequence[bytes], may_reword: bool) -> None:
        payload, self._withheld = b"".join(pieces), b""
        said = self._reworded(payload) if may_reword else payload
        self._announce_end(len(raw))
        if self._aligned and said is payload:
            self._terminated = self._body is not None and self._body.complete
            self.sink.raw(raw)
        else:
            self.sink.payload(said)

    def _reworded(self, payload: bytes) -> bytes:
        """The payload as it is, unless it ends in a failure that the client must take as "try again"."""
        text = self._retryable_words()
        if text is None or self.terminal is None:
            return payload
        block = failed_event(BROKEN, text, self.terminal.response_id).removesuffix(b"\n\n")
        for event_type in ("response.failed", "error"):
            said = replaced(payload, event_type, block)
            if said != payload:
                return said
        return payload

    def _without_the_end(self, raw: bytes) -> bytes:
        """A stream that stops without a terminal event must not look complete to the client."""
        if self._body is None or not self._body.complete:
            return raw
        self._terminated = not raw.endswith(LAST_CHUNK)
        return raw if self._terminated else raw[: -len(LAST_CHUNK)]

    def _watch(self, pieces: Sequence[bytes]) -> None:
        if pieces:
            for event in self._scanner.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces)):
                self.terminal = self.terminal or read_terminal(event)

    def _may_splice(self) -> bool:
        body = self._body
        at_boundary = body is not None and body.chunked and body.at_boundary and not body.complete
        return self.sink.takes_raw and at_boundary and not self._withheld

    def _finish_client(self) -> None:
        body = self._body
        if self._aligned and body is not None and not body.at_boundary:
            self.sink.abort()  # in the middle of a chunk there is no clean way to end
        else:
            self.sink.finish(terminated=self._terminated)

    def _ending(self, kind: str, reason: str = "") -> Ending:
        return Ending(kind, self.committed, self.head, self._error_body, self.terminal, reason)
