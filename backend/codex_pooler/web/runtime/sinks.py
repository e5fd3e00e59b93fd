"""The shapes of a turn's answer over HTTP: events as they come or in another protocol's words, or one JSON object."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.gateway.attempt import BROKEN
from codex_pooler.gateway.classify import classify
from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.dialects import NATIVE, Dialect
from codex_pooler.protocol.events import Terminal, read_terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.sse import TERMINAL_TYPES, EventScanner, SseEvent
from codex_pooler.protocol.translation import Shape, Translation
from codex_pooler.web.errors import refused
from codex_pooler.web.runtime.stream import ClientStream

KEEPALIVE = b'data: {"type":"keepalive"}\n\n'
EVENT_STREAM = (("content-type", "text/event-stream; charset=utf-8"), ("x-accel-buffering", "no"))
IGNORED_HEADER = "x-gateway-ignored"  # what the client asked for and does not get
PRESENTABLE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
MOST_NAMES = 32
MOST_COLLECTED = 64 * 1024 * 1024  # bytes of an answer that is not streamed
TOO_LARGE = Failure(502, "response_too_large", "the answer is too large to be collected; ask for it with stream: true")
BROKE_OFF = Failure(502, "upstream_request_failed", "the backend's answer broke off; try again")
# what a client may learn of the backend's head; limits that belong to one account stay here
SHOWN_HEADERS = ("x-codex-turn-state", "openai-model", "x-reasoning-included")
LONGEST_SHOWN = 1024


class _ClientSink:
    """What all shapes know of their client."""

    def __init__(
        self, request: web.Request, turn_id: str, dialect: Dialect = NATIVE, *, ignored: Sequence[str] = ()
    ) -> None:
        self._stream, self._dialect = ClientStream(request), dialect
        names = ("x-request-id", *([dialect.request_id] if dialect.request_id else []))
        self._own = [*((name, turn_id) for name in names), *ignored_header(ignored)]
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

    @property
    def _headers(self) -> list[tuple[str, str]]:
        return [*self._own, *self._more]

    def _refused(self, failure: Failure) -> web.Response:
        return refused(failure, self._dialect, self._headers)


class _EventSink(_ClientSink, ABC):
    """A stream of server-sent events, whatever they say."""

    @property
    def congested(self) -> bool:
        return self._stream.congested

    def begin(self, head: ResponseHead | None) -> None:
        self._stream.begin([*EVENT_STREAM, *self._headers, *_shown(head)])

    def abort(self) -> None:
        self._stream.abort()

    async def drained(self) -> None:
        await self._stream.drained()

    def answer(self, failure: Failure | None) -> web.Response:
        """The handler's response once the turn is over."""
        if failure and not self.begun:
            return self._refused(failure)
        if failure:
            self.fail(failure, None)
        return self._stream.response()

    @abstractmethod
    def fail(self, failure: Failure, response_id: str | None) -> None:
        """End the stream with the failure, said as its protocol says it."""


class SseSink(_EventSink):
    """Server-sent events, passed through."""

    def __init__(self, request: web.Request, turn_id: str) -> None:
        super().__init__(request, turn_id)
        self.takes_raw = self._stream.chunked
        self.raw = self._stream.write
        self.payload = self._stream.chunk
        self.finish = self._stream.finish

    def keepalive(self) -> None:
        self.begin(None)
        self.payload(KEEPALIVE)

    def fail(self, failure: Failure, response_id: str | None) -> None:
        self.payload(self._dialect.event(failure, response_id))
        self._stream.finish()


class TranslatedSink(_EventSink):
    """Server-sent events as another protocol has them."""

    takes_raw = False

    def __init__(
        self,
        request: web.Request,
        turn_id: str,
        dialect: Dialect,
        translation: Translation,
        *,
        ignored: Sequence[str] = (),
    ) -> None:
        super().__init__(request, turn_id, dialect, ignored=ignored)
        self._translation, self._scanner = translation, EventScanner()

    def payload(self, data: bytes, *, last: bool = False) -> None:
        said = self._translation.events(self._scanner.feed(data))
        if said or last:
            self._stream.chunk(said, last=last)

    def raw(self, data: bytes) -> None:
        raise AssertionError("this sink takes payload only")

    def keepalive(self) -> None:
        self.begin(None)
        self._stream.chunk(self._translation.keepalive)

    def finish(self, *, terminated: bool) -> None:
        self._stream.finish()

    def fail(self, failure: Failure, response_id: str | None) -> None:
        self._stream.chunk(self._translation.failed(failure), last=True)


