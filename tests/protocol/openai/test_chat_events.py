"""A stream of chunks says exactly what the one completion says, however the backend tells it and however its bytes are
cut; and a failure never looks like an end."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.openai.chat_answer import Shown
from codex_pooler.protocol.openai.chat_completion import completion, completions
from codex_pooler.protocol.openai.chat_events import ChatEvents
from codex_pooler.protocol.sse import EventScanner, SseEvent

SHOWN = Shown(turn_id="turn1", created=1_700_000_000, model="gpt-5.5")
HEAD: dict[str, Any] = {"id": "resp_abc", "created_at": 1_790_000_000, "model": "gpt-5.5-2026", "status": "in_progress"}
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 140,
}
TEXTS = (
    st.just("")
    | st.sampled_from(["word", " ", "\n\n"])
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=9)
)
NOISE = st.sampled_from(
    ["codex.rate_limits", "response.output_text.annotation.added", "response.web_search_call.searching", "keepalive"]
)


# -- a backend


def event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


def wire(events: list[dict[str, Any]], *, end: str = "\n", ascii_only: bool = False) -> bytes:
    blocks = (f"event: {one['type']}{end}data: {json.dumps(one, ensure_ascii=ascii_only)}{end}{end}" for one in events)
    return "".join(blocks).encode()


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)] or [""]


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"type": "output_text", "text": draw(TEXTS), "annotations": []}
    return {"type": "refusal", "refusal": draw(TEXTS)}


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["message", "function_call", "custom_tool_call", "reasoning", "web_search_call", "image"])
    )
    if kind == "message":
        return {"type": kind, "role": "assistant", "content": draw(st.lists(parts(), max_size=3))}
    if kind == "function_call":
        return {"type": kind, "call_id": "call_" + draw(TEXTS), "name": draw(TEXTS), "arguments": draw(TEXTS)}
    if kind == "custom_tool_call":
        return {"type": kind, "call_id": "call_" + draw(TEXTS), "name": draw(TEXTS), "input": draw(TEXTS)}
    if kind == "reasoning":
        texts = draw(st.lists(TEXTS, max_size=3))
        return {"type": kind, "summary": [{"type": "summary_text", "text": text} for text in texts]}
    if kind == "image":
        return {"type": "image_generation_call", "result": draw(st.sampled_from(["QUJD", "", None]))}
    return {"type": kind, "id": "ws_1", "status": "completed"}


def deltas(item: Mapping[str, Any], index: int, cuts: list[int]) -> Iterator[dict[str, Any]]:
    """What is told of an item before it is complete."""
    if item["type"] == "message":
        for place, part in enumerate(item["content"]):
            kind, text = ("output_text", part["text"]) if "text" in part else ("refusal", part["refusal"])
            for piece in pieces(text, cuts):
                yield event(f"response.{kind}.delta", output_index=index, content_index=place, delta=piece)
            yield event(f"response.{kind}.done", output_index=index, content_index=place, text=text)
    elif item["type"] == "reasoning":
        for place, part in enumerate(item["summary"]):
            for piece in pieces(part["text"], cuts):
                yield event(
                    "response.reasoning_summary_text.delta", output_index=index, summary_index=place, delta=piece
                )
    elif item["type"] in ("function_call", "custom_tool_call"):
        kind, text = (
            ("function_call_arguments", item["arguments"])
            if item["type"] == "function_call"
            else ("custom_tool_call_input", item["input"])
        )
        for piece in pieces(text, cuts):
            yield event(f"response.{kind}.delta", output_index=index, delta=piece)


@st.composite
def answers(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A finished answer, and the events by which the backend tells it."""
    output = draw(st.lists(items(), max_size=4))
    told = len(output) - draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4]))  # the rest stands only in the terminal event
    events = [event("response.created", response=HEAD)] if draw(st.booleans()) else []
    for index, item in enumerate(output[: max(told, 0)]):
        how = draw(st.sampled_from(["piece by piece", "piece by piece", "piece by piece", "announced", "at once"]))
        if how != "at once":
            empty = {**item, "content": [], "summary": [], "arguments": "", "input": ""}
            begun = {name: empty[name] for name in item}
            events.append(event("response.output_item.added", output_index=index, item=begun))
            if how == "piece by piece":
                events += deltas(item, index, draw(st.lists(st.integers(0, 20), max_size=3)))
        events.append(event("response.output_item.done", output_index=index, item=item))
        events += [event(noise) for noise in draw(st.lists(NOISE, max_size=2))]
    reason = draw(st.sampled_from([None, None, "max_output_tokens", "content_filter"]))
    answer = {
        **HEAD,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": draw(st.sampled_from([USAGE, None])),
        "service_tier": draw(st.sampled_from(["default", None])),
        "output": output,
    }
    shown = output if told < len(output) or draw(st.booleans()) else []
    ending = "response.incomplete" if reason else "response.completed"
    return answer, [*events, event(ending, response={**answer, "output": shown})]


