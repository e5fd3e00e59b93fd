"""Events of the backend as a stream of the public Responses API: they pass as they came, and what that API's clients
count on and the backend left out is put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from codex_pooler.protocol.dialects import param_of, said
from codex_pooler.protocol.events import CODEX_PREFIX, read_terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.sse import SseEvent

KEEPALIVE = b": keepalive\n\n"
HIDDEN = frozenset({"", "keepalive"})
MOST_KEPT = 1024 * 1024  # bytes of finished items that are remembered for a last event that lacks them
LONGEST_MESSAGE = 2000  # characters of what the backend says went wrong
EMPTY = (b"", b"[]", b"null")
TEXT_DELTA = "response.output_text.delta"
DELTAS = frozenset({TEXT_DELTA, "response.refusal.delta"})
# what a client may know of a response that failed
SHOWN = ("id", "object", "created_at", "model", "service_tier", "usage", "metadata")
# type of a part -> (the member that holds its text, how its events are called)
TEXTS: Mapping[str, tuple[str, str]] = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
}


class _Numbered(msgspec.Struct):
    sequence_number: int | None = None


class _Done(msgspec.Struct):
    item: dict[str, Any] | None = None
    output_index: int = 0


class _Kept(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw()


class _Ended(msgspec.Struct):
    response: dict[str, msgspec.Raw] | None = None


_numbered, _done = msgspec.json.Decoder(_Numbered), msgspec.json.Decoder(_Done)
_kept, _ended = msgspec.json.Decoder(_Kept), msgspec.json.Decoder(_Ended)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_output = msgspec.json.Decoder(list[dict[str, Any]])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ResponsesStream:
    """One turn's stream; see ``protocol.translation.Translation``.

    ``response_id``, ``model`` and ``created_at`` (Unix seconds) stand in for what the backend did not tell.  Besides
    finished items, up to MOST_KEPT bytes of them, nothing is remembered of the stream.
    """

    __slots__ = ("_announced", "_begun", "_items", "_last", "_next", "_open", "_parted", "_shell", "_size", "_spoke")

    keepalive = KEEPALIVE

    def __init__(self, response_id: str, model: str, created_at: int) -> None:
        self._shell: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": created_at,
            "status": "in_progress",
            "model": model,
            "output": [],
        }
        self._begun = False
        self._announced = False  # some item was
        self._open = 0  # items that have begun and not ended
        self._spoke = False  # text came since an item was last begun or ended
        self._parted = False  # a part of it was announced since then
        self._items: list[bytes] = []  # the events that carried finished items
        self._size = 0  # bytes of these
        self._last = b""  # the last event, which knows its number
        self._next: int | None = None  # the number of the next event, once they are ours and not the backend's

    def events(self, events: Sequence[SseEvent]) -> bytes:
        out: list[bytes] = []
        for kind, data in events:
            step = STEPS.get(kind)
            if step is not None:
                out += step(self, kind, data)
            elif kind not in HIDDEN and not kind.startswith(CODEX_PREFIX):
                if not self._begun:
                    out.append(self._created())
                if kind in DELTAS:
                    self._spoke = True
                out.append(self._passed(kind, data))
        return b"".join(out)

    def failed(self, failure: Failure) -> bytes:
        return self._error(failure.code, said(failure), failure.kind, param_of(failure), failure.extra)

    # -- events that mean something here

    def _take_created(self, kind: str, data: bytes) -> list[bytes]:
        self._begun = True
        return [self._passed(kind, data)]

    def _take_added(self, kind: str, data: bytes) -> list[bytes]:
        opening = [] if self._begun else [self._created()]
        self._announced, self._spoke, self._parted = True, False, False
        self._open += 1
        return [*opening, self._passed(kind, data)]

    def _take_part(self, kind: str, data: bytes) -> list[bytes]:
        self._parted = True
        return [*([] if self._begun else [self._created()]), self._passed(kind, data)]

    def _take_done(self, kind: str, data: bytes) -> list[bytes]:
        opening = [] if self._begun else [self._created()]
        unsaid = [] if self._spoke or self._open > 1 else self._unsaid_text(data)
        self._announced, self._spoke, self._parted = True, False, False
        self._open = max(0, self._open - 1)
        self._size += len(data)
        if self._size <= MOST_KEPT:
            self._items.append(data)
        else:
            self._items = []
        return [*opening, *unsaid, self._passed(kind, data)]

    def _take_end(self, kind: str, data: bytes) -> list[bytes]:
        """``response.completed`` and ``response.incomplete``."""
        try:
            response = _ended.decode(data).response
        except _UNREADABLE:
            response = None
        if response is None:
            return [self._error("invalid_upstream_response", "the backend's last event cannot be read; try again")]
        opening = [] if self._begun else [self._created(response)]
        if bytes(response.get("output", b"")) in EMPTY:
            if output := self._remembered():
                data = _with(data, response={**response, "output": output})
        elif not self._announced and not self._spoke:
            opening += self._unsaid_items(response["output"])
        return [*opening, self._passed(*_as_completed(kind, data))]

    def _take_failed(self, kind: str, data: bytes) -> list[bytes]:
        """With the reason, and without what else the backend tells of itself."""
        terminal = read_terminal(SseEvent(kind, data))
        try:
            response = _ended.decode(data).response or {}
        except _UNREADABLE:
            response = {}
        opening = [] if self._begun else [self._created(response)]
        error = terminal.error
        code = str(error.code or error.type or "server_error") if error else "server_error"
        message = (error.message if error else None) or "the backend could not complete the response; try again"
        shown: dict[str, Any] = {**self._shell, **{name: response[name] for name in SHOWN if name in response}}
        told = {"code": code, "message": message[:LONGEST_MESSAGE]}
        shown |= {"status": "failed", "error": told, "incomplete_details": None}
        return [*opening, self._made("response.failed", {"response": shown})]

    def _take_error(self, kind: str, data: bytes) -> list[bytes]:
        error = read_terminal(SseEvent(kind, data)).error
        code = str(error.code or error.type or "server_error") if error else "server_error"
        message = (error.message if error else None) or "the backend could not complete the response; try again"
        param = error.param if error and isinstance(error.param, str) else None
        return [self._error(code, message[:LONGEST_MESSAGE], param=param)]

    # -- what the backend left out

    def _created(self, response: Mapping[str, Any] | None = None) -> bytes:
        self._begun = True
        told = {name: response[name] for name in ("id", "model", "created_at") if name in response} if response else {}
        return self._made("response.created", {"response": {**self._shell, **told}})

    def _unsaid_text(self, data: bytes) -> list[bytes]:
        """Of a finished item that did not come in pieces: what clients need to have seen of it before its end."""
        try:
            done = _done.decode(data)
        except _UNREADABLE:
            return []
        return list(self._life(done.item, done.output_index)) if done.item else []

    def _unsaid_items(self, output: msgspec.Raw) -> list[bytes]:
        """Of items that only the last event has: the events that clients build them from."""
        try:
            items = _output.decode(output)
        except _UNREADABLE:
            return []
        out: list[bytes] = []
        for index, item in enumerate(items):
            out += self._life(item, index)
            out.append(self._made("response.output_item.done", {"output_index": index, "item": item}))
        return out

    def _life(self, item: Mapping[str, Any], index: int) -> Iterator[bytes]:
        """The events of an item before its last, as far as they are missing."""
        is_message = item.get("type") == "message"
        if not self._open:
            begun = {**item, "status": "in_progress", "content": []} if is_message else item
            yield self._made("response.output_item.added", {"output_index": index, "item": begun})
        for place, kind, text in _spoken(item) if is_message else ():
            member, called = TEXTS[kind]
            where = {"item_id": item.get("id"), "output_index": index, "content_index": place}
            part: dict[str, Any] = {"type": kind, **({"annotations": []} if kind == "output_text" else {})}
            more: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
            if not self._parted:
                yield self._made("response.content_part.added", {**where, "part": {**part, member: ""}})
            yield self._made(f"{called}.delta", {**where, "delta": text, **more})
            if not self._parted:
                yield self._made(f"{called}.done", {**where, member: text, **more})
                yield self._made("response.content_part.done", {**where, "part": {**part, member: text}})

    def _remembered(self) -> list[msgspec.Raw]:
        return [item for data in self._items if bytes(item := _item_of(data))]

    # -- bytes

    def _passed(self, kind: str, data: bytes) -> bytes:
        if self._next is not None:
            data = _with(data, sequence_number=self._number())
        self._last = data
        return _block(kind, data)

    def _made(self, kind: str, members: Mapping[str, Any]) -> bytes:
        """An event of our own; from here on all are numbered by us."""
        return _block(kind, msgspec.json.encode({"type": kind, "sequence_number": self._number(), **members}))

    def _error(
        self,
        code: str,
        message: str,
        kind: str = "server_error",
        param: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The flat form of the API's reference, and the nested one that its SDKs raise errors for."""
        told = {"code": code, "message": message, "param": param}
        return self._made("error", {**told, "error": {**told, "type": kind, **(extra or {})}})

    def _number(self) -> int:
        if self._next is None:
            self._next = _number_after(self._last)
        number, self._next = self._next, self._next + 1
        return number


