"""What every attempt has in common, whatever carries it: how it ends, how long it may be silent, when it commits."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from codex_pooler.gateway import budgets
from codex_pooler.gateway.classify import Blame, classify
from codex_pooler.gateway.commit import Hold
from codex_pooler.gateway.turn import Ending, Sink
from codex_pooler.protocol.events import Terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead

BROKEN = "stream_incomplete"  # a code that every client takes as "try again"


class Carrier(Protocol):
    """The connection an attempt runs on."""

    def pause(self) -> None:
        """Stop reading: the client is slower than the backend."""

    def resume(self) -> None: ...

    def abort(self) -> None:
        """Drop it; it says nothing more."""


class Attempt(ABC):
    """One account's try at a turn.  ``ending`` resolves exactly once; times are the loop's monotonic seconds."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self.sink, self.loop = sink, loop
        self.ending: asyncio.Future[Ending] = loop.create_future()
        self.first_output_at: float | None = None
        self.terminal: Terminal | None = None
        # called with the ending and the bytes about to go out, before the client can see that the turn is over
        self.before_the_end: Callable[[Ending, int], None] | None = None
        self.pool_limits: Callable[[], bytes | None] | None = None  # what a client is told instead of one account's
        self.evidence: list[bytes] = []  # the limits events that the account sent
        self.budgets = budgets.DEFAULT
        self.head: ResponseHead | None = None
        self._hold = Hold()
        self._last_bytes = self._last_written = loop.time()
        self._resuming: asyncio.Task[None] | None = None

    # -- what depends on the carrier

    @property
    @abstractmethod
    def carrier(self) -> Carrier | None:
        """The connection it runs on; None before it is sent."""

    @property
    @abstractmethod
    def found_a_closed_connection(self) -> bool:
        """The turn went out on a connection from an earlier turn and nothing at all came back."""

    @property
    def answered(self) -> bool:
        """The backend has begun to answer."""
        return self.head is not None

    @abstractmethod
    def limit_headers(self) -> Sequence[tuple[str, str]]:
        """What the backend's heads say of the account's limits, among other things."""

    @abstractmethod
    def insertable(self) -> bool:
        """Something of ours may stand here in the client's stream."""

    @abstractmethod
    def lost(self, reason: str) -> None:
        """The carrier failed."""

    # -- what does not

    @property
    def committed(self) -> bool:
        return self.first_output_at is not None

    def tick(self, now: float) -> None:
        """Called about once a second while the attempt runs."""
        if self.ending.done():
            return
        if self.terminal:
            if now - self._last_bytes > budgets.AFTER_TERMINAL:
                self._drop_carrier()
                self.lost("closed")
            return
        budget, reason = self._budget()
        if now - self._last_bytes > budget:
            self._stop("timeout", reason)
        elif 0 < self.budgets.keepalive < now - self._last_written and self.insertable():
            self.sink.keepalive()
            self._last_written = now

    def client_left(self) -> None:
        """The client is gone; give the attempt up unless its usage is worth waiting for."""
        self._stop("client_gone", "client_disconnected")

    def _budget(self) -> tuple[float, str]:
        if not self.answered:
            return self.budgets.first_byte, "upstream_first_byte_timeout"
        if not self.committed:
            return self.budgets.first_event, "upstream_first_event_timeout"
        return self.budgets.gap, "upstream_idle_timeout"

    def _announce_end(self, size: int) -> None:
        announce, self.before_the_end = self.before_the_end, None
        if announce and self.terminal:
            announce(self._ending(self.terminal.kind), size)

    def _ease_off(self) -> None:
        """Stop reading from the backend until a slow client has taken what is buffered for it."""
        if self.carrier and self.sink.congested and self._resuming is None:
            self.carrier.pause()
            self._resuming = self.loop.create_task(self._resume(self.carrier), name="attempt-resume")

    async def _resume(self, carrier: Carrier) -> None:
        try:
            await self.sink.drained()
        finally:
            self._resuming = None
            if not self.ending.done():
                self._last_bytes = self.loop.time()
                carrier.resume()

    def _stop(self, kind: str, reason: str) -> None:
        if self.ending.done():  # the connection may be serving another turn by now
            return
        self._drop_carrier()
        self._end(kind, reason)
        self._cut_client_off()

    def _cut_client_off(self) -> None:
        """Last of all: closing the client's connection cancels its handler, which must find the ending set."""
        if not self.committed:
            return
        if self.insertable() and not self.sink.gone:
            message = "the backend's stream broke off in the middle of the answer; send the turn again"
            self.sink.fail(Failure(502, BROKEN, message), None)
        else:
            self.sink.abort()

    def _retryable_words(self) -> str | None:
        """What to say instead of a failure that is the account's and comes after output: the backend's own words would
        make the client give up, while another account can take the turn."""
        if self.terminal is None or self.terminal.kind != "failed":
            return None
        verdict = classify(self._ending("failed"))
        if not verdict.move and verdict.blame is Blame.NOBODY:
            return None
        return f"the serving account failed in the middle of the answer ({verdict.code}); send the turn again"

    def _drop_carrier(self) -> None:
        if self.carrier:
            self.carrier.abort()

    def _end(self, kind: str, reason: str = "") -> None:
        if not self.ending.done():
            self.ending.set_result(self._ending(kind, reason))

    def _ending(self, kind: str, reason: str = "") -> Ending:
        return Ending(kind, self.committed, self.head, b"", self.terminal, reason)
