"""Undoes the content encodings of HTTP bodies piece by piece, within limits that no compression bomb gets past."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_RATIO = 200  # decoded bytes per byte on the wire
RATIO_FLOOR = 1024 * 1024  # up to here any ratio passes: a small body full of blanks is no bomb
MOST_MEMBERS = 1000  # of one body: gzip and zstd may be several complete streams in a row
ZSTD_WINDOW_LOG = 26  # a frame may ask for at most 64 MiB of history

FEED_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024


class Undecodable(Exception):
    """The bytes are not what the encoding promised: damaged, cut off, or followed by something else."""


class Inflated(Exception):
    """The body becomes too large.  ``reason``: ``size`` (more than the limit) or ``ratio``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stream(Protocol):
    """One compressed stream.  ``rest`` is what was fed beyond its end; ``hungry`` when it needs input to go on."""

    hungry: bool
    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """About PIECE_BYTES of output at most; ``data`` is empty unless the stream is hungry."""
        ...


class _Zlib:
    """gzip, zlib, or bare deflate, by ``wbits`` as zlib defines them."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self.hungry, self.done, self.rest = True, False, b""

    def feed(self, data: bytes) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail or data, PIECE_BYTES)
        # a full piece may leave output behind inside zlib even when all input is taken
        self.hungry = not self._inner.unconsumed_tail and len(out) < PIECE_BYTES
        self.done, self.rest = self._inner.eof, self._inner.unused_data
        return out


class _Zstd:
    def __init__(self) -> None:
        options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}
        self._inner = zstd.ZstdDecompressor(options=options)
        self.hungry, self.done, self.rest = True, False, b""

    def feed(self, data: bytes) -> bytes:
        out = self._inner.decompress(data, PIECE_BYTES)
        self.done = self._inner.eof
        self.hungry = self._inner.needs_input
        self.rest = self._inner.unused_data if self.done else b""
        return out


class _Brotli:
    rest = b""  # the library refuses bytes after the end by itself

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self.hungry, self.done = True, False

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._inner.process(data, output_buffer_limit=PIECE_BYTES)
        self.done = self._inner.is_finished()
        self.hungry = not out and self._inner.can_accept_more_data()  # it says so with output left inside, too
        return out


def _deflate(raw: bytes) -> Stream:
    """Clients send both forms under this name; the method in the first byte tells zlib's from the bare one."""
    return _Zlib(15 if raw and raw[0] & 0x0F == 8 else -15)


# name -> how a stream of it begins, and whether several may follow each other
ENCODINGS: dict[str, tuple[Callable[[bytes], Stream], bool]] = {
    "gzip": (lambda raw: _Zlib(31), True),
    "deflate": (_deflate, False),
    "br": (lambda raw: _Brotli(), False),
    "zstd": (lambda raw: _Zstd(), True),
}
_DAMAGED = (zlib.error, brotli.error, zstd.ZstdError)


def unpack(encoding: str, raw: bytes, limit: int, ratio: int = MAX_RATIO) -> Iterator[bytes]:
    """The decoded body in pieces, some of them empty; every step takes a bounded time.

    ``limit`` is in decoded bytes.  Raises Undecodable, or Inflated with the first piece that is too much.
    """
    begin, _ = ENCODINGS[encoding]
    most, size = min(limit, max(RATIO_FLOOR, ratio * len(raw))), 0
    streams, at, stream = 1, 0, begin(raw)
    while True:
        fed = raw[at : at + FEED_BYTES] if stream.hungry else b""
        if stream.hungry and not fed:
            raise Undecodable("cut off")
        at += len(fed)
        piece = _fed(stream, fed)
        size += len(piece)
        if size > most:
            raise Inflated("size" if size > limit else "ratio")
        yield piece
        if not stream.done:
            continue
        at -= len(stream.rest)
        if at == len(raw):
            return
        stream, streams = _next(encoding, raw, streams)


def _fed(stream: Stream, data: bytes) -> bytes:
    try:
        return stream.feed(data)
    except _DAMAGED:
        raise Undecodable("damaged") from None


def _next(encoding: str, raw: bytes, streams: int) -> tuple[Stream, int]:
    begin, repeats = ENCODINGS[encoding]
    if not repeats or streams >= MOST_MEMBERS:
        raise Undecodable("followed by something else")
    return begin(raw), streams + 1
