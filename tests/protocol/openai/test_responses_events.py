"""A stream of the public Responses API is complete for its clients, whatever the backend left out of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.openai.responses_events import MOST_KEPT, ResponsesStream
from codex_pooler.protocol.sse import EventScanner, SseEvent
from tests.protocol.backend import played

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
SAID = {**MESSAGE, "content": [{"type": "output_text", "text": "hello there", "annotations": []}]}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
SHELL = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt-5.5", "output": []}
DONE: dict[str, Any] = {"type": "response.output_item.done", "output_index": 0, "item": SAID}


def stream() -> ResponsesStream:
    return ResponsesStream("resp_ours", "gpt-x", 7)


def block(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def told(pieces: Sequence[bytes]) -> bytes:
    """What a client hears of a stream that comes in these pieces."""
    scanner, ours = EventScanner(), stream()
    return b"".join(ours.events(scanner.feed(piece)) for piece in pieces)


def heard(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return decoded(told([b"".join(map(block, events))]))


def decoded(raw: bytes) -> list[dict[str, Any]]:
    found = []
    for one in raw.split(b"\n\n")[:-1]:
        name, data = one.split(b"\n", 1)
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        found.append(event)
    return found


def accumulated(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The output as an SDK builds it from the pieces; it fails where a piece has no place to go."""
    assert events[0]["type"] == "response.created"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    output: list[dict[str, Any]] = []
    for event in events:
        match event["type"]:
            case "response.output_item.added":
                assert event["output_index"] == len(output)
                output.append(orjson.loads(orjson.dumps(event["item"])))
            case "response.content_part.added":
                assert event["content_index"] == len(output[event["output_index"]]["content"])
                output[event["output_index"]]["content"].append(dict(event["part"]))
            case "response.output_text.delta":
                output[event["output_index"]]["content"][event["content_index"]]["text"] += event["delta"]
            case "response.output_item.done":
                texts = [part.get("text") for part in event["item"].get("content", [])]
                assert [part.get("text") for part in output[event["output_index"]].get("content", [])] == texts
    return output


def numbered(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


STREAMS = [
    played("Reply with exactly: hello there, dear friend"),
    played("run the shell command: ls"),
    played("say 30 words", empty_completed_output=True),
    b"".join(map(block, [{"type": "response.completed", "response": {**SHELL, "output": [SAID, CALL]}}])),
    block(DONE) + b": comment\n\n" + block({"type": "codex.rate_limits"}) + b"data: [DONE]\n\n",
    block({"type": "error", "code": "server_error", "message": "no"}),
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 20_000), max_size=12), st.booleans())
def test_any_cut_gives_the_client_the_same(whole: bytes, cuts: list[int], carriage_returns: bool) -> None:
    expected = told([whole])
    raw = whole.replace(b"\n", b"\r\n") if carriage_returns else whole
    places = sorted({place % (len(raw) + 1) for place in cuts} | {0, len(raw)})
    assert told([raw[a:b] for a, b in pairwise(places)]) == expected


@pytest.mark.parametrize("whole", STREAMS[:2])
def test_a_whole_stream_passes_byte_for_byte(whole: bytes) -> None:
    assert told([whole]) == whole


@pytest.mark.parametrize("whole", STREAMS[:4])
def test_an_sdk_can_build_the_answer_from_its_pieces(whole: bytes) -> None:
    events = decoded(told([whole]))
    built = accumulated(events)
    ended = events[-1]["response"]["output"]
    assert [item["type"] for item in built] == [item["type"] for item in ended]
    texts = [part["text"] for item in ended for part in item.get("content", ())]
    assert [part["text"] for item in built for part in item.get("content", ())] == texts


def test_what_is_meant_for_codex_is_not_shown() -> None:
    hidden: list[dict[str, Any]] = [
        {"type": "codex.rate_limits"},
        {"type": "keepalive"},
        {"type": "codex.response.metadata", "x": 1},
    ]
    assert heard(*hidden) == []
    assert told([b"data: [DONE]\n\n"]) == b""


def test_a_missing_beginning_is_put_in() -> None:
    events = heard(*numbered(DONE, {"type": "response.completed", "response": {**SHELL, "output": [SAID]}}))
    assert events[0]["response"]["id"] == "resp_ours"
    assert accumulated(events)[0]["content"][0]["text"] == "hello there"


def test_a_beginning_out_of_the_last_event_has_its_names() -> None:
    events = heard({"type": "response.completed", "response": {**SHELL, "output": [SAID, CALL]}})
    assert {event["response"]["id"] for event in events if "response" in event} == {"resp_1"}
    assert [item["type"] for item in accumulated(events)] == ["message", "function_call"]