# -- a client


def run(stream: bytes, shown: Shown = SHOWN, cuts: list[int] | None = None) -> bytes:
    """What a client is sent for these bytes, cut here and there."""
    scanner, translation = EventScanner(), ChatEvents(shown)
    places = sorted({cut % (len(stream) + 1) for cut in cuts or []} | {0, len(stream)})
    return b"".join(translation.events(scanner.feed(stream[a:b])) for a, b in pairwise(places))


def chunks_of(said: bytes) -> list[Any]:
    blocks = said.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: ") for block in blocks)
    return [orjson.loads(block[6:]) if block != b"data: [DONE]" else "done" for block in blocks]


def merged(so_far: dict[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """As the SDKs add up deltas: texts are joined, lists are matched by ``index``, everything else is replaced."""
    for name, value in delta.items():
        known = so_far.get(name)
        if isinstance(value, dict):
            so_far[name] = merged(known or {}, value)
        elif isinstance(value, list):
            entries = so_far.setdefault(name, [])
            for entry in value:
                assert entry["index"] <= len(entries), "indices count from zero and leave nothing out"
                if entry["index"] == len(entries):
                    entries.append({})
                merged(entries[entry["index"]], entry)
        elif known is not None and name not in ("index", "type"):
            so_far[name] = known + value
        else:
            so_far[name] = value
    return so_far


def added_up(chunks: list[Any]) -> dict[str, Any]:
    """The completion that a client makes of a stream."""
    assert chunks[-1] == "done"
    said: dict[str, Any] = {"content": None, "refusal": None}
    whole: dict[str, Any] = {}
    for chunk in chunks[:-1]:
        assert chunk["object"] == "chat.completion.chunk"
        whole |= {name: chunk[name] for name in ("id", "created", "model")}
        whole |= {name: chunk[name] for name in ("usage", "service_tier") if chunk.get(name)}
        for choice in chunk["choices"]:
            merged(said, choice["delta"])
            whole["finish_reason"] = choice["finish_reason"]
    for numbered in (*said.get("tool_calls", ()), *said.get("images", ())):
        del numbered["index"]
    return {**whole, "message": said}


def flattened(whole: Mapping[str, Any]) -> dict[str, Any]:
    (choice,) = whole["choices"]
    told = {name: whole[name] for name in ("id", "created", "model", "usage", "service_tier") if name in whole}
    return {**told, "finish_reason": choice["finish_reason"], "message": choice["message"]}


# -- the promises


@settings(max_examples=300, deadline=None)
@given(answers(), st.booleans())
def test_a_stream_adds_up_to_the_completion(told: tuple[dict[str, Any], list[Any]], reasoning: bool) -> None:
    answer, events = told
    shown = Shown("turn1", HEAD["created_at"], HEAD["model"], reasoning=reasoning, usage=True)
    streamed = added_up(chunks_of(run(wire(events), shown)))
    expected = flattened(completion(answer, shown))
    if events[0]["type"] != "response.created":
        for name in ("id", "model", "created"):  # they are told too late
            streamed.pop(name), expected.pop(name)
    assert streamed == expected


@settings(max_examples=100, deadline=None)
@given(answers())
def test_the_official_sdk_adds_up_the_same(told: tuple[dict[str, Any], list[Any]]) -> None:
    answer, events = told
    shown = Shown("turn1", HEAD["created_at"], HEAD["model"], usage=True)
    state = ChatCompletionStreamState()
    for chunk in chunks_of(run(wire(events), shown))[:-1]:
        state.handle_chunk(cast(ChatCompletionChunk, construct_type(value=chunk, type_=ChatCompletionChunk)))
    choice = state.current_completion_snapshot.choices[0]
    expected = completion(answer, shown)["choices"][0]
    assert choice.finish_reason == expected["finish_reason"]
    said = choice.message.model_dump(include={"content", "refusal"})
    assert said == {name: expected["message"][name] for name in said}
    calls = [call.model_dump() for call in choice.message.tool_calls or ()]
    for call, whole in zip(calls, expected["message"].get("tool_calls", ()), strict=True):
        kind = whole["type"]
        assert (call["id"], call["type"]) == (whole["id"], kind)
        assert call[kind].items() >= whole[kind].items()


@settings(max_examples=300, deadline=None)
@given(
    answers(),
    st.lists(st.integers(0, 20_000), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_any_cut_says_the_same(
    told: tuple[dict[str, Any], list[Any]], cuts: list[int], end: str, ascii_only: bool
) -> None:
    stream = wire(told[1], end=end, ascii_only=ascii_only)
    shown = Shown("turn1", 1, "m", reasoning=True, usage=True)
    assert run(stream, shown, cuts) == run(stream, shown)


def chat(*events: dict[str, Any], shown: Shown = SHOWN) -> list[Any]:
    return chunks_of(run(wire([event("response.created", response=HEAD), *events]), shown))


def deltas_of(chunks: list[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk != "done" and chunk["choices"]]


COMPLETED = event("response.completed", response={**HEAD, "status": "completed", "output": [], "usage": USAGE})
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read", "arguments": ""}


def test_the_head_is_the_same_on_every_chunk() -> None:
    chunks = chat(event("response.output_text.delta", output_index=0, content_index=0, delta="hi"), COMPLETED)
    heads = {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks[:-1]}
    assert heads == {("chatcmpl-abc", HEAD["created_at"], HEAD["model"])}


def test_a_model_that_the_client_knows_by_another_name_keeps_it() -> None:
    shown = Shown("turn1", 1, "fast", renamed=True)
    assert {chunk["model"] for chunk in chat(COMPLETED, shown=shown)[:-1]} == {"fast"}
    assert completion({**HEAD, "output": []}, shown)["model"] == "fast"


def test_tool_calls_are_numbered_from_zero_wherever_their_items_stand() -> None:
    added = [
        event("response.output_item.added", output_index=index, item={**CALL, "call_id": f"call_{index}"})
        for index in (1, 3)
    ]
    given = event("response.function_call_arguments.delta", output_index=3, delta='{"path"')
    (_, first, second, more, _) = deltas_of(chat(*added, given, COMPLETED))
    assert first["tool_calls"] == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "read", "arguments": ""}}
    ]
    assert second["tool_calls"][0]["index"] == 1
    assert more == {"tool_calls": [{"index": 1, "function": {"arguments": '{"path"'}}]}


def test_an_answer_that_calls_tools_finishes_for_that_reason() -> None:
    chunks = chat(event("response.output_item.added", output_index=0, item=CALL), COMPLETED)
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("something_new", "length")],
)
def test_an_answer_that_was_cut_short_says_so(reason: str, finish: str) -> None:
    answer = {**HEAD, "status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    chunks = chat(event("response.incomplete", response=answer))
    assert chunks[-2]["choices"][0]["finish_reason"] == finish
    assert completion(answer, SHOWN)["choices"][0]["finish_reason"] == finish


def test_counts_come_last_and_only_on_request() -> None:
    chunks = chat(COMPLETED, shown=Shown("turn1", 1, "m", usage=True))
    assert [chunk["usage"] for chunk in chunks[:-2]] == [None, None]
    assert chunks[-2]["choices"] == []
    usage = chunks[-2]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (100, 40, 140)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 60
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 8
    assert all("usage" not in chunk for chunk in chat(COMPLETED)[:-1])


def test_thoughts_are_shown_on_request_only() -> None:
    thought = event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="hm")
    second = {**thought, "summary_index": 1}
    shown = Shown("turn1", 1, "m", reasoning=True)
    said = "".join(
        delta.get("reasoning_content", "") for delta in deltas_of(chat(thought, second, COMPLETED, shown=shown))
    )
    assert said == "hm\n\nhm"
    assert all("reasoning_content" not in delta for delta in deltas_of(chat(thought, COMPLETED)))


