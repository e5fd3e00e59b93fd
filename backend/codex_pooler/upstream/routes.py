"""Where an account's requests go: everybody's backend or that of its workspace, straight or through its proxy."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from codex_pooler.protocol.destinations import is_loopback
from codex_pooler.upstream.egress import Destination, tls_context

BACKENDS = ("chatgpt.com", "openai.com")  # under these names a workspace's backend may be found
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Route:
    """``authority`` is what the Host header says, ``proxy`` the address of the only way out, None for straight."""

    to: Destination
    authority: str
    path_prefix: str = ""
    proxy: str | None = field(default=None, repr=False)


def route_to(origin: str, proxy: str | None = None, tls: ssl.SSLContext | None = None) -> Route:
    """The route to an origin, over TLS when it says https.  Raises ValueError when it has no host."""
    parts = urlsplit(origin)
    if parts.hostname is None or parts.scheme not in DEFAULT_PORTS:
        raise ValueError("an origin is http:// or https:// and a host")
    checked = (tls or tls_context()) if parts.scheme == "https" else None
    to = Destination(parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme], checked)
    return Route(to, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), proxy)


def trusted_origin(origin: str, configured: str) -> str | None:
    """The origin as it may be stored; None when no account's token may be sent there.

    That is: HTTPS under the backend's own names, or the ``configured`` backend itself.  A configured backend on this
    machine (the simulator, a lab) may name others on this machine.
    """
    try:
        parts = urlsplit(origin)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    plain = f"{parts.scheme}://{parts.netloc.lower()}"
    rest = parts.path.rstrip("/") + parts.query + parts.fragment
    if rest or "@" in parts.netloc or not origin.isascii() or not origin.isprintable():
        return None
    ours = urlsplit(configured)
    if plain == f"{ours.scheme}://{ours.netloc.lower()}":
        return plain
    if is_loopback(ours.hostname or "") and is_loopback(host) and parts.scheme in DEFAULT_PORTS:
        return plain
    public = parts.scheme == "https" and port in (None, 443)
    return plain if public and any(host == name or host.endswith(f".{name}") for name in BACKENDS) else None
