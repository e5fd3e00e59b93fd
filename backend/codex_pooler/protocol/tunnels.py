"""What is said to a proxy before it passes bytes on: HTTP CONNECT (RFC 9110) and SOCKS5 (RFC 1928, RFC 1929).

A conversation is a generator: it yields what to send and how many bytes to wait for, and is sent exactly these bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Generator
from ipaddress import IPv4Address, ip_address

from codex_pooler.protocol.http1 import ProtocolError, parse_head, request_head

UNTIL_BLANK_LINE = 0  # instead of a number of bytes
Conversation = Generator[tuple[bytes, int], bytes, None]

SOCKS, ACCEPTED, RESERVED = 5, 0, 0
CONNECT = 1
WITHOUT_PASSWORD, WITH_PASSWORD = 0, 2
PASSWORD_VERSION = 1
IPV4, NAME, IPV6 = 1, 3, 4
ADDRESS_BYTES = {IPV4: 4, IPV6: 16}
PORT_BYTES = 2


class TunnelRefused(Exception):
    """The proxy will not pass anything on.  ``reason`` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def http_connect(host: str, port: int, user: str, password: str) -> Conversation:
    """A tunnel through an HTTP proxy.  An empty ``user`` says nothing of credentials.  Raises TunnelRefused."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("host", authority)]
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers.append(("proxy-authorization", f"Basic {pair}"))
    raw = yield request_head("CONNECT", authority, headers, None), UNTIL_BLANK_LINE
    try:
        status = parse_head(raw.removesuffix(b"\r\n\r\n")).status
    except ProtocolError:
        raise TunnelRefused("not_a_proxy") from None
    if status == 407:
        raise TunnelRefused("credentials")
    if not 200 <= status < 300:
        raise TunnelRefused(f"status_{status}")


def socks5(host: str, port: int, user: str, password: str) -> Conversation:
    """A tunnel through a SOCKS5 proxy, which also looks the name up.  Raises TunnelRefused."""
    method = WITH_PASSWORD if user else WITHOUT_PASSWORD
    version, chosen = yield bytes((SOCKS, 1, method)), 2
    if version != SOCKS:
        raise TunnelRefused("not_a_proxy")
    if chosen != method:
        raise TunnelRefused("credentials")
    if user:
        said = _counted(user.encode()) + _counted(password.encode())
        _, outcome = yield bytes((PASSWORD_VERSION,)) + said, 2
        if outcome != ACCEPTED:
            raise TunnelRefused("credentials")
    request = bytes((SOCKS, CONNECT, RESERVED)) + _address(host) + port.to_bytes(PORT_BYTES, "big")
    version, outcome, _, kind = yield request, 4
    if version != SOCKS:
        raise TunnelRefused("not_a_proxy")
    if outcome != ACCEPTED:
        raise TunnelRefused(f"reply_{outcome}")
    if kind == NAME:
        (length,) = yield b"", 1
    elif not (length := ADDRESS_BYTES.get(kind, 0)):
        raise TunnelRefused("not_a_proxy")
    yield b"", length + PORT_BYTES


def _address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        return bytes((NAME,)) + _counted(host.encode("ascii"))
    return bytes((IPV4 if isinstance(address, IPv4Address) else IPV6,)) + address.packed


def _counted(text: bytes) -> bytes:
    return len(text).to_bytes(1, "big") + text
