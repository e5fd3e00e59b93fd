"""Which files a turn refers to: found wherever a Responses body may name them, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.file_ids import referenced_files


def body(*items: Any) -> bytes:
    return json.dumps({"model": "gpt-5.5", "input": list(items)}).encode()


def message(*content: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content)}


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([message({"type": "input_file", "file_id": "file_1"})], {"file_1"}),
        ([message({"type": "input_image", "file_id": "file_2", "detail": "high"})], {"file_2"}),
        (
            [message({"type": "input_file", "file_id": "a"}), message({"type": "input_image", "file_id": "b"})],
            {"a", "b"},
        ),
        ([{"type": "function_call_output", "output": [{"type": "input_image", "file_id": "c"}]}], {"c"}),
        ([{"type": "input_image", "file_id": "d"}], {"d"}),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "e"}]}], {"e"}),
        ([message({"type": "input_text", "text": '"file_id": "x"'})], set()),
        ([message({"type": "input_text", "text": "x", "file_id": "no"})], set()),
        ([message({"type": "output_text", "annotations": [{"type": "file_citation", "file_id": "no"}]})], set()),
        ([message({"type": "input_file", "file_id": None}), message({"type": "input_file", "file_id": 5})], set()),
        ([message({"type": "input_file", "file_id": ""})], set()),
        (["text", 5, None, [], {"file_id": "no"}], set()),
        ([{"type": "function_call_output", "output": '{"file_id": "no"}'}], set()),
        ([message("text", {"type": "input_file", "file_id": "no"})], set()),
        ([], set()),
    ],
)
def test_where_files_are_named(items: list[Any], found: set[str]) -> None:
    assert referenced_files(body(*items)) == found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'"file_id"',
        b'{"file_id"',
        b'{"input": "file_id", "file_id": "x"}',
        b'{"input": {"file_id": "x"}}',
        b"[" * 9999,
    ],
)
def test_what_is_no_turn_names_none(raw: bytes) -> None:
    assert referenced_files(raw) == frozenset()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["type", "file_id", "content", "output", "input", "x"]), inner)
        ),
    )
)
def test_nothing_that_comes_makes_it_fail(value: Any) -> None:
    for raw in (body(value), json.dumps({"input": value, "file_id": 1}).encode()):
        assert all(isinstance(found, str) for found in referenced_files(raw))
