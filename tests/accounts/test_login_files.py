"""Uploads may hold one login, many in a list, or one on each line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.accounts.login_files import logins_in

ONE, OTHER = {"tokens": {"a": 1}}, {"tokens": {"b": 2}, "new_field": [1]}


def test_one_file_is_one_login_however_it_is_written() -> None:
    assert logins_in(json.dumps(ONE)) == [ONE]
    assert logins_in("\ufeff\n" + json.dumps(ONE, indent=2)) == [ONE]


def test_a_list_holds_many() -> None:
    assert logins_in(json.dumps([ONE, OTHER])) == [ONE, OTHER]


def test_lines_hold_one_each_and_a_broken_line_stays_one() -> None:
    text = f"{json.dumps(ONE)}\r\n\n{{broken\n{json.dumps(OTHER)}\n"
    assert logins_in(text) == [json.dumps(ONE), "{broken", json.dumps(OTHER)]


def test_what_is_no_login_is_one_thing_to_refuse() -> None:
    for text in ("", "nonsense", "two\nlines", "{", "[]", "5", json.dumps(ONE, indent=2)[:-3]):
        assert len(logins_in(text)) == 1


@given(st.text())
def test_nothing_is_ever_nothing(text: str) -> None:
    assert logins_in(text)
