"""HTTP/1.1 as a client reads it (RFC 9112): a strict, incremental response head parser and exact body framing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_HEAD_BYTES = 128 * 1024
FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|\Z))*\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\Z")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[^\r\n]*)?\Z")
HEX_DIGITS = b"0123456789abcdefABCDEF"
NOTHING: tuple[bytes, ...] = ()


class ProtocolError(Exception):
    """The peer does not speak HTTP/1.1 as it should; the connection cannot be used further."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status and headers; names are lower-case, in the order they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    keep_alive: bool

    def get(self, name: str) -> str | None:
        """The first header of this (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


class HeadParser:
    """Collects bytes until the head is complete; interim 1xx heads are passed over."""

    __slots__ = ("_buffer", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self.rest = b""

    def feed(self, data: bytes) -> ResponseHead | None:
        """The head once it is whole; ``rest`` then holds the first bytes of the body.  Raises ProtocolError."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
                raise ProtocolError("response head too large")
            if end < 0:
                return None
            head = parse_head(self._buffer[:end])
            self._buffer = self._buffer[end + 4 :]
            if head.status >= 200 or head.status == 101:
                self.rest, self._buffer = self._buffer, b""
                return head


def parse_head(raw: bytes) -> ResponseHead:
    """A head without its blank line.  Raises ProtocolError for anything RFC 9112 does not allow."""
    line, _, fields = raw.partition(b"\r\n")
    if not (match := STATUS_LINE.match(line)):
        raise ProtocolError("malformed status line")
    if not FIELDS.match(fields) or fields.endswith(b"\r\n"):
        raise ProtocolError("malformed header")
    headers = tuple([_header(field) for field in fields.decode("latin-1").split("\r\n")]) if fields else ()
    tokens = {t.strip().lower() for name, value in headers if name == "connection" for t in value.split(",")}
    keep_alive = "close" not in tokens if match[1] == b"1" else "keep-alive" in tokens
    return ResponseHead(int(match[2]), headers, keep_alive)


def _header(field: str) -> tuple[str, str]:
    name, _, value = field.partition(":")
    return name.lower(), value.strip("\t ")


class ChunkedBody:
    """Follows chunked framing.  ``at_boundary`` is true between chunks, ``excess`` counts bytes after the end."""

    __slots__ = ("_left", "_partial", "_trailers", "complete", "excess")

    chunked = True

    def __init__(self) -> None:
        self._left = 0  # bytes of the current chunk still to come, its CRLF included
        self._partial = b""
        self._trailers = False
        self.complete = False
        self.excess = 0

    @property
    def at_boundary(self) -> bool:
        return not self._left and not self._partial and not self._trailers

    def feed(self, data: bytes) -> Sequence[bytes]:
        """The payload pieces in ``data``.  Raises ProtocolError on broken framing."""
        if not self._left and not self._partial:
            end = data.find(b"\r\n")
            if 0 < end < 8 and data[:end].isalnum() and data.endswith(b"\r\n"):
                size = _chunk_size(data[:end])
                if size and end + size + 4 == len(data):
                    return (data[end + 2 : -2],)  # the usual case: exactly one whole chunk
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> Sequence[bytes]:
        pieces: list[bytes] = []
        data, self._partial, position = self._partial + data, b"", 0
        while position < len(data) and not self.complete:
            if self._left:
                position = self._take_payload(data, position, pieces)
                continue
            end = data.find(b"\r\n", position)
            if end < 0 or self._trailers:
                position = self._take_line(data, position, end)
                continue
            line = data[position:end]
            size = (
                int(line, 16)
                if len(line) < 8 and line.translate(None, HEX_DIGITS) == b"" != line
                else _chunk_size(line)
            )
            position = end + 2
            after = position + size
            if size and data[after : after + 2] == b"\r\n":  # the whole chunk is here
                pieces.append(data[position:after])
                position = after + 2
            else:
                self._left, self._trailers = (size + 2, False) if size else (0, True)
        if self.complete:
            self._trailers = False
            self.excess = len(data) - position
        return pieces

    def _take_payload(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        have = min(len(data) - position, self._left)
        payload = max(0, min(have, self._left - 2))
        if payload:
            pieces.append(data[position : position + payload])
        ending = data[position + payload : position + have]
        expected = b"\r\n"[2 - min(self._left, 2) :]  # its first half may have come with the last bytes
        if ending and not expected.startswith(ending):
            raise ProtocolError("a chunk does not end where its size says")
        self._left -= have
        return position + have

    def _take_line(self, data: bytes, position: int, end: int) -> int:
        """An incomplete line is kept for later; in the trailer section an empty line is the end."""
        if end < 0:
            self._partial = data[position:]
            if len(self._partial) > 4096:
                raise ProtocolError("a chunk size or trailer line is too long")
            return len(data)
        self.complete = end == position
        return end + 2


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_left", "complete", "excess")

    chunked = False
    at_boundary = True

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0
        self.excess = 0

    def feed(self, data: bytes) -> Sequence[bytes]:
        take = min(len(data), self._left)
        self._left -= take
        self.complete = self._left == 0
        self.excess = len(data) - take
        return (data[:take],) if take else NOTHING


class CloseBody:
    """A body that ends when the peer closes the connection."""

    __slots__ = ()

    chunked = False
    at_boundary = True
    complete = False
    excess = 0

    def feed(self, data: bytes) -> Sequence[bytes]:
        return (data,)


Body = ChunkedBody | LengthBody | CloseBody


def body_of(head: ResponseHead) -> Body:
    """How the body after this head is framed (RFC 9112, section 6.3).  Raises ProtocolError when it is ambiguous."""
    if head.status in (204, 304):
        return LengthBody(0)
    codings = [value.strip().lower() for name, value in head.headers if name == "transfer-encoding"]
    lengths = {value for name, value in head.headers if name == "content-length"}
    if codings:
        if codings != ["chunked"] or lengths:
            raise ProtocolError("ambiguous body framing")
        return ChunkedBody()
    if not lengths:
        return CloseBody()
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 15:
        raise ProtocolError("ambiguous body length")
    return LengthBody(int(length))


def _chunk_size(line: bytes) -> int:
    try:
        if line.isalnum() and len(line) < 16:
            return int(line, 16)
    except ValueError:
        pass
    if not (match := CHUNK_SIZE.match(line)):
        raise ProtocolError("malformed chunk size")
    return int(match[1], 16)


def request_head(method: str, target: str, headers: Sequence[tuple[str, str]], length: int | None) -> bytes:
    """A request head; ``length`` None for one without a body.  Raises ProtocolError when a value could break out of
    its line, or cannot be written at all."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is not None:
        lines.append(f"content-length: {length}")
    try:
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError:
        raise ProtocolError("a header value cannot be written") from None
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
        raise ProtocolError("a header value contains a line break")
    return head
