"""Events are found whole however the bytes are cut, and memory does not grow with what does not matter."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.sse import TERMINAL_TYPES, EventScanner, SseEvent, parse_block

TEXTS = st.text(alphabet=st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=40)
NAMES = st.sampled_from(["response.created", "response.output_text.delta", "response.completed", "error", ""])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A stream of events, comments and odd lines, with one kind of line end per line."""
    out = []
    for _ in range(draw(st.integers(1, 6))):
        name = draw(NAMES)
        lines = [f"event: {name}"] if name else []
        lines += [f"data: {draw(TEXTS)}" for _ in range(draw(st.integers(0, 3)))]
        if draw(st.booleans()):
            lines.insert(0, ": comment " + draw(TEXTS))
        end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
        out += [line + end for line in lines] + [end]
    return "".join(out).encode()


def reference(stream: bytes) -> list[SseEvent]:
    """The same, the slow and obvious way."""
    text = re.sub(rb"\r\n|\r", b"\n", stream)
    parsed = (parse_block(block) for block in text.split(b"\n\n")[:-1])
    return [event for event in parsed if event]


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({c % (len(stream) + 1) for c in cuts} | {0, len(stream)})
    return [stream[a:b] for a, b in pairwise(places)]


@settings(max_examples=600, deadline=None)
@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    scanner = EventScanner()
    found = [event for piece in cut(stream, cuts) for event in scanner.feed(piece)]
    assert found == reference(stream)


@settings(max_examples=300, deadline=None)
@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
def test_watching_reports_exactly_the_terminal_events(stream: bytes, cuts: list[int]) -> None:
    scanner = EventScanner(only_terminal=True)
    found = [event for piece in cut(stream, cuts) for event in scanner.feed(piece)]
    assert found == [event for event in reference(stream) if event.type in TERMINAL_TYPES]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=20))
def test_no_bytes_make_it_fail(pieces: list[bytes]) -> None:
    scanner = EventScanner()
    for piece in pieces:
        scanner.feed(piece)


def test_an_event_type_inside_a_delta_is_not_taken_for_an_end() -> None:
    scanner = EventScanner(only_terminal=True)
    delta = (
        rb'{"type":"response.output_text.delta","delta":"event: response.completed {\"type\":\"response.completed\"}"}'
    )
    assert not scanner.feed(b"event: response.output_text.delta\ndata: " + delta + b"\n\n")
    assert not scanner.feed(b"data: " + delta + b"\n\n")


def test_events_without_an_event_line_are_known_by_their_json() -> None:
    scanner = EventScanner(only_terminal=True)
    (event,) = scanner.feed(b'data: {"type": "response.completed"}\n\n')
    assert event.type == "response.completed"


def test_a_huge_event_that_does_not_matter_is_not_kept() -> None:
    scanner = EventScanner(only_terminal=True)
    scanner.feed(b'event: response.output_item.done\ndata: {"x":"')
    for _ in range(200):
        scanner.feed(b"A" * 65536)
        assert not scanner.at_boundary
        assert len(scanner._buffer) < 100_000
    assert scanner.feed(b'"}\n\nevent: error\ndata: {}\n\n')[0].type == "error"
    assert scanner.at_boundary


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_a_boundary_is_only_between_events(end: bytes) -> None:
    scanner = EventScanner()
    assert scanner.at_boundary
    scanner.feed(b"data: 1")
    assert not scanner.at_boundary
    scanner.feed(end)
    assert scanner.at_boundary
