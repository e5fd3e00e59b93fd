"""Addresses that others choose: they lead out to public hosts, or they are refused (B9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.destinations import is_loopback, may_lead_out

PUBLIC = [
    "https://files.example.com/upload/1?sig=a%2Fb",
    "https://FILES.example.com",
    "https://a_b.blob.core.windows.net/x?sv=1&se=2030-01-01T00%3A00%3A00Z",
    "https://files.example.com:8443/x",
    "https://files.example.com./x",
    "https://1.1.1.1/x",
    "https://[2606:4700::1111]/x",
    "https://[::ffff:1.1.1.1]/x",
    "https://xn--bcher-kva.example/x",
]
REFUSED = [
    "",
    "files.example.com/x",
    "//files.example.com/x",
    "http://files.example.com/x",
    "ftp://files.example.com/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///x",
    "https://user@files.example.com/x",
    "https://user:secret@files.example.com/x",
    "https://@files.example.com/x",
    "https://files.example.com\\@10.0.0.1/x",
    "https://files.example.com/a b",
    " https://files.example.com/x",
    "https://files.example.com/x\n",
    "https://files.example.com/\tx",
    "https://files.example.com/\x7f",
    "https://files.exämple.com/x",
    "https://files.example.com:99999/x",
    "https://files.example.com:x/x",
    "https://[::1/x",
    "https://localhost/x",
    "https://LOCALHOST/x",
    "https://localhost./x",
    "https://a.localhost/x",
    "https://printer/x",
    "https://printer.local/x",
    "https://api.internal/x",
    "https://metadata.google.internal/x",
    "https://router.home.arpa/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://0x7f000001/x",
    "https://017700000001/x",
    "https://0/x",
    "https://0.0.0.0/x",
    "https://10.0.0.1/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/x",
    "https://100.64.0.1/x",
    "https://192.0.2.1/x",
    "https://198.51.100.1/x",
    "https://203.0.113.1/x",
    "https://198.18.0.1/x",
    "https://224.0.0.1/x",
    "https://240.0.0.1/x",
    "https://255.255.255.255/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://[::ffff:0:10.0.0.1]/x",
    "https://[::10.0.0.1]/x",
    "https://[64:ff9b::10.0.0.1]/x",
    "https://[64:ff9b::1.1.1.1]/x",
    "https://[64:ff9b:1::1]/x",
    "https://[2002:0a00:0001::1]/x",
    "https://[2001::1]/x",
    "https://[2001:db8::1]/x",
    "https://[fc00::1]/x",
    "https://[fe80::1]/x",
    "https://[fe80::1%25eth0]/x",
    "https://[ff02::1]/x",
    "https://files..example.com/x",
    "https://-.example.com/x",
    "https://example.com-/x",
    "https://files.example.com/" + "a" * 9000,
]


@pytest.mark.parametrize("url", PUBLIC)
def test_public_hosts_over_https(url: str) -> None:
    assert may_lead_out(url)


@pytest.mark.parametrize("url", REFUSED)
def test_everything_else(url: str) -> None:
    assert not may_lead_out(url)


def test_a_backend_on_this_machine_may_send_its_clients_to_this_machine() -> None:
    for url in ("http://127.0.0.1:9000/upload/1", "https://localhost/x", "http://[::1]:80/x"):
        assert may_lead_out(url, loopback_allowed=True)
        assert not may_lead_out(url)
    for url in ("http://10.0.0.1/x", "http://files.example.com/x", "ftp://127.0.0.1/x", "http://u@127.0.0.1/x"):
        assert not may_lead_out(url, loopback_allowed=True)
    assert may_lead_out("https://files.example.com/x", loopback_allowed=True)


def test_what_this_machine_is_called() -> None:
    assert all(map(is_loopback, ("localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]")))
    assert not any(map(is_loopback, ("chatgpt.com", "10.0.0.1", "0.0.0.0", "", "localhost.example.com")))


@given(st.text(max_size=60), st.booleans())
def test_nothing_that_comes_makes_it_fail(text: str, loopback: bool) -> None:
    for url in (text, f"https://{text}", f"https://{text}/x", f"https://[{text}]/"):
        assert may_lead_out(url, loopback_allowed=loopback) in (True, False)
