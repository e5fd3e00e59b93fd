"""A turn's answer as websocket messages."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from codex_pooler.gateway.attempt import BROKEN
from codex_pooler.protocol.errors import error_body, error_frame, failed_frame
from codex_pooler.protocol.events import CODEX_PREFIX
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.sse import EventScanner
from codex_pooler.protocol.websocket import frame
from codex_pooler.web.runtime.client_socket import ClientSocket

OVERLOADED_SECONDS = 2
KEEPALIVE = b'{"type":"keepalive"}'


class FrameSink:
    """One turn on a client's socket; see ``gateway.turn.Sink``.  Frames of the backend pass with ``raw``; events of a
    turn that had to go over HTTP come with ``payload`` and get frames here."""

    takes_raw = False

    def __init__(self, socket: ClientSocket, stream_id: str | None) -> None:
        self._socket, self._stream_id = socket, stream_id
        self._scanner = EventScanner()
        self.begun = False
        self.bytes_sent = 0
        self.drained = socket.drained

    @property
    def gone(self) -> bool:
        return self._socket.gone

    @property
    def congested(self) -> bool:
        return self._socket.congested

    def show(self, headers: Sequence[tuple[str, str]]) -> None:
        """A websocket has no response head per turn."""

    def begin(self, head: ResponseHead | None) -> None:
        self.begun = True

    def raw(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        self._socket.write(data)

    def payload(self, data: bytes, *, last: bool = False) -> None:
        for event in self._scanner.feed(data):
            self._say(event.data)

    def keepalive(self) -> None:
        self._say(KEEPALIVE)

    def finish(self, *, terminated: bool = False) -> None:
        """The terminal event was the end; the socket stays."""

    def fail(self, failure: Failure, response_id: str | None) -> None:
        if failure.code == BROKEN:
            self._say(failed_frame(failure.code, failure.message, response_id))
        else:
            self._socket.say(as_frame(failure, self._stream_id))

    def abort(self) -> None:
        """Whole messages only have gone out, so that an error can always be told."""
        self.fail(Failure(502, BROKEN, "the answer broke off; send the turn again"), None)

    def _say(self, payload: bytes) -> None:
        self.raw(frame(labelled(payload, self._stream_id)))


class PublicFrameSink(FrameSink):
    """For clients of the public API, which know no events but its own."""

    def payload(self, data: bytes, *, last: bool = False) -> None:
        for event in self._scanner.feed(data):
            if not event.type.startswith(CODEX_PREFIX):
                self._say(event.data)

    def keepalive(self) -> None:
        """The socket's own pings do that."""


def as_frame(failure: Failure, stream_id: str | None) -> bytes:
    """The error message for a failure: the backend's own error object where it is the request's fault, else ours.

    Of an overload Codex gives up at once on a websocket, unless it is told as something to wait for.
    """
    if failure.code == "server_is_overloaded" and failure.verbatim is None:
        failure = Failure(429, "backend_overloaded", failure.message, "rate_limit_error", OVERLOADED_SECONDS)
    body = failure.verbatim or error_body(failure.code, failure.message, kind=failure.kind, **failure.members())
    headers = {"retry-after": str(failure.retry_after)} if failure.retry_after is not None else None
    return labelled(error_frame(failure.status, body, headers), stream_id)


def labelled(payload: bytes, stream_id: str | None) -> bytes:
    """With the name of the stream it belongs to, where the client named one."""
    return payload if stream_id is None else b'{"stream_id":%b,%b' % (orjson.dumps(stream_id), payload[1:])
