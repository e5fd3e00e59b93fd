"""What the sign-in server is asked when somebody signs in, and what each of its answers means."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.upstream.oauth import CLIENT_ID, SignIn, challenge_of
from codex_pooler.upstream.sign_in_answers import (
    DeviceGranted,
    SignInRefused,
    Waiting,
    approval_of,
    device_start_of,
    person_of,
)
from codex_pooler.upstream.sign_in_wire import NotAnswered, Reply
from tests.upstream.test_oauth import GRANTED, server


def reply(status: int, body: Any) -> Reply:
    return Reply(status, body if isinstance(body, bytes) else orjson.dumps(body))


def test_the_challenge_is_the_one_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_codes_are_exchanged_with_a_form() -> None:
    heard: list[tuple[bytes, bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.append((head, await reader.readexactly(length)))
        raw = orjson.dumps(GRANTED)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(raw) + raw)
        await writer.drain()

    async with server(talk) as origin:
        grant = await SignIn(origin).exchange("ac_1&x", "verifier", "http://localhost:1455/auth/callback")
    ((head, body),) = heard
    assert head.startswith(b"POST /oauth/token HTTP/1.1")
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert b"originator: codex_cli_rs" in head.lower()
    assert dict(parse_qsl(body.decode())) == {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": "ac_1&x",
        "redirect_uri": "http://localhost:1455/auth/callback",
        "code_verifier": "verifier",
    }
    assert (grant.access_token, grant.refresh_token) == ("a", "r")
    assert "ac_1" not in repr(grant)


@pytest.mark.parametrize(
    ("told", "code", "interval"),
    [
        ({"user_code": "AB-CD", "interval": "5"}, "AB-CD", 5),
        ({"usercode": "AB-CD", "interval": 7}, "AB-CD", 7),
        ({"user_code": "AB-CD"}, "AB-CD", 5),
        ({"user_code": "AB-CD", "interval": "soon"}, "AB-CD", 5),
        ({"user_code": "AB-CD", "interval": -3}, "AB-CD", 5),
        ({"user_code": "AB-CD", "interval": 0}, "AB-CD", 1),
        ({"user_code": "AB-CD", "interval": 86_400}, "AB-CD", 60),
    ],
)
def test_device_sign_ins_begin_however_they_are_worded(told: dict[str, Any], code: str, interval: int) -> None:
    found = device_start_of(reply(200, {"device_auth_id": "d", **told}))
    assert (found.user_code, found.interval_seconds) == (code, interval)
    assert code not in repr(found)


@pytest.mark.parametrize("body", [b"", b"<html>", {}, {"device_auth_id": "d"}, {"user_code": "x"}, []])
def test_a_beginning_that_cannot_be_read_is_none(body: Any) -> None:
    with pytest.raises(NotAnswered):
        device_start_of(reply(200, body))


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (403, {"error": {"code": "authorization_pending"}}, Waiting.PENDING),
        (404, {"detail": "not found"}, Waiting.PENDING),
        (400, {"error": "authorization_pending"}, Waiting.PENDING),
        (400, {"error": "slow_down"}, Waiting.SLOW_DOWN),
        (429, b"<html>", Waiting.SLOW_DOWN),
        (400, {"error": "expired_token"}, "expired_token"),
        (403, {"error": {"code": "access_denied"}}, "access_denied"),
        (400, {"error": {"code": "brand_new"}}, "brand_new"),
        (422, {}, "sign_in_422"),
    ],
)
def test_scenario_34_what_a_poll_can_hear(status: int, body: Any, meaning: Any) -> None:
    if isinstance(meaning, Waiting):
        assert approval_of(reply(status, body)) is meaning
        return
    with pytest.raises(SignInRefused) as raised:
        approval_of(reply(status, body))
    assert raised.value.code == meaning


@pytest.mark.parametrize(("status", "body"), [(403, b"<html>checking your browser"), (503, {}), (302, b""), (200, {})])
def test_what_says_nothing_about_the_approval_is_asked_again(status: int, body: Any) -> None:
    with pytest.raises(NotAnswered):
        approval_of(reply(status, body))


def test_an_approval_brings_a_code_and_its_verifier() -> None:
    found = approval_of(reply(200, {"authorization_code": "ac", "code_verifier": "cv", "code_challenge": "c"}))
    assert found == DeviceGranted("ac", "cv")
    assert "ac'" not in repr(found)


def test_a_person_is_read_and_whatever_is_odd_is_left_out() -> None:
    told = {"chatgpt_account_id": "acct", "chatgpt_user_id": 5, "email": "a@x.y", "chatgpt_account_is_fedramp": "yes"}
    found = person_of(reply(200, told))
    assert (found.account_id, found.user_id, found.email, found.is_fedramp) == ("acct", None, "a@x.y", False)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"detail": "Unauthorized"}, SignInRefused),
        (403, {"error": {"code": "token_revoked"}}, SignInRefused),
        (403, b"<html>", NotAnswered),
        (502, b"bad gateway", NotAnswered),
        (429, {}, NotAnswered),
        (200, {"email": "a@x.y"}, NotAnswered),
    ],
)
def test_a_token_is_refused_only_by_the_server_itself(status: int, body: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        person_of(reply(status, body))


@given(st.integers(200, 599), st.binary(max_size=64) | st.dictionaries(st.text(), st.text()).map(orjson.dumps))
def test_any_answer_is_understood_or_told(status: int, body: bytes) -> None:
    for read in (approval_of, device_start_of, person_of):
        try:
            read(Reply(status, body))
        except (NotAnswered, SignInRefused) as exc:
            code = exc.code
            assert code.isascii()
