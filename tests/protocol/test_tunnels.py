"""What proxies are told, byte by byte, and what their answers mean; no socket is involved."""

from __future__ import annotations

import pytest

from codex_pooler.protocol.tunnels import UNTIL_BLANK_LINE, Conversation, TunnelRefused, http_connect, socks5

CONNECT = b"CONNECT h.example:443 HTTP/1.1\r\nhost: h.example:443\r\n"
HELLO, HELLO_WITH_PASSWORD = b"\x05\x01\x00", b"\x05\x01\x02"
TO_NAME = b"\x05\x01\x00\x03\x09h.example\x01\xbb"


def play(talk: Conversation, *heard: bytes) -> list[tuple[bytes, int]]:
    """Both sides of a conversation: what is said, and how many bytes it waits for each time."""
    steps = [next(talk)]
    for answer in heard:
        try:
            steps.append(talk.send(answer))
        except StopIteration:
            return steps
    raise AssertionError("the conversation goes on")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 Yes\r\nvia: x\r\n\r\n"])
def test_an_http_proxy_is_asked_to_connect(answer: bytes) -> None:
    assert play(http_connect("h.example", 443, "", ""), answer) == [(CONNECT + b"\r\n", UNTIL_BLANK_LINE)]


def test_an_http_proxy_is_shown_credentials_at_once() -> None:
    ((said, _),) = play(http_connect("h.example", 443, "me", "p:w"), b"HTTP/1.1 200 OK\r\n\r\n")
    assert said == CONNECT + b"proxy-authorization: Basic bWU6cDp3\r\n\r\n"


def test_an_ipv6_destination_is_bracketed() -> None:
    ((said, _),) = play(http_connect("::1", 80, "", ""), b"HTTP/1.1 200 OK\r\n\r\n")
    assert said.startswith(b"CONNECT [::1]:80 HTTP/1.1\r\nhost: [::1]:80\r\n")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "credentials"),
        (b"HTTP/1.1 502 Bad Gateway\r\nserver: x\r\n\r\n", "status_502"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://login/\r\n\r\n", "status_302"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not_a_proxy"),
    ],
)
def test_refusals_of_http_proxies_have_names(answer: bytes, reason: str) -> None:
    with pytest.raises(TunnelRefused, match=f"^{reason}$"):
        play(http_connect("h.example", 443, "", ""), answer)


@pytest.mark.parametrize(
    ("bound", "waits"),
    [(b"\x01", [6]), (b"\x04", [18]), (b"\x03", [1, 11])],
    ids=["ipv4", "ipv6", "name"],
)
def test_a_socks_proxy_looks_the_name_up_and_may_say_where_it_is_in_any_form(bound: bytes, waits: list[int]) -> None:
    rest = [b"\x09", bytes(11)] if bound == b"\x03" else [bytes(waits[0])]
    steps = play(socks5("h.example", 443, "", ""), b"\x05\x00", b"\x05\x00\x00" + bound, *rest)
    assert steps == [(HELLO, 2), (TO_NAME, 4), *((b"", size) for size in waits)]


def test_a_socks_proxy_gets_credentials_when_there_are_some() -> None:
    steps = play(socks5("h.example", 443, "me", "pw"), b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01", bytes(6))
    assert steps[:3] == [(HELLO_WITH_PASSWORD, 2), (b"\x01\x02me\x02pw", 2), (TO_NAME, 4)]


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", b"\x01\x7f\x00\x00\x01"), ("::1", b"\x04" + bytes(15) + b"\x01")]
)
def test_addresses_go_to_a_socks_proxy_as_such(host: str, address: bytes) -> None:
    steps = play(socks5(host, 80, "", ""), b"\x05\x00", b"\x05\x00\x00\x01", bytes(6))
    assert steps[1] == (b"\x05\x01\x00" + address + b"\x00\x50", 4)


@pytest.mark.parametrize(
    ("user", "heard", "reason"),
    [
        ("", [b"HT"], "not_a_proxy"),
        ("", [b"\x05\xff"], "credentials"),
        ("", [b"\x05\x02"], "credentials"),
        ("me", [b"\x05\x00"], "credentials"),
        ("me", [b"\x05\x02", b"\x01\x01"], "credentials"),
        ("", [b"\x05\x00", b"\x05\x05\x00\x01"], "reply_5"),
        ("", [b"\x05\x00", b"\x04\x00\x00\x01"], "not_a_proxy"),
        ("", [b"\x05\x00", b"\x05\x00\x00\x09"], "not_a_proxy"),
    ],
)
def test_refusals_of_socks_proxies_have_names(user: str, heard: list[bytes], reason: str) -> None:
    with pytest.raises(TunnelRefused, match=f"^{reason}$"):
        play(socks5("h.example", 443, user, "pw"), *heard)
