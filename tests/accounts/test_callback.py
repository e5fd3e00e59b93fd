"""The pasted address: every way it can be wrong has its code, and nothing of it is repeated."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_pooler.accounts.callback import parse_callback
from codex_pooler.accounts.flow_codes import CODES, FlowRefused

GOOD = "http://localhost:1455/auth/callback?code=ac_1&scope=openid+email&state=st"


def code_of(given: str) -> str:
    with pytest.raises(FlowRefused) as caught:
        parse_callback(given)
    assert caught.value.status == CODES[caught.value.code][0]
    return caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        f"  {GOOD}\n",
        GOOD.replace("localhost", "127.0.0.1"),
        GOOD.replace("localhost", "LOCALHOST"),
        f"{GOOD}&something=new&error=",
        f"{GOOD}#",
    ],
)
def test_the_address_of_a_finished_sign_in_is_read(url: str) -> None:
    found = parse_callback(url)
    assert (found.code, found.state, found.denied) == ("ac_1", "st", False)
    assert "ac_1" not in repr(found)


def test_a_denial_is_read() -> None:
    found = parse_callback("http://localhost:1455/auth/callback?error=access_denied&error_description=x&state=st")
    assert (found.state, found.denied) == ("st", True)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid_callback_url"),
        ("ac_1#st", "invalid_callback_url"),
        ("?code=ac_1&state=st", "invalid_callback_url"),
        ("localhost:1455/auth/callback?code=ac_1&state=st", "invalid_callback_url"),
        ("http://", "invalid_callback_url"),
        ("http://[::1", "invalid_callback_url"),
        ("http://localhost:99999/auth/callback?code=a&state=s", "invalid_callback_url"),
        ("http://localhost:1455/auth/callback?code=a&state=s " + GOOD, "invalid_callback_url"),
        ("http://localhost:1455/auth/callback?state=s\x00&code=a", "invalid_callback_url"),
        (GOOD + "x" * 9000, "invalid_callback_url"),
        (GOOD.replace("1455", "1456"), "invalid_callback_origin"),
        (GOOD.replace(":1455", ""), "invalid_callback_origin"),
        (GOOD.replace("localhost", "example.com"), "invalid_callback_origin"),
        (GOOD.replace("localhost", "localhost.example.com"), "invalid_callback_origin"),
        (GOOD.replace("localhost", "me@localhost"), "invalid_callback_origin"),
        (GOOD.replace("http:", "https:"), "invalid_callback_origin"),
        (GOOD.replace("http:", "javascript:"), "invalid_callback_origin"),
        (GOOD.replace("/auth/callback", "/auth/callback/"), "invalid_callback_origin"),
        (GOOD.replace("/auth/callback", "/"), "invalid_callback_origin"),
        (GOOD.replace("state", "st"), "missing_state"),
        (GOOD.replace("state=st", "state="), "missing_state"),
        ("http://localhost:1455/auth/callback", "missing_state"),
        (f"{GOOD}&state=other", "duplicate_callback_param"),
        (f"{GOOD}&code=ac_1", "duplicate_callback_param"),
        (GOOD.replace("code=ac_1", "code="), "missing_callback_result"),
        (GOOD.replace("code=ac_1", "c=ac_1"), "missing_callback_result"),
    ],
)
def test_scenario_33_each_mistake_in_the_address_has_its_code(url: str, code: str) -> None:
    assert code_of(url) == code


@given(
    st.text() | st.text(alphabet="htp:/localhost.1455?&=%codestaterror#@[]\n ").map(lambda s: "http://localhost" + s)
)
@example("http://localhost:1455/auth/callback?" + "&".join(["a=b"] * 100))
@example("http://\u2100/")
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = None
    try:
        assert parse_callback(text).state
    except FlowRefused as exc:
        refused = exc
    assert refused is None or refused.message == CODES[refused.code][1], "nothing of the text can be in it"


secret = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(code=secret, state=secret)
def test_codes_and_states_come_through_whole(code: str, state: str) -> None:
    found = parse_callback(f"http://localhost:1455/auth/callback?{urlencode({'code': code, 'state': state})}")
    assert (found.code, found.state) == (code, state)
