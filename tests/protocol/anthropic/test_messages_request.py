"""What clients of Anthropic's API send becomes what the backend takes; what cannot be had is named or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.anthropic.request import Asked, translate
from codex_pooler.protocol.anthropic.thinking import fitted
from codex_pooler.protocol.anthropic.tools import LONGEST_NAME, backend_name
from codex_pooler.protocol.requests import BadRequest

CORPUS = orjson.loads(Path(__file__).with_name("corpus_messages.json").read_bytes())
HELLO = [{"role": "user", "content": "hello"}]


def read(messages: Any = HELLO, *, strict: bool = False, **more: Any) -> Asked:
    return translate(orjson.dumps({"model": "gpt-5.5", "messages": messages, **more}), strict=strict)


def sent(asked: Asked) -> Any:
    """The members as the backend would read them."""
    return orjson.loads(msgspec.json.encode(asked.translated.members))


def said(*blocks: Any, role: str = "user") -> Any:
    """The input for one message of these blocks."""
    return sent(read([{"role": role, "content": list(blocks)}]))["input"]


def refused(messages: Any = HELLO, **more: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(messages, **more)
    assert caught.value.message
    return caught.value


@pytest.mark.parametrize("request_", CORPUS, ids=[one["client"] for one in CORPUS])
def test_requests_of_known_clients(request_: Any) -> None:
    asked = translate(orjson.dumps(request_["body"]), strict=False)
    assert sent(asked) == request_["members"]
    assert sorted(asked.translated.ignored) == sorted(request_["ignored"])
    assert asked.stream == request_.get("stream", False)
    assert asked.voice.model == request_["body"]["model"]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CORPUS), st.randoms())
def test_the_order_of_members_means_nothing(request_: Any, random: Any) -> None:
    members = list(request_["body"].items())
    random.shuffle(members)
    assert sent(translate(orjson.dumps(dict(members)), strict=False)) == request_["members"]


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)
WORDS = (
    "type role content text source media_type data url file_id id name input tool_use_id is_error thinking signature"
    " title context tool_name max_uses effort format schema budget_tokens system"
)
KINDS = "text image document tool_use tool_result thinking redacted_thinking base64 json_schema tool auto enabled"
NAMES = st.sampled_from(WORDS.split()) | st.text(max_size=5)
TYPES = st.sampled_from(KINDS.split())
VALUES = st.recursive(
    SCALARS | TYPES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CORPUS), st.data())
def test_whatever_comes_is_translated_or_refused_in_words(request_: Any, data: Any) -> None:
    body = dict(request_["body"])
    for name in data.draw(st.lists(st.sampled_from(sorted(body)) | NAMES, max_size=3)):
        body[name] = data.draw(VALUES)
    with suppress(BadRequest):
        translated = translate(orjson.dumps(body), strict=False).translated
        assert isinstance(translated.members["input"], list)
        msgspec.json.encode(translated.members)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"model":"x"', b"[" * 5000])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        translate(body, strict=False)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": []}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "x"}}]}]},
            "messages[0].content[0]",
        ),
        ({"model": None}, "model"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [{"name": "a"}], "tool_choice": {"type": "tool", "name": "b"}}, "tool_choice.name"),
        ({"tools": [{"name": "a"}], "tool_choice": {"type": "odd"}}, "tool_choice.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": 5}}, "output_config.format"),
    ],
)
def test_a_refusal_names_the_member(more: Any, param: str) -> None:
    assert refused(**more).param == param


def test_a_strict_pool_is_not_told_of_what_every_request_must_have() -> None:
    asked = read(max_tokens=5, temperature=0, strict=True)
    assert asked.translated.ignored == ("temperature",)


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "disabled"}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 64_000}}, "xhigh"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, "max"),
        ({"output_config": {"effort": "odd"}}, None),
    ],
)
def test_thinking_becomes_effort(asked: Any, effort: str | None) -> None:
    assert sent(read(**asked)).get("reasoning", {}).get("effort") == effort


@pytest.mark.parametrize(
    ("effort", "offered", "fitting"),
    [
        ("max", ["low", "medium", "high", "xhigh"], "xhigh"),
        ("max", ["low", "max", "ultra"], "max"),
        ("xhigh", ["low", "medium"], "medium"),
        ("low", ["medium", "high"], "medium"),
        ("high", [], "high"),
    ],
)
def test_a_model_gets_no_more_effort_than_it_has(effort: str, offered: list[str], fitting: str) -> None:
    assert fitted(effort, offered) == fitting


@given(st.text(max_size=200))
def test_every_name_of_a_tool_is_one_that_the_backend_takes(name: str) -> None:
    short = backend_name(name)
    assert 0 < len(short) <= LONGEST_NAME
    assert short.isascii()
    assert backend_name(short) == short


def test_a_shortened_name_is_known_by_the_voice() -> None:
    name = "mcp__" + "x" * 80
    asked = read(tools=[{"name": name}, {"name": "plain"}], tool_choice={"type": "tool", "name": name})
    assert asked.voice.names == {backend_name(name): name}
    assert sent(asked)["tool_choice"] == {"type": "function", "name": backend_name(name)}


def test_thinking_of_others_is_left_out_and_ours_comes_back_as_it_was() -> None:
    ours = {"type": "thinking", "thinking": "so", "signature": "cxp1.abc"}
    theirs = {"type": "thinking", "thinking": "so", "signature": "Eqabc"}
    (item, message) = said(theirs, ours, {"type": "text", "text": "yes"}, role="assistant")
    assert item == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "so"}],
        "encrypted_content": "abc",
    }
    assert message["content"] == [{"type": "output_text", "text": "yes"}]


def test_a_conversation_is_known_by_its_session_or_by_its_beginning() -> None:
    first = read().translated.opening
    more = read(
        [*HELLO, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}]
    ).translated.opening
    marked = read([{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {}}]}])
    assert first == more == marked.translated.opening
    named = {"user_id": "user_x_account__session_1"}
    assert (
        read(metadata=named).translated.opening
        == read([{"role": "user", "content": "b"}], metadata=named).translated.opening
    )


def test_nothing_of_the_metadata_goes_to_the_backend() -> None:
    assert b"secret" not in msgspec.json.encode(read(metadata={"user_id": "secret"}).translated.members)


def test_nothing_that_was_said_shows_in_a_repr() -> None:
    asked = read([{"role": "user", "content": "canary"}], system="canary")
    assert "canary" not in repr(asked)
