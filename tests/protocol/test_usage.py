"""Usage is taken as the backend tells it, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.events import read_terminal
from codex_pooler.protocol.sse import SseEvent
from codex_pooler.protocol.usage import Usage, read_usage

RESPONSES: dict[str, Any] = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
CHAT: dict[str, Any] = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens": 20,
    "completion_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def test_both_shapes_are_read() -> None:
    assert read_usage(RESPONSES) == Usage(input=100, cached=40, output=20, reasoning=5, cache_write=10)
    assert read_usage(CHAT) == Usage(input=100, cached=40, output=20, reasoning=5)


def test_counts_may_stand_beside_the_details() -> None:
    flat = {"input_tokens": 9, "output_tokens": 1, "cached_input_tokens": 4, "cache_write_tokens": 2}
    assert read_usage(flat) == Usage(input=9, cached=4, output=1, reasoning=0, cache_write=2)


def test_no_details_means_none_cached_and_none_reasoned() -> None:
    assert read_usage({"input_tokens": 3, "output_tokens": 2}) == Usage(3, 0, 2, 0)
    nothing = {"input_tokens_details": None, "output_tokens_details": None, "cached_input_tokens": None}
    assert read_usage({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, **nothing}) == Usage(3, 0, 2, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"total_tokens": 121},
        {"total_tokens": "120"},
        {"input_tokens": -1},
        {"input_tokens": 100.0},
        {"input_tokens": "100"},
        {"input_tokens": True},
        {"input_tokens": None},
        {"output_tokens": None},
        {"output_tokens": 10**30, "total_tokens": None},
        {"input_tokens_details": {"cached_tokens": -4}},
        {"input_tokens_details": {"cached_tokens": "many"}},
        {"output_tokens_details": {"reasoning_tokens": 1.5}},
        {"cache_write_tokens": -1, "input_tokens_details": {}},
    ],
)
def test_scenario_43_what_does_not_add_up_is_unknown(change: dict[str, Any]) -> None:
    assert read_usage({**RESPONSES, **change}) is None


@pytest.mark.parametrize("body", [None, 5, "usage", [], {}, {"total_tokens": 7}])
def test_what_is_no_usage_is_unknown(body: object) -> None:
    assert read_usage(body) is None


def test_scenario_43_parts_are_never_more_than_the_whole() -> None:
    body = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 90},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 50},
    }
    assert read_usage(body) == Usage(input=10, cached=10, output=5, reasoning=5, cache_write=0)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_value_in_any_place_gives_sane_counts_or_none(value: Any) -> None:
    for name in (*RESPONSES, "cached_input_tokens", "cache_write_tokens"):
        read = read_usage({**RESPONSES, name: value})
        assert read is None or min(read.input, read.cached, read.output, read.reasoning, read.cache_write) >= 0


def test_odd_usage_makes_the_usage_unknown_and_not_the_turn_failed() -> None:
    event = SseEvent(
        "response.completed", b'{"type":"response.completed","response":{"id":"r","usage":{"input_tokens":"x"}}}'
    )
    terminal = read_terminal(event)
    assert (terminal.kind, terminal.usage) == ("completed", None)


def test_usage_beside_the_response_is_found() -> None:
    data = b'{"type":"response.completed","response":{"id":"r"},"usage":{"input_tokens":3,"output_tokens":2}}'
    assert read_terminal(SseEvent("response.completed", data)).usage == Usage(3, 0, 2, 0)