def test_text_that_came_whole_becomes_a_piece_only_once() -> None:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**MESSAGE, "content": []}}
    part = {"type": "response.content_part.added", **where, "part": {"type": "output_text", "text": ""}}
    piece = {"type": "response.output_text.delta", **where, "delta": "hello there"}
    created = {"type": "response.created", "response": SHELL}
    beginnings: list[list[dict[str, Any]]] = [[], [added], [added, part], [added, part, piece]]
    for begun in beginnings:
        whole: list[dict[str, Any]] = [created, *begun, DONE]
        events = heard(*numbered(*whole))
        assert accumulated(events)[0]["content"][0]["text"] == "hello there"


def test_a_last_event_without_output_gets_what_came_before() -> None:
    events = heard(
        *numbered({"type": "response.created", "response": SHELL}, DONE),
        {"type": "response.completed", "response": SHELL},
    )
    assert events[-1]["response"]["output"] == [SAID]


def test_an_older_name_of_the_end_is_replaced() -> None:
    events = heard({"type": "response.done", "response": {**SHELL, "output": []}})
    assert events[-1]["type"] == "response.completed"


def test_a_failed_response_tells_why_and_nothing_of_the_backend() -> None:
    error = {"code": "invalid_prompt", "message": "no", "internal": "node-7"}
    inside = {**SHELL, "error": error, "headers": {"x": "y"}, "instructions": "secret", "usage": None}
    events = heard(
        *numbered({"type": "response.created", "response": SHELL}), {"type": "response.failed", "response": inside}
    )
    failed = events[-1]
    assert failed["sequence_number"] == 1
    assert failed["response"]["error"] == {"code": "invalid_prompt", "message": "no"}
    assert {"headers", "instructions"}.isdisjoint(failed["response"])
    assert (failed["response"]["status"], failed["response"]["id"]) == ("failed", "resp_1")


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "no", "param": None},
        {"type": "error", "error": {"code": "server_error", "message": "no"}, "headers": {"x": "y"}},
    ],
)
def test_an_error_has_both_forms_that_sdks_read(event: dict[str, Any]) -> None:
    (ended,) = heard(event)
    assert (ended["code"], ended["message"], ended["sequence_number"]) == ("server_error", "no", 0)
    assert ended["error"] == {"code": "server_error", "message": "no", "param": None, "type": "server_error"}
    assert "headers" not in ended


def test_a_failure_of_our_own_goes_on_counting() -> None:
    ours = stream()
    data = orjson.dumps({"type": "response.created", "sequence_number": 0, "response": SHELL})
    ours.events([SseEvent("response.created", data)])
    (ended,) = decoded(
        ours.failed(Failure(429, "usage_limit_reached", "used up", "usage_limit_reached", extra={"resets_at": 9}))
    )
    assert (ended["type"], ended["code"], ended["sequence_number"]) == ("error", "usage_limit_reached", 1)
    assert ended["error"]["resets_at"] == 9


def test_events_that_cannot_be_read_do_no_harm() -> None:
    ours = stream()
    for kind in ("response.output_item.done", "response.failed", "error", "response.foo"):
        assert ours.events([SseEvent(kind, b"{oops")])
    assert b"invalid_upstream_response" in ours.events([SseEvent("response.completed", b"{oops")])


def test_a_long_stream_leaves_nothing_behind() -> None:
    """Pieces are forgotten at once, finished items up to a bound."""
    ours = stream()
    delta = {"type": "response.output_text.delta", "delta": "x" * 50, "output_index": 0, "content_index": 0}
    pieces = [SseEvent("response.output_text.delta", orjson.dumps({**delta, "sequence_number": n})) for n in range(500)]
    ours.events(pieces)
    before = _held(ours)
    for _ in range(20):
        ours.events(pieces)
    assert _held(ours) < before + 100
    large = orjson.dumps({**DONE, "item": {**SAID, "content": [{"type": "output_text", "text": "y" * 100_000}]}})
    for _ in range(30):
        ours.events([SseEvent("response.output_item.done", large)])
    assert _held(ours) < MOST_KEPT + 300_000


def _held(ours: ResponsesStream) -> int:
    """Bytes that the translation refers to."""
    values = [getattr(ours, name) for name in ours.__slots__]
    return sum(sys.getsizeof(v) + (sum(map(sys.getsizeof, v)) if isinstance(v, list) else 0) for v in values)
