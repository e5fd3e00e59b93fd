"""A turn's events as Anthropic's: blocks that open, grow and close, then why the model stopped and what it used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from codex_pooler.protocol.anthropic.growth import GROWTH, delta_event, message_event
from codex_pooler.protocol.anthropic.heard import (
    read_created,
    read_delta,
    read_ended,
    read_item_event,
    read_part_done,
)
from codex_pooler.protocol.anthropic.message import (
    blocks_of,
    citations_of,
    dicts,
    is_search,
    kinds_of,
    opening,
    stop_reason,
    text_block,
    tool_block,
    usage_of,
)
from codex_pooler.protocol.anthropic.request import Voice
from codex_pooler.protocol.anthropic.thinking import BETWEEN_SUMMARIES, seal_of
from codex_pooler.protocol.dialects import ANTHROPIC
from codex_pooler.protocol.events import Terminal, read_terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.sse import SseEvent

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
ENDING = b"}}\n\n"
TEXT, ARGUMENTS, THOUGHT = (
    b'"text_delta","text":',
    b'"input_json_delta","partial_json":',
    b'"thinking_delta","thinking":',
)
UNREADABLE = Failure(502, "invalid_upstream_response", "the backend sent an event that cannot be read; try again")
FAILED = "the backend could not complete the answer; try again"
# codes of failures inside a stream -> the status that says what kind they are; others are the backend's own
STATUSES = {
    "rate_limit_exceeded": 429,
    "usage_limit_reached": 429,
    "server_is_overloaded": 503,
    "context_length_exceeded": 400,
    "invalid_upstream_response": 502,
}
OF_THE_REQUEST = ("invalid_", "unsupported_", "image_", "content_policy", "misalignment_policy")


class _Item:
    """An item that has not ended yet: the block that is open for it, and which of its parts were told."""

    __slots__ = ("block", "part", "prefix", "told")

    def __init__(self) -> None:
        self.block: int | None = None
        self.part = 0
        self.prefix = b""
        self.told: set[int] = set()


class MessageEvents:
    """The Translation of one turn.  It remembers the items that are open, and counts the others."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._items: dict[int, _Item] = {}
        self._blocks = 0  # so many were opened
        self._ended_items = 0  # up to the last that ended, as the backend numbers them
        self._kinds: set[str] = set()
        self._searches = 0
        self._begun = self._over = False

    keepalive = PING

    def events(self, events: Sequence[SseEvent]) -> bytes:
        said: list[bytes] = []
        for event in events:
            handler = HANDLERS.get(event.type)
            if handler is None or self._over:
                continue
            try:
                said.append(handler(self, event))
            except (msgspec.DecodeError, UnicodeDecodeError):
                said.append(self.failed(UNREADABLE))
        return said[0] if len(said) == 1 else b"".join(said)

    def failed(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return ANTHROPIC.event(failure, None)

    # -- the turn

    def _created(self, event: SseEvent) -> bytes:
        response = read_created(event.data).response
        return self._begin(response.id if response else None)

    def _begin(self, response_id: str | None = None) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return message_event("message_start", {"message": opening(response_id, self._voice)})

    def _completed(self, event: SseEvent) -> bytes:
        terminal = read_terminal(event)
        if terminal.kind == "failed":
            return self.failed(_failure(terminal))
        said = [self._begin(terminal.response_id), self._untold(event), *map(self._close, list(self._items.values()))]
        self._over = True
        reason = stop_reason(self._kinds, terminal.reason, incomplete=terminal.kind == "incomplete")
        ending = {"stop_reason": reason, "stop_sequence": None}
        usage = usage_of(terminal.usage, self._searches)
        said += [message_event("message_delta", {"delta": ending, "usage": usage}), message_event("message_stop", {})]
        return b"".join(said)

    def _untold(self, event: SseEvent) -> bytes:
        """Items that only the last event has."""
        response = read_ended(event.data).response
        output = (response.output if response else None) or []
        return b"".join(self._item_done(number, output[number]) for number in range(self._ended_items, len(output)))

    # -- items

    def _added(self, event: SseEvent) -> bytes:
        """A call is announced with its name; anything else opens when it says something."""
        told = read_item_event(event.data)
        if told.item.get("type") != "function_call":
            return b""
        item = self._items.setdefault(told.output_index, _Item())
        return self._open(item, tool_block(told.item, self._voice), ARGUMENTS)

    def _done(self, event: SseEvent) -> bytes:
        told = read_item_event(event.data)
        return self._item_done(told.output_index, told.item)

    def _item_done(self, number: int, whole: dict[str, Any]) -> bytes:
        item = self._items.pop(number, None) or _Item()
        self._ended_items = max(self._ended_items, number + 1)
        self._kinds |= kinds_of(whole)
        self._searches += is_search(whole)
        finish = FINISHES.get(str(whole.get("type")), MessageEvents._finish_other)
        return finish(self, item, whole)

    def _finish_other(self, item: _Item, whole: dict[str, Any]) -> bytes:
        return b"".join(map(self._whole, blocks_of(whole, self._voice)))

    def _finish_message(self, item: _Item, whole: dict[str, Any]) -> bytes:
        parts = dicts(whole.get("content"))
        said = [self._close(item, parts[item.part] if item.part < len(parts) else None)]
        for number, part in enumerate(parts):
            block = text_block(part) if number not in item.told else None
            said += [self._whole(block)] if block else []
        return b"".join(said)

    def _finish_call(self, item: _Item, whole: dict[str, Any]) -> bytes:
        if item.block is None:
            return self._finish_other(item, whole)
        arguments = "" if item.told else whole.get("arguments")
        rest = item.prefix + msgspec.json.encode(arguments) + ENDING if arguments else b""
        return rest + self._close(item)

    def _finish_reasoning(self, item: _Item, whole: dict[str, Any]) -> bytes:
        if item.block is None:
            return self._finish_other(item, whole)
        signature = {"type": "signature_delta", "signature": seal_of(whole.get("encrypted_content"))}
        return delta_event(item.block, signature) + self._close(item)

    # -- what an item says while it lasts

    def _text(self, event: SseEvent) -> bytes:
        told = read_delta(event.data)
        item = self._items.get(told.output_index)
        if item is not None and item.block is not None and item.part == told.content_index:
            return b"%b%b}}\n\n" % (item.prefix, told.delta)
        item = self._items.setdefault(told.output_index, _Item())
        said = self._close(item)
        item.part = told.content_index
        item.told.add(told.content_index)
        said += self._open(item, {"type": "text", "text": ""}, TEXT)
        return b"%b%b%b}}\n\n" % (said, item.prefix, told.delta)

    def _arguments(self, event: SseEvent) -> bytes:
        told = read_delta(event.data)
        item = self._items.get(told.output_index)
        if item is None or item.block is None:
            return b""  # nobody knows of which tool: the whole call follows at its end
        item.told.add(0)
        return b"%b%b}}\n\n" % (item.prefix, told.delta)

    def _summary(self, event: SseEvent) -> bytes:
        if not self._voice.thinks:
            return b""
        told = read_delta(event.data)
        item = self._items.setdefault(told.output_index, _Item())
        said = b""
        if item.block is None:
            said = self._open(item, {"type": "thinking", "thinking": "", "signature": ""}, THOUGHT)
        elif item.part != told.summary_index:
            said = item.prefix + msgspec.json.encode(BETWEEN_SUMMARIES) + ENDING
        item.part = told.summary_index
        return b"%b%b%b}}\n\n" % (said, item.prefix, told.delta)

    def _part_done(self, event: SseEvent) -> bytes:
        """A text closes with the pages it refers to."""
        told = read_part_done(event.data)
        item = self._items.get(told.output_index)
        if item is None or item.block is None or item.part != told.content_index:
            return b""
        return self._close(item, {"annotations": told.part.annotations if told.part else None})

    # -- blocks

    def _open(self, item: _Item, block: Mapping[str, Any], kind: bytes) -> bytes:
        number = item.block = self._blocks
        self._blocks += 1
        item.prefix = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b'
            % (number, kind)
        )
        return self._begin() + message_event("content_block_start", {"index": number, "content_block": block})

    def _close(self, item: _Item, part: Any = None) -> bytes:
        """Close the item's block if one is open; ``part`` is what the backend says of it at the end."""
        number, item.block = item.block, None
        if number is None:
            return b""
        citations = citations_of(part.get("annotations")) if isinstance(part, dict) else []
        said = [delta_event(number, {"type": "citations_delta", "citation": each}) for each in citations]
        return b"".join([*said, message_event("content_block_stop", {"index": number})])

    def _whole(self, block: dict[str, Any]) -> bytes:
        """A block that is told all at once."""
        item, grow = _Item(), GROWTH.get(block["type"])
        if grow is None:
            return self._open(item, block, b"") + self._close(item)
        start, deltas = grow(block)
        said = [self._open(item, start, b"")]
        said += [delta_event(self._blocks - 1, delta) for delta in deltas]
        return b"".join([*said, self._close(item)])


