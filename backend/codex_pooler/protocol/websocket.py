"""Websocket frames as bytes (RFC 6455): whole messages out of a stream that is cut anywhere, and frames to send.

No extension is ever negotiated here, so a reserved bit is an error.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable
from typing import NamedTuple

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CONTROL_BYTES = 125
MAX_FRAGMENTS = 4096
FIN, MASKED, RESERVED = 0x80, 0x80, 0x70
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, BAD_TEXT, POLICY, TOO_BIG, INTERNAL = 1001, 1002, 1003, 1007, 1008, 1009, 1011

Mask = Callable[[bytes, bytearray], None]  # (4-byte key, data): XORs the data in place
_XOR = [bytes(a ^ b for a in range(256)) for b in range(256)]


class FrameError(Exception):
    """The peer broke the protocol; ``code`` is the close code to answer with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Message(NamedTuple):
    """One whole message.  ``wire`` is the frame it came in, None when it came in several; payload is unmasked."""

    opcode: int
    payload: bytes
    wire: bytes | None


def mask_in_place(key: bytes, data: bytearray) -> None:
    """The masking of RFC 6455 5.3 without any native code."""
    for position in range(4):
        data[position::4] = data[position::4].translate(_XOR[key[position]])


def accept_key(key: str) -> str:
    """What a server answers to ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


def frame_head(opcode: int, size: int, mask_bit: int = 0) -> bytes:
    """The bytes before the payload of a final frame, without the mask's key."""
    if size < 126:
        return bytes((FIN | opcode, mask_bit | size))
    if size < 65536:
        return struct.pack("!BBH", FIN | opcode, mask_bit | 126, size)
    return struct.pack("!BBQ", FIN | opcode, mask_bit | 127, size)


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One unmasked frame, as servers send them."""
    return frame_head(opcode, len(payload)) + payload


def masked_frame(payload: bytes, key: bytes, opcode: int = TEXT, mask: Mask = mask_in_place) -> bytes:
    """One masked frame, as clients send them; ``key`` must be unpredictable."""
    data = bytearray(payload)
    mask(key, data)
    return frame_head(opcode, len(data), MASKED) + key + data


def close_payload(code: int, reason: str = "") -> bytes:
    return struct.pack("!H", code) + reason.encode()[: MAX_CONTROL_BYTES - 2]


def read_close(payload: bytes) -> int:
    """The code of a close frame; 1005 when it has none.  Raises FrameError for codes that may not be on the wire."""
    if not payload:
        return 1005
    code = int.from_bytes(payload[:2], "big")
    reserved = code in (1004, 1005, 1006, 1015) or not (1000 <= code < 5000) or 1016 <= code < 3000
    if len(payload) == 1 or reserved:
        raise FrameError(PROTOCOL_ERROR, "a close frame has a code that does not exist")
    return code


class MessageReader:
    """Feed it bytes, get the messages they completed.

    ``masked`` says which side is read: clients must mask their frames, servers must not.
    """

    __slots__ = ("_buffer", "_fragments", "_limit", "_mask", "_masked", "_needed", "_opcode", "_size")

    def __init__(self, *, masked: bool, mask: Mask = mask_in_place, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._masked, self._mask, self._limit = masked, mask, limit
        self._buffer = bytearray()
        self._needed = 0  # bytes the buffer must have before it is worth looking at
        self._fragments: list[bytes] = []
        self._size = self._opcode = 0

    @property
    def in_message(self) -> bool:
        """True while a message has begun and not ended."""
        return bool(self._buffer or self._fragments)

    def feed(self, data: bytes) -> list[Message]:
        """Raises FrameError; the connection is of no further use then."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        messages: list[Message] = []
        position, size = 0, len(data)
        while position < size:
            end = self._frame(data, position, size, messages)
            if not end:
                self._buffer += data[position:] if position else data
                return messages
            position = end
        return messages

    def _frame(self, data: bytes, position: int, size: int, messages: list[Message]) -> int:
        """Take one frame; returns where it ends, or 0 when it is not all there (``_needed`` then says how much is)."""
        self._needed = 2
        if size - position < 2:
            return 0
        first, second = data[position], data[position + 1]
        length, body = second & 0x7F, position + 2
        if length > 125:
            width = 2 if length == 126 else 8
            body += width
            if size < body:
                self._needed = 2 + width
                return 0
            length = int.from_bytes(data[body - width : body], "big")
        self._check(first, second, length)
        if self._masked:
            body += 4
        end = body + length
        if size < end:
            self._needed = end - position
            return 0
        self._take(first, data, position, body, end, messages)
        return end

    def _check(self, first: int, second: int, length: int) -> None:
        opcode = first & 0x0F
        if first & RESERVED:
            raise FrameError(PROTOCOL_ERROR, "a reserved bit is set, but no extension was agreed on")
        if bool(second & MASKED) is not self._masked:
            raise FrameError(PROTOCOL_ERROR, "client frames must be masked" if self._masked else "a frame is masked")
        if opcode >= CLOSE:
            if length > MAX_CONTROL_BYTES or not first & FIN or opcode > PONG:
                raise FrameError(PROTOCOL_ERROR, "a control frame is malformed")
        elif opcode > BINARY or (opcode == CONTINUATION) is not bool(self._fragments):
            raise FrameError(PROTOCOL_ERROR, "a message is fragmented in the wrong order")
        elif self._size + length > self._limit:
            raise FrameError(TOO_BIG, f"a message may have at most {self._limit // (1024 * 1024)} MiB")

    def _take(self, first: int, data: bytes, start: int, body: int, end: int, messages: list[Message]) -> None:
        payload = self._unmasked(data, body, end) if self._masked else data[body:end]
        opcode = first & 0x0F
        if opcode >= CLOSE or (first & FIN and not self._fragments):
            whole = start == 0 and end == len(data)
            messages.append(Message(opcode, payload, data if whole else data[start:end]))
            return
        self._opcode = self._opcode if self._fragments else opcode
        self._fragments.append(payload)
        self._size += len(payload)
        if len(self._fragments) > MAX_FRAGMENTS:
            raise FrameError(POLICY, "a message has too many fragments")
        if first & FIN:
            messages.append(Message(self._opcode, b"".join(self._fragments), None))
            self._fragments, self._size = [], 0

    def _unmasked(self, data: bytes, body: int, end: int) -> bytes:
        payload = bytearray(data[body:end])
        self._mask(data[body - 4 : body], payload)
        return bytes(payload)
