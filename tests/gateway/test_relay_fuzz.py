"""Whatever a backend's stream looks like and however it is cut, the client gets its bytes, or learns that they are not
all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codex_pooler.gateway.relay import Relay
from codex_pooler.protocol.errors import failed_event
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead, body_of
from codex_pooler.protocol.sse import TERMINAL_TYPES
from codex_pooler.upstream.connection import UpstreamConnection
from codex_pooler.upstream.routes import route_to

EXAMPLES = 5000 if "SOAK_TURNS" in os.environ else 200
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
# what a line may hold, with everything that could confuse a reader; but for what ends an answer indeed
ODD = (
    st.binary(max_size=30)
    .map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
    .filter(lambda raw: not any(name.encode() in raw for name in TERMINAL_TYPES))
)
HANDSHAKE = ("response.created", "response.in_progress", "codex.something")


class Client:
    """A sink that keeps what a client's connection would carry."""

    begun = gone = congested = aborted = ended = False
    takes_raw = True
    bytes_sent = 0

    def __init__(self) -> None:
        self.wire = b""

    def show(self, headers: Any) -> None: ...

    def begin(self, head: Any) -> None:
        self.begun = True

    def payload(self, data: bytes, *, last: bool = False) -> None:
        self.wire += b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if last:
            self._end()

    def raw(self, data: bytes) -> None:
        self.wire += data

    def keepalive(self) -> None: ...

    def finish(self, *, terminated: bool = False) -> None:
        if terminated:
            self.ended = True
        elif not self.ended:
            self._end()

    def fail(self, failure: Failure, response_id: str | None) -> None:
        self.payload(failed_event(failure.code, failure.message, response_id))
        self._end()

    def abort(self) -> None:
        self.aborted = True

    async def drained(self) -> None: ...

    def _end(self) -> None:
        assert not self.ended, "an answer ends once"
        self.ended = True
        self.wire += LAST_CHUNK

    def received(self) -> tuple[bytes, bool]:
        """The payload that arrived, and whether the response looks complete."""
        body = body_of(ResponseHead(200, (("transfer-encoding", "chunked"),), True))
        pieces = body.feed(self.wire) if self.wire else ()
        assert not body.complete or body.excess == 0, "nothing follows the end"
        return b"".join(pieces), body.complete


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """One block without meaning: comments, odd fields, several data lines, any line end, any bytes."""
    end = draw(LINE_ENDS)
    fields = st.sampled_from([b"data: ", b"data:", b": ", b"id: ", b"retry: ", b"data", b""])
    lines = [draw(fields) + draw(ODD) for _ in range(draw(st.integers(1, 4)))]
    return end.join(line for line in lines if line) + end + end


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A whole answer: a handshake, output among all sorts of things, and an end."""
    out = [draw(st.sampled_from([b"", b"\xef\xbb\xbf: hello\n\n", b"\n", b"\r\n\r\n"]))]
    out += [_event(name, draw(LINE_ENDS)) for name in draw(st.lists(st.sampled_from(HANDSHAKE), max_size=4))]
    out.append(_event("response.output_text.delta", draw(LINE_ENDS), delta="hello"))
    out += draw(st.lists(events(), max_size=8))
    out.append(_event("response.completed", draw(LINE_ENDS), response={"id": "resp_1", "usage": USAGE}))
    return b"".join(out)


def _event(name: str, end: bytes, **members: Any) -> bytes:
    return b"event: " + name.encode() + end + b"data: " + orjson.dumps({"type": name, **members}) + end + end


def cut(raw: bytes, places: Sequence[int]) -> list[bytes]:
    at = sorted({place % (len(raw) + 1) for place in places} | {0, len(raw)})
    return [raw[a:b] for a, b in pairwise(at)]


def chunked(payload: bytes, places: Sequence[int]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(payload, places) if piece)


PLACES = st.lists(st.integers(0, 1 << 20), max_size=30)


@contextmanager
def relayed(reads: Sequence[bytes], *, lost: bool = False) -> Iterator[tuple[Relay, Client]]:
    """The relay once the backend has sent these pieces, and hung up after them if ``lost``."""
    loop, client = asyncio.new_event_loop(), Client()
    try:
        relay = Relay(client, loop)
        connection = UpstreamConnection(lambda _: None, route_to("http://127.0.0.1"))
        connection.connection_made(_Transport())
        connection.send(b"", b"", relay)
        relay.connection = connection
        for piece in reads:
            if connection.usable:
                connection.data_received(piece)
        if lost:
            connection.connection_lost(None)
        yield relay, client
    finally:
        loop.close()


class _Transport(asyncio.Transport):
    closing = False

    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


@settings(max_examples=EXAMPLES, deadline=None)
@given(streams(), PLACES, PLACES)
@example(_event("response.output_text.delta", b"\n", delta="x" * (16 << 20)) + _event("response.done", b"\n"), [], [])
def test_b1_a_whole_answer_arrives_byte_for_byte(stream: bytes, chunks: list[int], reads: list[int]) -> None:
    wire = chunked(stream, chunks) + LAST_CHUNK
    with relayed([HEAD, *cut(wire, reads)]) as (relay, client):
        assert relay.ending.result().kind == "completed"
        assert client.received() == (stream, True)
        assert not client.aborted


@pytest.mark.parametrize("size", [1, 2, 3])
def test_b1_the_smallest_pieces_change_nothing(size: int) -> None:
    stream = b"".join(
        _event(name, end, response={"id": "resp_1", "usage": USAGE}, delta="é")
        for name, end in [*((n, e) for n in HANDSHAKE for e in (b"\r", b"\n")), ("x.delta", b"\r\n")]
    )
    stream += _event("response.completed", b"\r\n", response={"usage": USAGE})
    wire = HEAD + chunked(stream, range(0, len(stream), size)) + LAST_CHUNK
    with relayed([wire[at : at + size] for at in range(0, len(wire), size)]) as (relay, client):
        ending = relay.ending.result()
        assert ending.terminal
        assert (ending.kind, ending.terminal.usage is not None) == ("completed", True)
        assert client.received() == (stream, True)


@settings(max_examples=EXAMPLES, deadline=None)
@given(streams(), PLACES, PLACES, st.integers(0, 1 << 20), st.booleans())
def test_b1_an_answer_that_breaks_off_never_looks_complete(
    stream: bytes, chunks: list[int], reads: list[int], length: int, clean: bool
) -> None:
    """``clean``: the backend ends its response as if that were all; else the connection is gone."""
    stream = stream[: stream.rindex(b"event: response.completed")]
    kept = stream[: length % (len(stream) + 1)]
    wire = chunked(kept, chunks) + (LAST_CHUNK if clean else b"")
    with relayed([HEAD, *cut(wire, reads)], lost=not clean) as (relay, client):
        ending = relay.ending.result()
        assert ending.kind in ("truncated", "lost")
        received, complete = client.received()
        assert bool(received) <= ending.committed
        shown, broken, _ = received.partition(b"event: response.failed\n")
        assert kept.startswith(shown)
        assert complete or not broken
        assert broken or client.aborted or not complete, "what ends in order says that it failed"
        assert not ending.committed or broken or client.aborted


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.booleans())
def test_b1_any_bytes_at_all_end_the_attempt_and_nothing_else(pieces: list[bytes], headed: bool) -> None:
    with relayed([HEAD, *pieces] if headed else pieces, lost=True) as (relay, client):
        assert relay.ending.done()
        client.received()