FINISHES: Mapping[str, Callable[[MessageEvents, _Item, dict[str, Any]], bytes]] = {
    "message": MessageEvents._finish_message,
    "function_call": MessageEvents._finish_call,
    "reasoning": MessageEvents._finish_reasoning,
}
HANDLERS: Mapping[str, Callable[[MessageEvents, SseEvent], bytes]] = {
    "response.created": MessageEvents._created,
    "response.output_item.added": MessageEvents._added,
    "response.output_item.done": MessageEvents._done,
    "response.content_part.done": MessageEvents._part_done,
    "response.output_text.delta": MessageEvents._text,
    "response.refusal.delta": MessageEvents._text,
    "response.function_call_arguments.delta": MessageEvents._arguments,
    "response.reasoning_summary_text.delta": MessageEvents._summary,
    "response.completed": MessageEvents._completed,
    "response.done": MessageEvents._completed,
    "response.incomplete": MessageEvents._completed,
    "response.failed": MessageEvents._completed,
    "error": MessageEvents._completed,
}


def _failure(terminal: Terminal) -> Failure:
    """What a turn that the backend ended as failed is to its client."""
    error = terminal.error
    code = str((error and (error.code or error.type)) or "upstream_error")
    status = STATUSES.get(code) or (400 if code.startswith(OF_THE_REQUEST) else 502)
    return Failure(status, code, (error and error.message) or FAILED)
