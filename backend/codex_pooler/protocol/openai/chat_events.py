"""The backend's events as chunks of a chat completion, one turn at a time: sans-I/O, and of each item only as much is
kept as tells what of it has been said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from codex_pooler.protocol.dialects import OPENAI, UNEXPLAINED
from codex_pooler.protocol.errors import from_body
from codex_pooler.protocol.events import read_terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.openai.chat_answer import (
    CALLS,
    INCOMPLETE,
    SEPARATOR,
    Shown,
    finish_reason,
    kind_of,
    payload_of,
    picture,
    spoken,
    thoughts,
    tool_call,
    usage_of,
)
from codex_pooler.protocol.sse import SseEvent

KEEPALIVE = b": keepalive\n\n"
DONE = b"data: [DONE]\n\n"
CHUNK = "chat.completion.chunk"
UNREADABLE = Failure(502, "invalid_upstream_response", "the backend's answer ended unreadably; send the request again")
FAILURES = frozenset({"response.failed", "error"})
# codes of failures that are worth another try; all others that get here say what is wrong with the request
NOT_THE_REQUEST = frozenset({"stream_incomplete", "server_error", "invalid_upstream_response"})
NOTHING = b'""'


class _Delta(msgspec.Struct):
    """The string stays as it came, in its quotation marks."""

    delta: msgspec.Raw = msgspec.Raw(NOTHING)
    output_index: int = 0
    content_index: int = 0


class _Thought(msgspec.Struct):
    delta: msgspec.Raw = msgspec.Raw(NOTHING)
    output_index: int = 0
    summary_index: int = 0


class _Whole(msgspec.Struct):
    item: dict[str, Any]
    output_index: int = 0


class _Head(msgspec.Struct):
    id: Any = None
    created_at: Any = None
    model: Any = None


class _Begun(msgspec.Struct):
    response: _Head | None = None


class _Answer(msgspec.Struct):
    status: Any = None
    incomplete_details: Any = None
    usage: Any = None
    service_tier: Any = None
    output: msgspec.Raw = msgspec.Raw()


class _Ended(msgspec.Struct):
    response: _Answer


_delta = msgspec.json.Decoder(_Delta)
_thought = msgspec.json.Decoder(_Thought)
_whole = msgspec.json.Decoder(_Whole)
_begun = msgspec.json.Decoder(_Begun)
_ended = msgspec.json.Decoder(_Ended)
_items = msgspec.json.Decoder(list[msgspec.Raw] | None)
_item = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class _Call:
    """A tool call that is not complete yet; ``before`` is what a chunk with more of it begins with."""

    before: bytes
    told: bool = False


class ChatEvents:
    """See ``protocol.translation.Translation``."""

    keepalive = KEEPALIVE

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._envelope = self._content = self._delta = self._close = b""
        self._over = self._refused = False
        self._message, self._part = -1, -1  # whose text was said last, by its place in the output and in its item
        self._summary: tuple[int, int] | None = None  # likewise, of thoughts
        self._told: set[tuple[int, int]] = set()  # parts of unfinished items that were told piece by piece
        self._calls: dict[int, _Call] = {}  # by the place of their item in the output
        self._called = self._pictures = 0  # tool calls that have begun, pictures that were shown
        self._finished = -1  # items of the output up to here are complete

    def events(self, events: Sequence[SseEvent]) -> bytes:
        """The chunks for these events; an event that cannot be read says nothing."""
        said: list[bytes] = []
        for event in events:
            tell = TELL.get(event.type)
            if tell is None or self._over:
                continue
            if not self._delta and event.type not in FAILURES:
                said.append(self._begin(event))
            try:
                said.append(tell(self, event))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return said[0] if len(said) == 1 else b"".join(said)

    def failed(self, failure: Failure) -> bytes:
        """One chunk with the error and nothing after it: ``[DONE]`` would make the answer look complete."""
        if self._over:
            return b""
        self._over = True
        return OPENAI.event(failure, None)

    # -- what events say

    def _begin(self, event: SseEvent) -> bytes:
        """The first chunk names the role; what all of them have in common is put together here."""
        try:
            head = _begun.decode(event.data).response or _Head()
        except (msgspec.DecodeError, UnicodeDecodeError):
            head = _Head()
        common = self._shown.envelope(msgspec.structs.asdict(head), CHUNK)
        self._envelope = b"data: " + orjson.dumps(common)[:-1]
        self._delta = self._envelope + b',"choices":[{"index":0,"delta":{'
        self._content = self._delta + b'"content":'
        self._close = b'},"finish_reason":null}]%b}\n\n' % (b',"usage":null' if self._shown.usage else b"")
        return self._delta + b'"role":"assistant"' + self._close

    def _nothing(self, event: SseEvent) -> bytes:
        return b""

    def _text(self, event: SseEvent) -> bytes:
        delta = _delta.decode(event.data)
        if delta.output_index == self._message and delta.content_index == self._part:
            return self._content + delta.delta + self._close
        return self._other_text(delta.output_index, delta.content_index, bytes(delta.delta))

    def _other_text(self, index: int, place: int, text: bytes) -> bytes:
        """Text of another part than before; messages are set apart from each other."""
        if text == NOTHING:
            return b""
        apart = self._message not in (-1, index)
        self._message, self._part = index, place
        self._told.add((index, place))
        said = self._content + text + self._close
        return self._content + orjson.dumps(SEPARATOR) + self._close + said if apart else said

    def _refusal(self, event: SseEvent) -> bytes:
        delta = _delta.decode(event.data)
        return self._refuse(delta.output_index, delta.content_index, bytes(delta.delta))

    def _refuse(self, index: int, place: int, text: bytes) -> bytes:
        if text == NOTHING:
            return b""
        self._told.add((index, place))
        self._refused = True
        return self._delta + b'"refusal":' + text + self._close

    def _thinking(self, event: SseEvent) -> bytes:
        if not self._shown.reasoning:
            return b""
        thought = _thought.decode(event.data)
        return self._think(thought.output_index, thought.summary_index, bytes(thought.delta))

    def _think(self, index: int, place: int, text: bytes) -> bytes:
        if text == NOTHING:
            return b""
        before = self._delta + b'"reasoning_content":'
        said = before + text + self._close
        if self._summary == (index, place):
            return said
        apart, self._summary = self._summary is not None, (index, place)
        self._told.add(self._summary)
        return before + orjson.dumps(SEPARATOR) + self._close + said if apart else said

    def _added(self, event: SseEvent) -> bytes:
        whole = _whole.decode(event.data)
        return self._call(whole.output_index, whole.item) if kind_of(whole.item) in CALLS else b""

    def _call(self, index: int, item: Mapping[str, Any]) -> bytes:
        """A tool call begins; calls are numbered by themselves, whatever stands between them."""
        kind, given = CALLS[item["type"]]
        number, self._called = self._called, self._called + 1
        call = {"index": number, **tool_call({**item, given: ""})}
        more = f'"tool_calls":[{{"index":{number},"{kind}":{{"{given}":'
        self._calls[index] = _Call(self._delta + more.encode())
        return self._delta + b'"tool_calls":[' + orjson.dumps(call) + b"]" + self._close

    def _given(self, event: SseEvent) -> bytes:
        delta = _delta.decode(event.data)
        call = self._calls.get(delta.output_index)
        return self._give(call, bytes(delta.delta)) if call else b""

    def _give(self, call: _Call, text: bytes) -> bytes:
        if text == NOTHING:
            return b""
        call.told = True
        return call.before + text + b"}}]" + self._close

    def _item_done(self, event: SseEvent) -> bytes:
        whole = _whole.decode(event.data)
        said = self._rest_of(whole.output_index, whole.item)
        self._finished = max(whole.output_index, self._finished + 1)
        self._told = {part for part in self._told if part[0] != whole.output_index}
        return said

    def _rest_of(self, index: int, item: Mapping[str, Any]) -> bytes:
        """What a complete item says beyond what was told of it piece by piece."""
        kind = kind_of(item)
        if kind == "message":
            return self._rest_of_message(index, item)
        if kind in CALLS:
            return self._rest_of_call(index, item)
        if kind == "reasoning" and self._shown.reasoning:
            untold = [(place, said) for place, said in thoughts(item) if (index, place) not in self._told]
            return b"".join(self._think(index, place, orjson.dumps(said)) for place, said in untold)
        return self._picture(item)

    def _rest_of_message(self, index: int, item: Mapping[str, Any]) -> bytes:
        tell = {"content": self._other_text, "refusal": self._refuse}
        untold = [one for one in spoken(item) if (index, one[0]) not in self._told]
        return b"".join(tell[member](index, place, orjson.dumps(said)) for place, member, said in untold)

    def _rest_of_call(self, index: int, item: Mapping[str, Any]) -> bytes:
        begun = b"" if index in self._calls else self._call(index, item)
        call = self._calls.pop(index)
        return begun if call.told else begun + self._give(call, orjson.dumps(payload_of(item)))

    def _picture(self, item: Mapping[str, Any]) -> bytes:
        made = picture(item)
        if made is None:
            return b""
        number, self._pictures = self._pictures, self._pictures + 1
        return self._delta + b'"images":' + orjson.dumps([{"index": number, **made}]) + self._close

    # -- how it ends

    def _complete(self, event: SseEvent) -> bytes:
        try:
            answer = _ended.decode(event.data).response
            said = self._rest_of_output(answer.output)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self.failed(UNREADABLE)
        self._over = True
        facts = msgspec.structs.asdict(answer)
        if event.type == "response.incomplete":
            facts["status"] = INCOMPLETE
        return said + self._finish(facts) + DONE

    def _rest_of_output(self, output: msgspec.Raw) -> bytes:
        """Items that only the end of the stream tells of."""
        items = _items.decode(output) if bytes(output) else None
        unseen = list(enumerate(items or ()))[self._finished + 1 :]
        return b"".join(self._rest_of(index, _item.decode(raw)) for index, raw in unseen)

    def _finish(self, answer: Mapping[str, Any]) -> bytes:
        silent = self._message < 0 and not (self._called or self._refused or self._pictures)
        reason = finish_reason(answer, called=self._called > 0).encode()
        tier = answer.get("service_tier")
        told = b',"service_tier":' + orjson.dumps(tier) if isinstance(tier, str) else b""
        delta = b'"content":""' if silent else b""
        unknown = b',"usage":null' if self._shown.usage else b""
        end = self._delta + delta + b'},"finish_reason":"%b"}]%b%b}\n\n' % (reason, unknown, told)
        usage = usage_of(answer) if self._shown.usage else None
        if usage is None:
            return end
        return end + self._envelope + b',"choices":[],"usage":' + orjson.dumps(usage) + told + b"}\n\n"

    def _fail(self, event: SseEvent) -> bytes:
        terminal = read_terminal(event)
        error = from_body(terminal.error) if terminal.error else None
        if error is None:
            return self.failed(UNREADABLE)
        ours = error.code in NOT_THE_REQUEST
        kind = error.type or ("server_error" if ours else "invalid_request_error")
        message = error.message or UNEXPLAINED
        return self.failed(Failure(502 if ours else 400, error.code or kind, message, kind, param=error.param))


# What each event says; those that are not here say nothing to a client of Chat Completions.
TELL: Mapping[str, Callable[[ChatEvents, SseEvent], bytes]] = {
    "response.output_text.delta": ChatEvents._text,
    "response.function_call_arguments.delta": ChatEvents._given,
    "response.custom_tool_call_input.delta": ChatEvents._given,
    "response.reasoning_summary_text.delta": ChatEvents._thinking,
    "response.refusal.delta": ChatEvents._refusal,
    "response.created": ChatEvents._nothing,
    "response.queued": ChatEvents._nothing,
    "response.in_progress": ChatEvents._nothing,
    "response.output_item.added": ChatEvents._added,
    "response.output_item.done": ChatEvents._item_done,
    "response.completed": ChatEvents._complete,
    "response.done": ChatEvents._complete,
    "response.incomplete": ChatEvents._complete,
    "response.failed": ChatEvents._fail,
    "error": ChatEvents._fail,
}