def test_messages_of_one_answer_are_set_apart() -> None:
    def text(index: int) -> dict[str, Any]:
        return event("response.output_text.delta", output_index=index, content_index=0, delta="So.")

    said = "".join(delta.get("content", "") for delta in deltas_of(chat(text(0), text(0), text(2), COMPLETED)))
    assert said == "So.So.\n\nSo."


def test_an_answer_that_says_nothing_is_an_empty_text() -> None:
    assert deltas_of(chat(COMPLETED)) == [{"role": "assistant"}, {"content": ""}]


FAILED = event(
    "response.failed",
    response={**HEAD, "status": "failed", "error": {"code": "content_policy_violation", "message": "not this"}},
)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (FAILED, "content_policy_violation"),
        (
            event("response.failed", response={"error": {"code": "stream_incomplete", "message": "oh"}}),
            "stream_incomplete",
        ),
        (
            event("error", error={"type": "invalid_request_error", "code": "invalid_value", "message": "oh"}),
            "invalid_value",
        ),
        (event("response.failed", response={**HEAD, "error": None}), "invalid_upstream_response"),
        (event("response.completed", response=7), "invalid_upstream_response"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_is_an_error_and_never_an_end(failure: dict[str, Any], code: str, begun: bool) -> None:
    text = event("response.output_text.delta", output_index=0, content_index=0, delta="hi")
    said = run(wire([*([text] if begun else []), failure, text, COMPLETED]))
    *before, last = chunks_of(said)
    assert last["error"]["code"] == code
    assert last["error"].keys() >= {"message", "type", "code", "param"}
    whose = "server_error" if code in ("stream_incomplete", "invalid_upstream_response") else "invalid_request_error"
    assert last["error"]["type"] == whose
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in before)


