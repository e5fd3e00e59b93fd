"""Content encodings: every form a client may send comes out whole, and nothing that pretends to be one does."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from codex_pooler.protocol.encodings import MOST_MEMBERS, PIECE_BYTES, Inflated, Undecodable, unpack

MIB = 1024 * 1024
PLAIN = b'{"model":"gpt-5.5","input":[]}' * 1000


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "br": ("br", lambda data: brotli.compress(data, quality=3)),
    "zstd": ("zstd", zstd.compress),
}
EACH = pytest.mark.parametrize("name", list(PACKERS))


def unpacked(encoding: str, raw: bytes, limit: int = 64 * MIB) -> bytes:
    return b"".join(unpack(encoding, raw, limit))


@EACH
@pytest.mark.parametrize("size", [0, 1, 1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * MIB])
def test_what_was_packed_comes_out(name: str, size: int) -> None:
    encoding, pack = PACKERS[name]
    for data in (PLAIN * (size // len(PLAIN)) + PLAIN[: size % len(PLAIN)], os.urandom(size)):
        if len(pack(data)) * 200 >= size or size <= MIB:
            assert unpacked(encoding, pack(data)) == data


@EACH
def test_a_body_that_was_cut_anywhere_is_refused(name: str) -> None:
    encoding, pack = PACKERS[name]
    packed = pack(os.urandom(50) + PLAIN)
    for length in range(len(packed)):
        with pytest.raises(Undecodable):
            unpacked(encoding, packed[:length])


@EACH
def test_bytes_after_the_end_are_refused(name: str) -> None:
    encoding, pack = PACKERS[name]
    for rest in (b"\0", b"x", b"garbage" * 100_000):
        with pytest.raises(Undecodable):
            unpacked(encoding, pack(PLAIN) + rest)


@EACH
def test_damage_never_passes_unseen_as_something_worse(name: str) -> None:
    encoding, pack = PACKERS[name]
    packed = pack(PLAIN)
    for at in range(len(packed)):
        damaged = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        try:
            unpacked(encoding, damaged)
        except (Undecodable, Inflated):
            continue


@EACH
def test_a_bomb_is_noticed_by_its_ratio_long_before_its_size(name: str) -> None:
    encoding, pack = PACKERS[name]
    pieces: list[bytes] = []
    with pytest.raises(Inflated) as caught:
        pieces.extend(unpack(encoding, pack(bytes(40 * MIB)), 64 * MIB))
    assert caught.value.reason == "ratio"
    assert sum(map(len, pieces)) < 10 * MIB


@EACH
def test_the_size_is_limited_whatever_the_ratio(name: str) -> None:
    encoding, pack = PACKERS[name]
    with pytest.raises(Inflated) as caught:
        unpacked(encoding, pack(os.urandom(2 * MIB)), MIB)
    assert caught.value.reason == "size"


def test_a_small_body_of_blanks_is_no_bomb() -> None:
    assert unpacked("gzip", gzip.compress(b" " * MIB)) == b" " * MIB


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_several_streams_in_a_row_are_one_body_up_to_a_number(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert unpacked(encoding, pack(b"one ") + pack(b"two")) == b"one two"
    with pytest.raises(Undecodable):
        unpacked(encoding, pack(b"") * (MOST_MEMBERS * 100))


def test_a_zstd_frame_that_wants_too_much_history_is_refused() -> None:
    greedy = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 27})
    packed = greedy.compress(os.urandom(100)) + greedy.flush()
    with pytest.raises(Undecodable):
        unpacked("zstd", packed)
