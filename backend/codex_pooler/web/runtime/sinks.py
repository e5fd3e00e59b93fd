"""The two shapes of a turn's answer over HTTP: events as they come, or one JSON object at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.gateway.turn import Failure
from codex_pooler.protocol.errors import error_body, failed_event
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.sse import TERMINAL_TYPES, EventScanner
from codex_pooler.web.runtime.stream import ClientStream

KEEPALIVE = b'data: {"type":"keepalive"}\n\n'
# what a native client may learn of the backend's head; limits that belong to one account stay here
SHOWN_HEADERS = ("x-codex-turn-state", "openai-model", "x-reasoning-included")
LONGEST_SHOWN = 1024


class _ClientSink:
    """What both shapes know of their client."""

    def __init__(self, request: web.Request, turn_id: str) -> None:
        self._stream, self._turn_id = ClientStream(request), turn_id
        self._more: Sequence[tuple[str, str]] = ()

    def show(self, headers: Sequence[tuple[str, str]]) -> None:
        self._more = headers

    @property
    def begun(self) -> bool:
        return self._stream.begun

    @property
    def gone(self) -> bool:
        return self._stream.gone

    @property
    def bytes_sent(self) -> int:
        return self._stream.bytes_sent


class SseSink(_ClientSink):
    """Server-sent events, passed through."""

    def __init__(self, request: web.Request, turn_id: str) -> None:
        super().__init__(request, turn_id)
        self.takes_raw = self._stream.chunked
        self.raw = self._stream.write
        self.payload = self._stream.chunk
        self.abort = self._stream.abort
        self.drained = self._stream.drained
        self.finish = self._stream.finish

    @property
    def congested(self) -> bool:
        return self._stream.congested

    def begin(self, head: ResponseHead | None) -> None:
        self._stream.begin(
            [
                ("content-type", "text/event-stream; charset=utf-8"),
                ("x-accel-buffering", "no"),
                ("x-request-id", self._turn_id),
                *self._more,
                *_shown(head),
            ]
        )

    def keepalive(self) -> None:
        self.begin(None)
        self.payload(KEEPALIVE)

    def fail(self, failure: Failure, response_id: str | None) -> None:
        self.payload(failed_event(failure.code, failure.message, response_id))
        self._stream.finish()

    def answer(self, failure: Failure | None) -> web.Response:
        """The handler's response once the turn is over."""
        if failure and not self.begun:
            return failure_response(failure, self._turn_id, self._more)
        if failure:
            self.fail(failure, None)
        return self._stream.response()


class _Done(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw()
    response: dict[str, msgspec.Raw] | None = None


_done = msgspec.json.Decoder(_Done)
EMPTY_OUTPUT = (b"", b"[]", b"null")


class JsonSink(_ClientSink):
    """Collects the events of a turn into the one object that a client without ``stream`` asked for."""

    takes_raw = False
    congested = False

    def __init__(self, request: web.Request, turn_id: str) -> None:
        super().__init__(request, turn_id)
        self._scanner = EventScanner()
        self._items: list[msgspec.Raw] = []
        self._response: dict[str, msgspec.Raw] | None = None
        self._failed = False
        self._failure: Failure | None = None

    def begin(self, head: ResponseHead | None) -> None:
        """Nothing is sent before the whole answer is there."""

    def payload(self, data: bytes, *, last: bool = False) -> None:
        for event in self._scanner.feed(data):
            if event.type == "response.output_item.done":
                item = _done.decode(event.data).item
                self._items += [item] if bytes(item) else []
            elif event.type in TERMINAL_TYPES:
                self._response = _done.decode(event.data).response
                self._failed = event.type in ("response.failed", "error")

    def raw(self, data: bytes) -> None:
        raise AssertionError("this sink takes payload only")

    def keepalive(self) -> None:
        """White space may stand before a JSON text; the price is that a later failure has to be a 200, too."""
        self._begin()
        self._stream.chunk(b" ")

    def finish(self, *, terminated: bool = False) -> None:
        """The backend's stream is complete; the object goes out with ``answer``."""

    def fail(self, failure: Failure, response_id: str | None) -> None:
        """It goes out with ``answer``, as a status where that can still be told."""
        self._failure = failure

    def abort(self) -> None:
        self._response = None

    async def drained(self) -> None:
        return None

    def answer(self, failure: Failure | None) -> web.Response:
        """The handler's response once the turn is over."""
        failure = failure or self._failure
        body = None if failure or self._failed else self._body()
        if body is None:
            failure = failure or Failure(502, "upstream_request_failed", "the backend's answer broke off; try again")
            if not self.begun:
                return failure_response(failure, self._turn_id, self._more)
            body = error_body(failure.code, failure.message, kind=failure.kind, **failure.members())
        self._begin()
        self._stream.chunk(body)
        self._stream.finish()
        return self._stream.response()

    def _begin(self) -> None:
        self._stream.begin([("content-type", "application/json"), ("x-request-id", self._turn_id), *self._more])

    def _body(self) -> bytes | None:
        """The response object; ``output`` is rebuilt from the items when the backend left it empty."""
        if self._response is None:
            return None
        members: dict[str, Any] = dict(self._response)
        if bytes(members.get("output", b"")) in EMPTY_OUTPUT:
            members["output"] = self._items
        return msgspec.json.encode(members)


def failure_response(failure: Failure, turn_id: str, more: Sequence[tuple[str, str]] = ()) -> web.Response:
    """A refusal before anything was sent; ``more`` headers tell of limits."""
    headers = {"x-request-id": turn_id, "cache-control": "no-store", **dict(more), **dict(failure.headers)}
    if failure.retry_after is not None:
        headers["retry-after"] = str(failure.retry_after)
    if failure.verbatim is not None:
        kind = "application/json" if failure.verbatim.lstrip()[:1] in (b"{", b"[") else "text/plain"
        return web.Response(status=failure.status, body=failure.verbatim, headers=headers, content_type=kind)
    body = error_body(failure.code, failure.message, kind=failure.kind, **failure.members())
    return web.Response(status=failure.status, body=body, headers=headers, content_type="application/json")


def _shown(head: ResponseHead | None) -> list[tuple[str, str]]:
    if head is None:
        return []
    return [(name, value) for name in SHOWN_HEADERS if (value := head.get(name)) and len(value) <= LONGEST_SHOWN]