def _number_after(data: bytes) -> int:
    try:
        last = _numbered.decode(data).sequence_number if data else None
    except _UNREADABLE:
        last = None
    return 0 if last is None else last + 1


def _item_of(data: bytes) -> msgspec.Raw:
    try:
        return _kept.decode(data).item
    except _UNREADABLE:
        return msgspec.Raw()


def _spoken(item: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Of a message: the place of each part with text, its type, and the text."""
    content = item.get("content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get(TEXTS[kind][0]) if isinstance(kind, str) and kind in TEXTS else None
        if isinstance(kind, str) and isinstance(text, str) and text:
            yield place, kind, text


def _as_completed(kind: str, data: bytes) -> tuple[str, bytes]:
    """An older name of the last event as the one that clients know."""
    if kind != "response.done":
        return kind, data
    return "response.completed", _with(data, type="response.completed")


def _with(data: bytes, **members: Any) -> bytes:
    """The event with these members set; as it is where it cannot be read."""
    try:
        return msgspec.json.encode({**_members.decode(data), **members})
    except _UNREADABLE:
        return data


def _block(kind: str, data: bytes) -> bytes:
    """One server-sent event."""
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


Step = Callable[[ResponsesStream, str, bytes], list[bytes]]
STEPS: Mapping[str, Step] = {
    "response.created": ResponsesStream._take_created,
    "response.output_item.added": ResponsesStream._take_added,
    "response.content_part.added": ResponsesStream._take_part,
    "response.output_item.done": ResponsesStream._take_done,
    "response.completed": ResponsesStream._take_end,
    "response.done": ResponsesStream._take_end,
    "response.incomplete": ResponsesStream._take_end,
    "response.failed": ResponsesStream._take_failed,
    "error": ResponsesStream._take_error,
}
