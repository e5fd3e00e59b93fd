"""Heads are parsed strictly, bodies end exactly where their framing says, however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.http1 import (
    Body,
    ChunkedBody,
    HeadParser,
    ProtocolError,
    body_of,
    parse_head,
    request_head,
)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({c % (len(data) + 1) for c in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), st.lists(st.integers(0, 9999)))
def test_chunked_payload_survives_any_cut(chunks: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    body, payload = ChunkedBody(), b""
    for piece in cut(wire, cuts):
        assert not body.complete
        payload += b"".join(body.feed(piece))
    assert body.complete
    assert payload == b"".join(chunks)
    assert body.at_boundary


def test_bytes_after_the_end_are_counted_as_excess() -> None:
    body = ChunkedBody()
    body.feed(b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1")
    assert (body.complete, body.excess) == (True, 8)


def test_trailers_are_passed_over() -> None:
    body = ChunkedBody()
    assert b"".join(body.feed(b"3;ext=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n")) == b"abc"
    assert body.complete


@pytest.mark.parametrize("wire", [b"zz\r\n", b"3\r\nabcXY", b"-1\r\nabc\r\n", b"\r\n", b"3\r\nabc\rX", b"f" * 5000])
def test_broken_chunks_are_refused(wire: bytes) -> None:
    body = ChunkedBody()
    with pytest.raises(ProtocolError):
        [body.feed(bytes([byte])) for byte in wire]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.1 99 X",
        b"ICY 200 OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\n folded: x",
        b"HTTP/1.1 200 OK\r\nname : x",
        b"HTTP/1.1 200 OK\r\nname: a\x00b",
        b"HTTP/1.1 200 OK\r\nname: a\nb",
    ],
)
def test_malformed_heads_are_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_head(raw)


@pytest.mark.parametrize(
    "fields",
    [
        b"content-length: 1\r\ncontent-length: 2",
        b"content-length: 1\r\ntransfer-encoding: chunked",
        b"transfer-encoding: gzip, chunked",
        b"content-length: -1",
        b"content-length: 1, 1",
    ],
)
def test_ambiguous_framing_is_refused(fields: bytes) -> None:
    with pytest.raises(ProtocolError):
        body_of(parse_head(b"HTTP/1.1 200 OK\r\n" + fields))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9999), max_size=8))
def test_a_head_may_come_in_pieces_after_an_interim_one(cuts: list[int]) -> None:
    wire = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: 1\r\n\r\nbody"
    parser, head, body, payload = HeadParser(), None, None, b""
    for piece in cut(wire, cuts):
        if head is None:
            head = parser.feed(piece)
            if head is None:
                continue
            body, piece = body_of(head), parser.rest
        payload += b"".join(_feed(body, piece))
    assert head is not None
    assert (head.status, head.get("x-a"), payload) == (200, "1", b"body")


def _feed(body: Body | None, piece: bytes) -> list[bytes]:
    assert body is not None
    return list(body.feed(piece)) if piece else []


def test_an_endless_head_is_refused() -> None:
    parser = HeadParser()
    with pytest.raises(ProtocolError):
        [parser.feed(b"x-y: " + b"a" * 1000 + b"\r\n") for _ in range(200)]


@pytest.mark.parametrize("value", ["a\r\nevil: 1", "a\nevil: 1", "a\0b", "a\rb", "\u6f22"])
def test_a_request_header_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(ProtocolError):
        request_head("POST", "/x", [("x-a", value)], 0)
