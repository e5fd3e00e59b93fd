"""Where an address that somebody else chose may lead: to public hosts over HTTPS, and not into a private network."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

LONGEST = 8192
PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home", ".home.arpa", ".onion")
# IPv6 that stands for an IPv4 address of somebody's choice: NAT64 (two prefixes), 6to4, Teredo, and two old mappings
TUNNELS = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"))
)
HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\.?\Z")
Address = IPv4Address | IPv6Address


def is_public(address: Address) -> bool:
    """Whether this is a host of the public internet, and no disguise of another address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if any(address in tunnel for tunnel in TUNNELS):
            return False
    return address.is_global and not address.is_multicast


def is_loopback(host: str) -> bool:
    """Whether this host name or address is this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def may_lead_out(url: str, *, loopback_allowed: bool = False) -> bool:
    """Whether a client may be sent to this URL.

    ``loopback_allowed`` is for a backend that runs on this machine itself (the simulator, a lab): its addresses may
    then be plain HTTP to this machine.
    """
    if len(url) > LONGEST or not url.isascii() or any(ord(c) <= 0x20 or ord(c) == 0x7F or c == "\\" for c in url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    if loopback_allowed and parts.scheme in ("http", "https") and is_loopback(host):
        return True
    return parts.scheme == "https" and _is_public_host(host.lower())


def _is_public_host(host: str) -> bool:
    """Addresses count by what they are; whatever else looks like a number is one in disguise, and no name."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        private = f".{host.rstrip('.')}".endswith(PRIVATE_NAMES)
        return not private and bool(HOST_NAME.match(host))
