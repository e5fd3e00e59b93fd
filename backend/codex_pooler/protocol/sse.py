"""Server-sent events found in bytes that are cut anywhere (WHATWG HTML, section 9.2): LF, CRLF and CR, comments,
multi-line data.  Nothing is rewritten; whoever relays the bytes relays them as they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

# "event: response." is how the backend begins a block; such a block is terminal only with one of these endings
BACKEND_PREFIX = b"event: response."
EVENT_LINE, DATA_LINE = b"event: ", b"\ndata: "
TERMINAL_TYPES = frozenset({"response.completed", "response.failed", "response.incomplete", "response.done", "error"})
TERMINAL_PREFIXES = tuple(b"event: " + name.encode() + b"\n" for name in sorted(TERMINAL_TYPES))
FAILURE_PREFIXES = (b"event: response.failed\n", b"event: error\n")
SKIP_AFTER = 4096  # bytes of an unfinished block that are enough to know its type


def _is_ordinary(block: bytes) -> bool:
    """True when the block's first line alone says that it does not end a turn."""
    return block.startswith(BACKEND_PREFIX) and not block.startswith(TERMINAL_PREFIXES)


class SseEvent(NamedTuple):
    """One complete event: its type (``event:`` line, else the JSON's ``type``) and its data lines, joined."""

    type: str
    data: bytes


NO_EVENTS: tuple[SseEvent, ...] = ()


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


class EventScanner:
    """Feed it payload bytes, get the events that were completed by them.

    With ``only_terminal`` set it reports terminal events alone and forgets the others while they pass, so its
    memory does not grow with the stream or with an event's size.
    """

    __slots__ = ("_after_cr", "_buffer", "_skipping", "only_terminal")

    def __init__(self, *, only_terminal: bool = False) -> None:
        self.only_terminal = only_terminal
        self._buffer = b""
        self._skipping = False
        self._after_cr = False

    @property
    def at_boundary(self) -> bool:
        """True between events: here, and only here, something may be inserted."""
        return not self._buffer and not self._skipping

    @property
    def unfinished_failure(self) -> bytes:
        """The beginning of an event that is, or may still turn out to be, a failure; empty when there is none."""
        begun = self._buffer
        if not begun or self._skipping:
            return b""
        return begun if any(begun.startswith(p) or p.startswith(begun) for p in FAILURE_PREFIXES) else b""

    def feed(self, data: bytes) -> Sequence[SseEvent]:
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        end = data.find(b"\n\n")
        if end >= 0 and end == len(data) - 2 and not self._buffer and not self._skipping:
            # the usual case: one whole event, and most of them do not matter
            return NO_EVENTS if self.only_terminal and _is_ordinary(data) else self._parsed((data[:-2],))
        *blocks, rest = (self._buffer + data).split(b"\n\n")
        if self._skipping and blocks:
            self._skipping = False
            del blocks[0]
        self._buffer = self._retained(rest)
        return self._parsed(blocks)

    def _parsed(self, blocks: list[bytes] | tuple[bytes, ...]) -> list[SseEvent]:
        events = []
        if self.only_terminal:
            # as _is_ordinary, without a call for each of many blocks
            blocks = [b for b in blocks if not b.startswith(BACKEND_PREFIX) or b.startswith(TERMINAL_PREFIXES)]
        for block in blocks:
            event = parse_block(block)
            if event and (event.type in TERMINAL_TYPES or not self.only_terminal):
                events.append(event)
        return events

    def _retained(self, rest: bytes) -> bytes:
        """What must be kept of an unfinished block: all of it, or only its end when its type does not matter."""
        if self._skipping:
            return rest[-1:]
        if not self.only_terminal or len(rest) < SKIP_AFTER:
            return rest
        if _is_ordinary(rest):
            self._skipping = True
            return rest[-1:]
        return rest

    def _with_line_feeds(self, data: bytes) -> bytes:
        """Turn CRLF and CR into LF, also when the pair is cut in two."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def parse_block(block: bytes) -> SseEvent | None:
    """One block without its closing blank line; None for comments and blocks without data."""
    begin = block.find(DATA_LINE)
    if begin > 0 and block.startswith(EVENT_LINE) and block.count(b"\n") == 1:  # as the backend writes them
        return SseEvent(block[len(EVENT_LINE) : begin].decode("utf-8", "replace"), block[begin + len(DATA_LINE) :])
    name, lines = "", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    if not lines:
        return None
    data = b"\n".join(lines)
    return SseEvent(name or json_type(data), data)


def json_type(data: bytes) -> str:
    """The ``type`` member of a JSON object; empty when there is none or the text is not one."""
    try:
        return _typed.decode(data).type
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def replaced(payload: bytes, event_type: str, block: bytes | None) -> bytes:
    """The payload with the first whole event of this type exchanged for ``block``, and its other ones left out.

    ``block`` is an event without its closing blank line.
    """
    kept: list[bytes] = []
    for own in payload.replace(b"\r\n", b"\n").split(b"\n\n"):
        event = parse_block(own) if event_type.encode() in own else None
        if event is None or event.type != event_type:
            kept.append(own)
        elif block is not None:
            kept.append(block)
            block = None
    return b"\n\n".join(kept)