def test_a_stream_that_breaks_off_ends_in_an_error_said_once() -> None:
    translation = ChatEvents(SHOWN)
    translation.events([SseEvent("response.created", orjson.dumps({"response": HEAD}))])
    failure = Failure(502, "stream_incomplete", "it broke off; send it again")
    (chunk,) = chunks_of(translation.failed(failure))
    assert chunk["error"]["code"] == "stream_incomplete"
    assert translation.failed(failure) == b""
    assert translation.events([SseEvent("response.completed", orjson.dumps(COMPLETED))]) == b""


def test_an_event_that_cannot_be_read_says_nothing() -> None:
    odd = b'event: response.output_text.delta\ndata: {"delta":\n\nevent: response.output_item.done\ndata: []\n\n'
    stream = wire([event("response.created", response=HEAD)]) + odd + wire([COMPLETED])
    assert deltas_of(chunks_of(run(stream))) == [{"role": "assistant"}, {"content": ""}]


def test_an_answer_of_nothing_but_its_end_is_told_whole() -> None:
    """The least that a backend says: the complete item and an end with an id, without counts or places."""
    item = {"type": "message", "content": [{"type": "output_text", "text": "hello"}]}
    events = [event("response.output_item.done", item=item), event("response.completed", response={"id": "resp_1"})]
    told = added_up(chunks_of(run(wire(events))))
    assert told["message"]["content"] == "hello"
    assert told["id"] == "chatcmpl-turn1"
    assert told["finish_reason"] == "stop"


def test_the_shape_is_the_completion_as_json() -> None:
    answer = {**HEAD, "status": "completed", "output": [], "usage": USAGE}
    assert orjson.loads(completions(SHOWN)(answer)) == completion(answer, SHOWN)


def test_what_is_kept_does_not_grow_with_the_stream() -> None:
    translation = ChatEvents(Shown("turn1", 1, "m", reasoning=True, usage=True))
    thought = {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "word "}
    text = {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "word "}
    given = {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "word "}
    events = [SseEvent(str(one["type"]), orjson.dumps(one)) for one in (thought, text, given)]
    added = {"output_index": 2, "item": CALL}
    translation.events([*events, SseEvent("response.output_item.added", orjson.dumps(added))])
    tracemalloc.start()
    try:
        translation.events(events)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20_000):
            translation.events(events)
        assert tracemalloc.get_traced_memory()[0] - before < 4096
    finally:
        tracemalloc.stop()
