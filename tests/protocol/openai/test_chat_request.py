"""What clients of Chat Completions send becomes what the backend takes; what cannot be had is named or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.openai.chat_request import Asked, read_chat
from codex_pooler.protocol.requests import BadRequest

CORPUS = orjson.loads(Path(__file__).with_name("corpus_chat.json").read_bytes())
HELLO = [{"role": "user", "content": "hello"}]


def read(*messages: Any, **more: Any) -> Asked:
    return read_chat(orjson.dumps({"model": "gpt-5.5", "messages": list(messages) or HELLO, **more}))


def sent(asked: Asked) -> Any:
    """The members as the backend would read them."""
    return orjson.loads(msgspec.json.encode(asked.turn.members))


def refused(*messages: Any, **more: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(*messages, **more)
    assert caught.value.message
    return caught.value


@pytest.mark.parametrize("request_", CORPUS, ids=[one["client"] for one in CORPUS])
def test_requests_of_known_clients(request_: Any) -> None:
    asked = read_chat(orjson.dumps(request_["body"]))
    assert sent(asked) == request_["members"]
    assert list(asked.turn.ignored) == request_["ignored"]
    flags = (asked.stream, asked.usage, asked.reasoning)
    assert flags == tuple(request_.get(name, False) for name in ("stream", "usage", "reasoning"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CORPUS), st.randoms())
def test_the_order_of_members_means_nothing(request_: Any, random: Any) -> None:
    members = list(request_["body"].items())
    random.shuffle(members)
    asked = read_chat(orjson.dumps(dict(members)))
    assert sent(asked) == request_["members"]
    assert sorted(asked.turn.ignored) == sorted(request_["ignored"])


KNOWN = (
    "type role content text function custom name tool_calls tool_call_id image_url file input_audio arguments refusal"
    " function_call toolCallId output value json_schema schema format data url"
)
WORDS = st.sampled_from(
    ["text", "function", "custom", "user", "assistant", "tool", "tool-call", "tool-result", "image_url", "file", "auto"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.just("") | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KNOWN.split(" ")), inner, max_size=4),
    max_leaves=12,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
    optional={
        "content": st.text(max_size=3) | st.lists(JSON, max_size=2) | JSON,
        "tool_calls": JSON,
        "tool_call_id": JSON,
    },
)
MEMBERS = ["tools", "tool_choice", "response_format", "stream", "reasoning", "stream_options", "stop", "n", "input"]


@settings(max_examples=500, deadline=None)
@given(st.lists(MESSAGE, max_size=4) | JSON, st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3))
def test_whatever_comes_is_read_or_refused(messages: Any, more: Any) -> None:
    with suppress(BadRequest):
        asked = read_chat(orjson.dumps({"model": "m", "messages": messages, **more}))
        assert isinstance(sent(asked)["input"], list)


@pytest.mark.parametrize("body", [b"", b"[]", b"nothing", b'{"messages": [', b'"text"', b'{"messages":["\xff"]}'])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_chat(body)


@pytest.mark.parametrize(
    ("member", "value", "instead"),
    [
        ("n", 2, "set n to 1"),
        ("logprobs", True, "leave out"),
        ("top_logprobs", 3, "leave out"),
        ("modalities", ["text", "audio"], "leave out"),
        ("audio", {"voice": "alloy", "format": "wav"}, "leave out"),
        ("functions", [{"name": "f"}], "tools"),
        ("function_call", {"name": "f"}, "tool_choice"),
        ("background", True, "stream"),
        ("conversation", "conv_1", "messages"),
        ("previous_response_id", "resp_1", "whole conversation"),
        ("prompt", {"id": "p"}, "messages"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(member: str, value: Any, instead: str) -> None:
    refusal = refused(**{member: value})
    assert (refusal.param, refusal.code) == (member, "unsupported_parameter")
    assert instead in refusal.message


@pytest.mark.parametrize(
    "member", ["temperature", "top_p", "max_tokens", "stop", "seed", "user", "logit_bias", "prediction"]
)
def test_what_has_no_effect_is_named(member: str) -> None:
    assert read(**{member: {"temperature": 0.2, "top_p": 0.5}.get(member, "x")}).turn.ignored == (member,)


@pytest.mark.parametrize(
    "members",
    [
        {"n": 1, "logprobs": False, "presence_penalty": 0, "frequency_penalty": 0.0, "stop": [], "logit_bias": {}},
        {"temperature": 1, "top_p": 1.0, "store": False, "metadata": {}, "modalities": ["text"]},
        {"functions": [], "function_call": "auto"},
        dict.fromkeys(["n", "stop", "seed", "user", "functions", "audio", "temperature", "made_up"]),
    ],
)
def test_what_changes_nothing_passes_in_silence(members: dict[str, Any]) -> None:
    assert read(**members).turn.ignored == ()


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "robot", "content": "x"}, "messages[0].role"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "video_url"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": ["text"]}]}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].file"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0].input_audio"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "messages[0].content[0].type"),
        ({"role": "assistant", "tool_calls": 1}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "messages[0].tool_calls[0].function.name"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages[0].function_call"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
    ],
)
def test_a_message_that_cannot_be_told_is_refused_by_place(message: Any, param: str) -> None:
    assert refused(message).param == param


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom.name"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type"),
        ({"tools": [{"type": ["function"]}]}, "tools"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": ["x"]}}, "tool_choice.type"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": "maybe"}, "tool_choice"),
        (
            {"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "function"}},
            "tool_choice.function.name",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        ({"stream": "yes"}, "stream"),
        ({"reasoning": "high"}, "reasoning"),
    ],
)
def test_a_member_of_the_wrong_kind_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    assert refused(**members).param == param


def test_a_request_without_messages_names_them() -> None:
    with pytest.raises(BadRequest) as caught:
        read_chat(b'{"model": "m"}')
    assert caught.value.param == "messages"


def test_tool_results_without_an_id_answer_the_calls_in_order() -> None:
    calls = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
    results = [{"role": "tool", "content": text} for text in ("1", "2")]
    items = sent(read(*HELLO, {"role": "assistant", "tool_calls": calls}, *results))["input"]
    assert [item["call_id"] for item in items[1:]] == ["call_0", "call_1", "call_0", "call_1"]
    assert [item["arguments"] for item in items[1:3]] == ["{}", "{}"]


def test_thoughts_that_come_back_are_left_out() -> None:
    said = {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Ok."}]}
    (_, message) = sent(read(*HELLO, {**said, "reasoning_content": "hm"}))["input"]
    assert message["content"] == [{"type": "output_text", "text": "Ok."}]


def test_a_choice_without_tools_is_no_choice() -> None:
    assert "tool_choice" not in sent(read(tool_choice="auto"))


@pytest.mark.parametrize(
    ("members", "reasoning"),
    [
        ({"reasoning_effort": "low"}, {"effort": "low"}),
        ({"reasoning": {"effort": "high", "max_tokens": 5}}, {"effort": "high"}),
        ({"reasoning": {"summary": "detailed"}}, {"summary": "detailed"}),
        ({"include_reasoning": True}, {"summary": "auto"}),
        ({"enable_thinking": True}, {"effort": "medium"}),
    ],
)
def test_ways_to_ask_for_thought(members: dict[str, Any], reasoning: Any) -> None:
    asked = read(**members)
    assert sent(asked)["reasoning"] == reasoning
    assert asked.reasoning == ("summary" in reasoning)


def test_a_pool_may_show_thoughts_to_everybody() -> None:
    asked = read_chat(orjson.dumps({"model": "m", "messages": HELLO}), show_reasoning=True)
    assert asked.reasoning
    assert sent(asked)["reasoning"] == {"summary": "auto"}


def test_conversations_are_known_by_how_they_began() -> None:
    system = {"role": "system", "content": "You are a pirate."}
    answer = {"role": "assistant", "content": "Ahoy."}
    first, later = read(system, *HELLO), read(system, *HELLO, answer, {"role": "user", "content": "more"})
    assert first.turn.opening == later.turn.opening
    assert first.turn.opening not in (b"", read(*HELLO).turn.opening, read(system, answer, *HELLO).turn.opening)


def test_media_keep_their_bytes() -> None:
    url = "data:image/png;base64," + "QUJD" * 1000
    (item,) = sent(read({"role": "user", "content": [{"type": "image_url", "image_url": url}]}))["input"]
    assert item["content"] == [{"type": "input_image", "image_url": url}]
