"""Requests as tools send them to the public Responses API become turns that a strict backend runs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.protocol.openai.responses_request import REFUSED, read_request
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.simulator.events import Turn
from codex_pooler.simulator.faults import HTTP
from codex_pooler.simulator.responses import open_turn
from codex_pooler.simulator.world import new_world

CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus_responses.json").read_bytes())
USER = {"role": "user", "content": "hi"}


def translated(body: Any, **more: Any) -> tuple[dict[str, Any], tuple[str, ...], bool]:
    """The members as they go out, what was ignored, and whether a stream is wanted."""
    asked = read_request(orjson.dumps(body), **more)
    return orjson.loads(msgspec.json.encode(asked.turn.members)), asked.turn.ignored, asked.stream


@pytest.mark.parametrize("case", CORPUS, ids=[case["name"] for case in CORPUS])
def test_what_tools_send_is_run_by_a_strict_backend(case: dict[str, Any]) -> None:
    world = new_world(seed=1, accounts=1)
    account = next(iter(world.accounts.values()))
    sealed = world.mint.seal(account.account_id, "rs_1")
    members, ignored, stream = translated(json.loads(json.dumps(case["body"]).replace("SEALED", sealed)))
    assert (list(ignored), stream) == (case["ignored"], case.get("stream", False))
    for name in ("input", "tools", "reasoning"):
        assert members.get(name) == case.get(name, members.get(name))
    assert [item["type"] for item in members["input"]] == case.get("kinds", [i["type"] for i in members["input"]])
    if "call_ids" in case:
        assert [item["call_id"] for item in members["input"] if "call_id" in item] == case["call_ids"]
    assert "reasoning.encrypted_content" in members["include"]
    effort = (members.get("reasoning") or {}).get("effort")
    members |= {"stream": True, "store": False, **({"reasoning": {"effort": "low"}} if effort == "minimal" else {})}
    turn = open_turn(world, account, members, (), 10, HTTP)
    assert isinstance(turn, Turn), turn.body


@pytest.mark.parametrize("case", CORPUS, ids=[case["name"] for case in CORPUS])
def test_what_was_translated_once_stays_as_it_is(case: dict[str, Any]) -> None:
    members, _, _ = translated(case["body"])
    assert translated(members)[:2] == (members, ())


def test_items_that_need_nothing_keep_their_bytes() -> None:
    item = b'{"type":"message", "role":"user","content":[ {"type":"input_text","text":"\\u00e9"} ],"extra":1e3}'
    asked = read_request(b'{"model":"m","input":[' + item + b"]}")
    assert bytes(asked.turn.members["input"][0]) == item


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "file_search"}]}, "tools[1].type"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        translated({"model": "m", "input": [USER], **members})
    assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")
    assert param not in REFUSED or param in refused.value.message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": 7}, "input"),
        ({"model": "m", "input": [7]}, "input[0]"),
        ({"model": "m", "input": [USER, {"role": "user", "content": [3]}]}, "input[1].content"),
        ({"model": "m", "input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"model": "m", "input": "x", "stream": "yes"}, "stream"),
        ({"model": "m", "input": "x", "tools": {}}, "tools"),
        ({"model": "m", "input": "x", "include": "y"}, "include"),
        ({"model": "m", "input": "x", "reasoning": "high"}, "reasoning"),
    ],
)
def test_a_shape_that_cannot_be_read_is_refused_by_name(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        translated(body)
    assert refused.value.param == param


def test_a_websocket_message_may_continue_a_response() -> None:
    frame = {"type": "response.create", "previous_response_id": "resp_1", "generate": False, "model": "m", "input": []}
    members, ignored, _ = translated(frame, on_socket=True)
    assert {"type", "previous_response_id", "generate"} <= members.keys()
    assert ignored == ()


def test_a_conversation_is_known_by_how_it_began() -> None:
    first = read_request(orjson.dumps({"model": "m", "input": [{"role": "developer", "content": "d"}, USER]}))
    items = [{"role": "developer", "content": "d"}, USER, {"role": "assistant", "content": "x"}, USER]
    later = read_request(orjson.dumps({"model": "m", "input": items}))
    other = read_request(orjson.dumps({"model": "m", "input": [{"role": "user", "content": "other"}]}))
    assert first.turn.opening == later.turn.opening != other.turn.opening
    assert read_request(b'{"model":"m","input":[{"type":"compaction_trigger"}]}').turn.opening == b""


NAMES = st.sampled_from(
    [
        *("type", "role", "content", "input", "output", "tools", "tool_choice", "id", "call_id", "function", "include"),
        *("reasoning", "thinking", "reasoning_effort", "stream", "annotations", "image_url", "previous_response_id"),
        "x",
    ]
)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["user", "function", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, ANY, max_size=6), ANY, st.booleans())
def test_whatever_is_sent_is_translated_or_refused(body: dict[str, Any], given_input: Any, on_socket: bool) -> None:
    with suppress(BadRequest):
        translated({"model": "m", "input": given_input, **body}, on_socket=on_socket)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 60))
def test_no_bytes_make_it_fail(noise: bytes, place: int) -> None:
    body = bytearray(b'{"model":"m","input":[{"role":"user","content":[{"type":"text","text":"x"}]}]}')
    body[place:place] = noise
    with suppress(BadRequest):
        read_request(bytes(body))
