"""The door, before any route: whose address a request comes from, and whether it may come in at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from aiohttp import web

from codex_pooler.snapshot.networks import NO_NETWORKS, Address, NetworkSet, address_text, read_address
from codex_pooler.snapshot.settings import Ingress
from codex_pooler.telemetry.metrics import INGRESS_REFUSED, Metrics
from codex_pooler.web.errors import refusal

GUARDED = ("/backend-api", "/api/codex", "/wham", "/v1", "/mcp")  # all that is for tools; nothing that is for people
MOST_HOPS = 32
LONGEST_HOP = 64  # characters
REVOKED = "websocket_revoked"  # the reason in the metrics when an open socket ends
FORWARDED_FOR, REAL_IP = "X-Forwarded-For", "X-Real-Ip"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
CLIENT_IP = web.RequestKey("client_ip", str)


class Unresolved(Exception):
    """The client's address cannot be told.  ``reason`` comes from a closed set."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Verdict(NamedTuple):
    """Whether a client may come in; ``reason`` says why not.  ``hops``: forwarded addresses that were looked at."""

    address: Address | None
    reason: str | None
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request says it comes from: the connection's other end, and what proxies have written."""

    peer: str
    forwarded_for: Sequence[str] = ()
    real_ip: Sequence[str] = ()


def resolve(origin: Origin, ingress: Ingress) -> tuple[Address, int]:
    """The client's address and the hops looked at; forwarded ones count only if the peer is a trusted proxy.

    Raises Unresolved.
    """
    try:
        peer = read_address(origin.peer)
    except ValueError:
        raise Unresolved("forwarded_chain_unresolved") from None
    if ingress.forwarded_client_ip_source == "peer":
        return peer, 0
    if ingress.trusted_proxies is None:
        raise Unresolved("invalid_trusted_proxy_rules")
    if peer not in ingress.trusted_proxies:
        return peer, 0
    if ingress.forwarded_client_ip_source == "x_real_ip":
        return _real_ip(origin.real_ip), 1
    hops = _hops(origin.forwarded_for)
    if ingress.forwarded_proxy_depth:
        return _at_depth(hops, ingress.forwarded_proxy_depth)
    return _first_untrusted(hops, ingress.trusted_proxies)


def _real_ip(values: Sequence[str]) -> Address:
    if not values:
        raise Unresolved("forwarded_header_missing")
    if len(values) > 1:
        raise Unresolved("duplicate_x_real_ip")
    return _hop(values[0].strip())


def _hops(values: Sequence[str]) -> list[str]:
    """The chain as it was written, the client's end first."""
    hops = [hop.strip() for value in values for hop in value.split(",")]
    if not hops:
        raise Unresolved("forwarded_header_missing")
    if len(hops) > MOST_HOPS:
        raise Unresolved("forwarded_hop_limit_exceeded")
    return hops


def _at_depth(hops: list[str], depth: int) -> tuple[Address, int]:
    if depth > len(hops):
        raise Unresolved("forwarded_depth_unsatisfied")
    return _hop(hops[-depth]), depth


def _first_untrusted(hops: list[str], trusted: NetworkSet) -> tuple[Address, int]:
    for looked_at, hop in enumerate(reversed(hops), 1):
        if (address := _hop(hop)) not in trusted:
            return address, looked_at
    raise Unresolved("forwarded_chain_unresolved")


def _hop(text: str) -> Address:
    """``203.0.113.7``, ``203.0.113.7:443``, ``[2001:db8::1]`` or ``[2001:db8::1]:443``, and IPv6 without brackets."""
    if len(text) > LONGEST_HOP:
        raise Unresolved("forwarded_entry_too_long")
    if not text.isascii() or not text.isprintable():
        raise Unresolved("invalid_forwarded_bytes")
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        port = port if closed else "?"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        port = f":{port}"
    if port and not (port[0] == ":" and port[1:].isdecimal() and int(port[1:]) <= 65535):
        raise Unresolved("invalid_forwarded_entry")
    try:
        return read_address(host)
    except ValueError:
        raise Unresolved("invalid_forwarded_entry") from None


def verdict(origin: Origin, ingress: Ingress) -> Verdict:
    """What the firewall says; with no allowed networks everybody may come in, whoever it is."""
    allowed = ingress.firewall_allowlist
    try:
        address, hops = resolve(origin, ingress)
    except Unresolved as exc:
        return Verdict(None, exc.reason if ingress.has_firewall else None)
    if allowed is None:
        return Verdict(address, "invalid_allowlist_rules", hops)
    return Verdict(address, "not_allowed" if allowed and address not in allowed else None, hops)


def origin_of(request: web.BaseRequest) -> Origin:
    headers = request.headers
    return Origin(request.remote or "", headers.getall(FORWARDED_FOR, ()), headers.getall(REAL_IP, ()))


def client_ip(request: web.BaseRequest, ingress: Ingress) -> str:
    """The client's address as text; empty when it cannot be told."""
    known: str | None = request.get(CLIENT_IP)
    if known is not None:
        return known
    try:
        if ingress.trusted_proxies == NO_NETWORKS:
            return address_text(request.remote or "")
        return str(resolve(origin_of(request), ingress)[0])
    except (ValueError, Unresolved):
        return ""


class Door:
    """Stands before the application's routes, and costs next to nothing while there is no firewall."""

    def __init__(self, ingress: Callable[[], Ingress], metrics: Metrics) -> None:
        self._ingress, self._metrics = ingress, metrics

    def before(self, handler: Handler) -> Handler:
        """The handler behind this door.  It is no coroutine, so that an admitted request runs through none more."""

        def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
            path, ingress = request.rel_url.path_safe, self._ingress()
            odd = "%2F" in path or "\\" in path or "\0" in path
            if not (odd or ingress.has_firewall) or not _is_guarded(path):
                return handler(request)
            if odd:
                return _answer(refusal(400, "invalid_request", "request path is invalid; leave out encoded slashes"))
            return self._checked(request, ingress, handler)

        return handle

    def _checked(self, request: web.BaseRequest, ingress: Ingress, handler: Handler) -> Awaitable[web.StreamResponse]:
        found = verdict(origin_of(request), ingress)
        if found.reason is None:
            request[CLIENT_IP] = str(found.address)
            return handler(request)
        self._metrics.count(INGRESS_REFUSED, found.reason)
        message = "client IP is not allowed; ask an operator to add it under Settings, Ingress in the console"
        response = refusal(403, "access_denied", message)
        response.force_close()
        return _answer(response)


def _is_guarded(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in GUARDED)


async def _answer(response: web.Response) -> web.StreamResponse:
    return response


DOOR = web.AppKey("door", Door)


def still_allowed(address: str, ingress: Ingress) -> bool:
    """For connections that stay open: whether a client that was let in with this address still may be here."""
    known = replace(ingress, forwarded_client_ip_source="peer")
    return not ingress.has_firewall or verdict(Origin(address), known).reason is None
