"""Websocket frames cut anywhere, and every way in which a peer can break the protocol."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol import websocket as ws
from codex_pooler.protocol.websocket import FrameError, Message, MessageReader, frame, mask_in_place, masked_frame
from codex_pooler.upstream.masking import mask

payloads = st.binary(max_size=300)


def read(reader: MessageReader, data: bytes, step: int) -> list[Message]:
    return [m for start in range(0, len(data), step) for m in reader.feed(data[start : start + step])]


@given(st.lists(payloads, max_size=6), st.integers(1, 700), st.booleans())
def test_messages_come_out_as_they_went_in_however_they_are_cut(said: list[bytes], step: int, masked: bool) -> None:
    frames = [masked_frame(p, os.urandom(4)) if masked else frame(p) for p in said]
    found = read(MessageReader(masked=masked, mask=mask), b"".join(frames), step)
    assert [m.payload for m in found] == said
    assert [m.wire for m in found] == frames


@given(st.binary(max_size=5000), st.binary(min_size=4, max_size=4))
def test_native_masking_and_our_own_agree(data: bytes, key: bytes) -> None:
    ours, native = bytearray(data), bytearray(data)
    mask_in_place(key, ours)
    mask(key, native)
    assert ours == native


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_every_form_of_length_is_read(size: int) -> None:
    (message,) = read(MessageReader(masked=False), frame(b"x" * size), 8192)
    assert len(message.payload) == size


@given(st.lists(payloads, min_size=2, max_size=5), st.integers(1, 50))
def test_fragments_make_one_message_and_pings_may_stand_between_them(parts: list[bytes], step: int) -> None:
    wire = b""
    for number, part in enumerate(parts):
        first = ws.TEXT if number == 0 else ws.CONTINUATION
        last = ws.FIN if number == len(parts) - 1 else 0
        ping = b"" if last else frame(b"p", ws.PING)
        wire += bytes((first | last,)) + ws.frame_head(0, len(part))[1:] + part + ping
    found = read(MessageReader(masked=False), wire, step)
    assert [m.payload for m in found if m.opcode == ws.PING] == [b"p"] * (len(parts) - 1)
    assert found[-1] == Message(ws.TEXT, b"".join(parts), None)


BROKEN = {
    "a client's frame without a mask": (True, frame(b"x"), ws.PROTOCOL_ERROR),
    "a server's frame with one": (False, masked_frame(b"x", b"abcd"), ws.PROTOCOL_ERROR),
    "a reserved bit": (False, bytes((0xC1, 1)) + b"x", ws.PROTOCOL_ERROR),
    "an unknown opcode": (False, bytes((0x83, 0)), ws.PROTOCOL_ERROR),
    "an unknown control opcode": (False, bytes((0x8B, 0)), ws.PROTOCOL_ERROR),
    "a fragmented control frame": (False, bytes((0x09, 0)), ws.PROTOCOL_ERROR),
    "a long control frame": (False, bytes((0x89, 126)) + (126).to_bytes(2, "big"), ws.PROTOCOL_ERROR),
    "a continuation of nothing": (False, bytes((0x80, 0)), ws.PROTOCOL_ERROR),
    "a new message inside another": (False, bytes((0x01, 0, 0x81, 0)), ws.PROTOCOL_ERROR),
    "a length of 4 GiB": (True, bytes((0x81, 0xFF)) + (1 << 32).to_bytes(8, "big"), ws.TOO_BIG),
    "a length of 2^63": (True, bytes((0x81, 0xFF)) + (1 << 63).to_bytes(8, "big"), ws.TOO_BIG),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(name: str) -> None:
    masked, wire, code = BROKEN[name]
    with pytest.raises(FrameError) as refused:
        MessageReader(masked=masked).feed(wire)
    assert refused.value.code == code


def test_endless_fragments_are_refused_by_size_and_by_number() -> None:
    by_size = MessageReader(masked=False, limit=1000)
    by_size.feed(bytes((0x01, 100)) + bytes(100))
    with pytest.raises(FrameError) as refused:
        by_size.feed((bytes((0x00, 100)) + bytes(100)) * 20)
    assert refused.value.code == ws.TOO_BIG
    by_number = MessageReader(masked=False)
    by_number.feed(bytes((0x01, 0)))
    with pytest.raises(FrameError) as refused:
        by_number.feed(bytes((0x00, 0)) * (ws.MAX_FRAGMENTS + 1))
    assert refused.value.code == ws.POLICY


@given(st.binary(max_size=400), st.integers(1, 40), st.booleans())
def test_any_bytes_at_all_give_messages_or_a_frame_error(data: bytes, step: int, masked: bool) -> None:
    with suppress(FrameError):
        read(MessageReader(masked=masked, limit=10_000), data, step)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
def test_close_codes_that_may_not_be_on_the_wire_are_refused(code: int) -> None:
    with pytest.raises(FrameError):
        ws.read_close(code.to_bytes(2, "big"))


def test_close_frames_are_read() -> None:
    assert ws.read_close(ws.close_payload(1001, "bye")) == 1001
    assert ws.read_close(b"") == 1005
    with pytest.raises(FrameError):
        ws.read_close(b"\x03")


def test_the_accept_key_of_the_standards_own_example() -> None:
    assert ws.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
