"""A turn's events become Anthropic's: in order, complete, the same however the stream is cut, and never a false end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.anthropic.events import HANDLERS, PING, MessageEvents
from codex_pooler.protocol.anthropic.message import shape_for
from codex_pooler.protocol.anthropic.request import Voice
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.sse import EventScanner, SseEvent
from tests.protocol.anthropic.sdk import Event, accumulated, decoded
from tests.protocol.backend import played

QUIET = Voice("claude-x", names={"short": "a name that is longer"})
THINKING = Voice("claude-x", thinks=True, names=QUIET.names)
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
COUNTED = {
    "input_tokens": 40,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 60,
    "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 5},
}
NOTE = {"type": "url_citation", "url": "https://example.com", "title": "Example", "start_index": 0, "end_index": 1}


def text_item(*texts: str, refusal: bool = False, notes: Sequence[Any] = ()) -> Event:
    kind = "refusal" if refusal else "output_text"
    parts = [{"type": kind, kind.removeprefix("output_"): text, "annotations": list(notes)} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": parts}


def call_item(name: str = "ls", arguments: str = '{"a":1}') -> Event:
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": arguments}


def thought_item(*summaries: str, sealed: str | None = "gAAA") -> Event:
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": sealed}


def search_item(kind: str = "search") -> Event:
    sources = [{"type": "url", "url": "https://example.com"}]
    return {"type": "web_search_call", "id": "ws_1", "action": {"type": kind, "query": "x", "sources": sources}}


def pieces(item: Event, number: int) -> list[Event]:
    """The events of an item that is told piece by piece."""
    place = {"output_index": number}
    inner: list[Event] = []
    for part, content in enumerate(item.get("content", [])):
        where = {**place, "content_index": part}
        kind = "response.output_text.delta" if "text" in content else "response.refusal.delta"
        text = content.get("text", content.get("refusal"))
        inner.append({"type": "response.content_part.added", **where, "part": {"type": content["type"]}})
        inner += [{"type": kind, **where, "delta": text[at : at + 3]} for at in range(0, len(text), 3)]
        inner.append({"type": "response.content_part.done", **where, "part": content})
    for part, summary in enumerate(item.get("summary", [])):
        text, where = summary["text"], {**place, "summary_index": part}
        inner.append({"type": "response.reasoning_summary_part.added", **where})
        kind = "response.reasoning_summary_text.delta"
        inner += [{"type": kind, **where, "delta": text[at : at + 3]} for at in range(0, len(text), 3)]
    if arguments := item.get("arguments"):
        kind = "response.function_call_arguments.delta"
        inner += [{"type": kind, **place, "delta": arguments[at : at + 3]} for at in range(0, len(arguments), 3)]
    added = {"type": "response.output_item.added", **place, "item": {**item, "content": [], "arguments": ""}}
    return [added, *inner, {"type": "response.output_item.done", **place, "item": item}]


def turn(*items: Event, end: str = "completed", told: str = "pieces", **more: Any) -> list[Event]:
    """A turn with these items, each told in pieces, whole, or only in the last event."""
    response = {"id": "resp_1", "status": end, "usage": USAGE, "output": list(items) if told == "last" else [], **more}
    inner: list[Event] = []
    for number, item in enumerate(items):
        inner += pieces(item, number) if told == "pieces" else []
        inner += (
            [{"type": "response.output_item.done", "output_index": number, "item": item}] if told == "whole" else []
        )
    created = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
    return [created, *inner, {"type": f"response.{end}", "response": response}]


def wire(events: Sequence[Event]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def heard(raw: bytes, voice: Voice = THINKING, cuts: Sequence[int] = ()) -> bytes:
    """What a client hears of a stream that is cut at these places."""
    scanner, ours = EventScanner(), MessageEvents(voice)
    places = sorted({place % (len(raw) + 1) for place in cuts} | {0, len(raw)})
    return b"".join(ours.events(scanner.feed(raw[a:b])) for a, b in pairwise(places))


def answer(events: Sequence[Event], voice: Voice = THINKING) -> Event:
    return accumulated(decoded(heard(wire(events), voice)))


def shaped(items: Sequence[Event], voice: Voice = THINKING, **more: Any) -> Event:
    """The same as one object."""
    response = {"id": "resp_1", "status": "completed", "usage": USAGE, "output": list(items), **more}
    message: Event = orjson.loads(shape_for(voice)(response))
    return message


ITEMS = [
    text_item("hello there"),
    text_item("two", "parts", notes=[NOTE, {"type": "file_citation"}]),
    text_item("no", refusal=True),
    text_item(""),
    text_item(),
    call_item(),
    call_item("short", '{"text":"\\"quoted\\"\\n"}'),
    call_item(arguments="{}"),
    thought_item("first", "second"),
    thought_item(),
    thought_item(sealed=None),
    thought_item("unsealed", sealed=None),
    search_item(),
    search_item("open_page"),
    {"type": "something_new", "id": "x"},
]
STREAMS = [
    played("Reply with exactly: hello there, dear friend", tool="Bash"),
    played("run the shell command: ls", tool="Bash"),
    played("say 30 words", tool="Bash", empty_completed_output=True),
    wire(turn(*ITEMS)),
    wire(turn(*ITEMS, told="last")),
    wire([{"type": "error", "code": "server_error", "message": "no"}]),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 20_000), max_size=12), st.booleans())
def test_any_cut_gives_the_client_the_same(whole: bytes, cuts: list[int], carriage_returns: bool) -> None:
    raw = whole.replace(b"\n", b"\r\n") if carriage_returns else whole
    assert heard(raw, cuts=cuts) == heard(whole)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(ITEMS), max_size=5), st.sampled_from(["pieces", "whole", "last"]), st.booleans())
def test_the_stream_adds_up_to_the_one_object(items: list[Event], told: str, thinks: bool) -> None:
    voice = THINKING if thinks else QUIET
    assert answer(turn(*items, told=told), voice) == shaped(items, voice)


@pytest.mark.parametrize("whole", STREAMS[:3])
def test_the_simulated_backends_turns_add_up(whole: bytes) -> None:
    message = accumulated(decoded(heard(whole)))
    assert message["content"][-1]["type"] in ("text", "tool_use")
    assert message["stop_reason"] == ("tool_use" if message["content"][-1]["type"] == "tool_use" else "end_turn")


def test_a_message_says_who_it_is() -> None:
    message = answer(turn(text_item("hi")))
    assert (message["id"], message["model"], message["role"]) == ("msg_1", "claude-x", "assistant")
    assert message["usage"] == COUNTED
    assert message["content"] == [{"type": "text", "text": "hi"}]


def test_every_block_has_its_place() -> None:
    events = decoded(heard(wire(turn(thought_item("so"), text_item("hi"), call_item(), call_item("short")))))
    starts = [
        (event["index"], event["content_block"]["type"]) for event in events if event["type"] == "content_block_start"
    ]
    assert starts == [(0, "thinking"), (1, "text"), (2, "tool_use"), (3, "tool_use")]
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]


def test_the_calls_of_tools_bear_the_clients_names() -> None:
    (block,) = answer(turn(call_item("short")))["content"]
    assert block == {"type": "tool_use", "id": "call_1", "name": "a name that is longer", "input": {"a": 1}}


def test_reasoning_comes_sealed_and_only_to_those_who_asked() -> None:
    items = thought_item("first", "second"), thought_item()
    thinking, redacted = answer(turn(*items))["content"]
    assert thinking == {"type": "thinking", "thinking": "first\n\nsecond", "signature": "cxp1.gAAA"}
    assert redacted == {"type": "redacted_thinking", "data": "cxp1.gAAA"}
    assert answer(turn(*items), QUIET)["content"] == []


def test_a_search_shows_what_was_looked_for_and_found() -> None:
    message = answer(turn(search_item(), text_item("found", notes=[NOTE])))
    use, found, text = message["content"]
    assert (use["type"], use["input"]) == ("server_tool_use", {"query": "x"})
    assert (found["tool_use_id"], found["content"][0]["url"]) == (use["id"], "https://example.com")
    assert text["citations"][0]["url"] == "https://example.com"
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1}


@pytest.mark.parametrize(
    ("items", "more", "reason"),
    [
        ([text_item("a")], {}, "end_turn"),
        ([call_item()], {}, "tool_use"),
        ([call_item(), text_item("a")], {}, "tool_use"),
        ([text_item("no", refusal=True)], {}, "refusal"),
        ([text_item("a")], {"end": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_tokens"),
        ([text_item("a")], {"end": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "refusal"),
        ([text_item("a")], {"end": "incomplete", "incomplete_details": {"reason": "odd"}}, "max_tokens"),
        ([text_item("a")], {"end": "incomplete"}, "max_tokens"),
        ([text_item("a")], {"end": "done"}, "end_turn"),
    ],
)
def test_why_the_model_stopped(items: list[Event], more: Any, reason: str) -> None:
    assert answer(turn(*items, **more))["stop_reason"] == reason
    details = {"status": more.get("end", "completed"), "incomplete_details": more.get("incomplete_details")}
    assert shaped(items, **details)["stop_reason"] == reason


def test_an_answer_that_is_cut_short_closes_what_is_open() -> None:
    events = turn(text_item("a long text"), end="incomplete")
    del events[-3:-1]  # neither the part nor the item ended
    assert answer(events)["content"] == [{"type": "text", "text": "a long text"}]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "no"}, "api_error"),
        ({"code": "server_is_overloaded", "message": "no"}, "overloaded_error"),
        ({"code": "rate_limit_exceeded", "message": "no"}, "rate_limit_error"),
        ({"code": "usage_limit_reached", "message": "no"}, "rate_limit_error"),
        ({"code": "context_length_exceeded", "message": "no"}, "invalid_request_error"),
        ({"code": "invalid_prompt", "message": "no"}, "invalid_request_error"),
        ({"code": "stream_incomplete", "message": "no"}, "api_error"),
        ({"code": "invalid_upstream_response", "message": "no"}, "api_error"),
        ({"type": "odd", "message": "no"}, "api_error"),
        ({}, "api_error"),
    ],
)
def test_a_failure_is_never_a_stop(error: Any, kind: str) -> None:
    events = turn(text_item("a long text"))[:4]
    for end in (
        {"type": "response.failed", "response": {"id": "resp_1", "error": error}},
        {"type": "error", "error": error},
    ):
        told = decoded(heard(wire([*events, end, *turn(text_item("more"))])))
        assert (told[-1]["type"], told[-1]["error"]["type"]) == ("error", kind)
        assert told[-1]["error"]["message"]
        assert not {"message_delta", "message_stop"} & {event["type"] for event in told}


def test_a_turn_that_broke_off_ends_in_an_error_and_nothing_after_it() -> None:
    ours = MessageEvents(THINKING)
    ours.events([SseEvent("response.created", b"{}")])
    (told,) = decoded(ours.failed(Failure(502, "stream_incomplete", "it broke off; send it again")))
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    assert ours.failed(Failure(502, "x", "y")) == b""
    assert ours.events([SseEvent("response.output_text.delta", b'{"delta":"a"}')]) == b""


def test_a_stream_that_begins_anywhere_begins_with_the_message() -> None:
    (created, *rest) = turn(text_item("hi"))
    assert created["type"] == "response.created"
    assert accumulated(decoded(heard(wire(rest))))["content"] == [{"type": "text", "text": "hi"}]


def test_what_is_meant_for_codex_is_not_shown() -> None:
    hidden: list[Event] = [{"type": "codex.rate_limits"}, {"type": "keepalive"}, {"type": "response.in_progress"}]
    assert heard(wire(hidden)) == b""


def test_silence_is_broken_by_pings() -> None:
    assert MessageEvents(QUIET).keepalive == PING
    assert decoded(PING) == [{"type": "ping"}]


SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=6)
NAMES = (
    "delta item type output_index content_index content summary text arguments call_id name response error usage output"
)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["message", "function_call", "reasoning", "web_search_call", "output_text"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES.split(), "action"]), inner, max_size=5)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(NAMES.split()), VALUES, max_size=6).map(orjson.dumps) | st.binary(max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(SseEvent, st.sampled_from(sorted(HANDLERS)), BODIES), max_size=6), st.booleans())
def test_whatever_the_backend_sends_nothing_breaks(events: list[SseEvent], thinks: bool) -> None:
    told = decoded(MessageEvents(THINKING if thinks else QUIET).events(events))
    if told and told[-1]["type"] == "message_stop":
        accumulated(told)


def size_of(ours: MessageEvents) -> int:
    parts = [ours._items, ours._kinds, *ours._items.values()]
    return sum(map(sys.getsizeof, parts)) + sum(sys.getsizeof(item.told) for item in ours._items.values())


def test_memory_does_not_grow_with_the_stream() -> None:
    ours, most = MessageEvents(THINKING), 0
    ours.events([SseEvent("response.created", b"{}")])
    for number in range(300):
        item = [text_item("hello there " * 20), thought_item("so " * 20), call_item()][number % 3]
        for event in pieces(item, number):
            ours.events([SseEvent(event["type"], orjson.dumps(event))])
            most = max(most, size_of(ours)) if number < 9 else most
            assert number < 9 or size_of(ours) <= most