class _Done(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw()
    response: dict[str, msgspec.Raw] | None = None


_done = msgspec.json.Decoder(_Done)
_decoded = msgspec.json.Decoder(dict[str, Any])
EMPTY_OUTPUT = (b"", b"[]", b"null")


class JsonSink(_ClientSink):
    """Collects the events of a turn into the one object that a client without ``stream`` asked for."""

    takes_raw = False
    congested = False

    def __init__(
        self, request: web.Request, turn_id: str, dialect: Dialect = NATIVE, *, ignored: Sequence[str] = ()
    ) -> None:
        super().__init__(request, turn_id, dialect, ignored=ignored)
        self._scanner = EventScanner()
        self._items: list[msgspec.Raw] = []
        self._collected = 0  # bytes
        self._response: dict[str, msgspec.Raw] | None = None
        self._failed = False
        self._failure: Failure | None = None

    def begin(self, head: ResponseHead | None) -> None:
        """Nothing is sent before the whole answer is there."""

    def payload(self, data: bytes, *, last: bool = False) -> None:
        for event in self._scanner.feed(data):
            if event.type == "response.output_item.done":
                self._collect(event.data)
            elif event.type in TERMINAL_TYPES:
                self._end(event)

    def _end(self, event: SseEvent) -> None:
        terminal = read_terminal(event)
        self._failed = terminal.kind == "failed"
        if self._failed:
            self._failure = _failure_in(terminal)
        else:
            self._response = _done.decode(event.data).response

    def _collect(self, event: bytes) -> None:
        self._collected += len(event)
        if self._collected > MOST_COLLECTED:
            self._items, self._failure = [], TOO_LARGE
        elif item := bytes(_done.decode(event).item):
            self._items.append(msgspec.Raw(item))

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
            failure = failure or BROKE_OFF
            if not self.begun:
                return self._refused(failure)
            body = self._dialect.body(failure)
        self._begin()
        self._stream.chunk(body)
        self._stream.finish()
        return self._stream.response()

    def _begin(self) -> None:
        self._stream.begin([("content-type", "application/json"), *self._headers])

    def _body(self) -> bytes | None:
        """The response object."""
        whole = self._whole()
        return None if whole is None else msgspec.json.encode(whole)

    def _whole(self) -> dict[str, Any] | None:
        """Its members, as they came; ``output`` is rebuilt from the items when the backend left it empty."""
        if self._response is None:
            return None
        members: dict[str, Any] = dict(self._response)
        if bytes(members.get("output", b"")) in EMPTY_OUTPUT:
            members["output"] = self._items
        return members


class ShapedSink(JsonSink):
    """Collects a turn into the object that another protocol has for it."""

    def __init__(
        self, request: web.Request, turn_id: str, dialect: Dialect, shape: Shape, *, ignored: Sequence[str] = ()
    ) -> None:
        super().__init__(request, turn_id, dialect, ignored=ignored)
        self._shape = shape

    def _body(self) -> bytes | None:
        whole = self._whole()
        return None if whole is None else self._shape(_decoded.decode(msgspec.json.encode(whole)))


def _failure_in(terminal: Terminal) -> Failure:
    """Why an answer failed that had begun: what is the request's fault in the backend's words, all else is to be tried
    again."""
    error = terminal.error
    verdict = classify(Ending("failed", committed=True, terminal=terminal))
    if error is None or verdict.move or error.code == BROKEN:
        return BROKE_OFF
    message = error.message or "the backend could not complete the response; change the request"
    param = error.param if isinstance(error.param, str) else None
    return Failure(terminal.status or 400, verdict.code, message, "invalid_request_error", param=param)


def failure_response(failure: Failure, turn_id: str, more: Sequence[tuple[str, str]] = ()) -> web.Response:
    """A refusal of a native turn before anything was sent; ``more`` headers tell of limits."""
    return refused(failure, NATIVE, [("x-request-id", turn_id), *more])


def ignored_header(names: Sequence[str]) -> list[tuple[str, str]]:
    """What had no effect, by names as clients chose them, made fit for a header; none without any."""
    fit = (name if PRESENTABLE.fullmatch(name) else "unknown" for name in names)
    return [(IGNORED_HEADER, ", ".join(list(dict.fromkeys(fit))[:MOST_NAMES]))] if names else []


def _shown(head: ResponseHead | None) -> list[tuple[str, str]]:
    if head is None:
        return []
    return [(name, value) for name in SHOWN_HEADERS if (value := head.get(name)) and len(value) <= LONGEST_SHOWN]
