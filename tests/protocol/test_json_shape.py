"""What kind of JSON a body is, told without minding what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.json_shape import check_object, check_object_or_array
from codex_pooler.protocol.requests import BadRequest

OBJECTS = [b"{}", b' {"a": [1, {"b": 1e400}]} ', b'{"a":1,"a":2}', b'{"n":' + b"9" * 400 + b"}"]
NEITHER = [
    b"",
    b"5",
    b'"x"',
    b"null",
    b"{",
    b'{"a":}',
    b"{'a':1}",
    b"\xff",
    b'{"a": NaN}',
    b'{"a": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 99_999,
]


@pytest.mark.parametrize("body", OBJECTS)
def test_objects(body: bytes) -> None:
    check_object(body)
    check_object_or_array(body)


@pytest.mark.parametrize("body", NEITHER, ids=range(len(NEITHER)))
def test_neither(body: bytes) -> None:
    for check in (check_object, check_object_or_array):
        with pytest.raises(BadRequest):
            check(body)


def test_arrays_are_for_those_who_take_them() -> None:
    check_object_or_array(b"[1, {}]")
    with pytest.raises(BadRequest):
        check_object(b"[1, {}]")


@given(st.binary(max_size=100))
def test_nothing_that_comes_makes_it_fail(body: bytes) -> None:
    for raw in (body, b"{" + body, b'{"a":' + body + b"}"):
        try:
            check_object_or_array(raw)
        except BadRequest:
            continue
