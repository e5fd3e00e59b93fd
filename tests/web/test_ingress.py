"""Whose address counts behind proxies, who may come in, and what the door costs when it stands open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from codex_pooler.snapshot.networks import network_set, read_network
from codex_pooler.snapshot.settings import Ingress, settings_of
from codex_pooler.telemetry.metrics import INGRESS_REFUSED, Metrics
from codex_pooler.web.ingress import Door, Origin, Unresolved, client_ip, resolve, still_allowed, verdict

PROXY, OTHER_PROXY, CLIENT, SPOOFED = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"
BEHIND = Ingress(trusted_proxies=network_set(["10.0.0.0/8", "2001:db8:aaaa::/48"]))


def resolved(origin: Origin, ingress: Ingress = BEHIND, **more: Any) -> str:
    try:
        return str(resolve(origin, replace(ingress, **more))[0])
    except Unresolved as exc:
        return exc.reason


# peer, X-Forwarded-For lines, depth -> address or reason
CHAINS: list[tuple[str, Sequence[str], int, str]] = [
    (CLIENT, [SPOOFED], 0, CLIENT),  # A14: an untrusted peer may write what it likes
    (CLIENT, [], 0, CLIENT),
    (PROXY, [CLIENT], 0, CLIENT),
    (PROXY, [f"{SPOOFED}, {CLIENT}, {OTHER_PROXY}"], 0, CLIENT),  # the rightmost that is no proxy
    (PROXY, [SPOOFED, CLIENT, OTHER_PROXY], 0, CLIENT),  # several lines are one chain
    (PROXY, [f"{SPOOFED},{CLIENT}"], 1, CLIENT),
    (PROXY, [f"{SPOOFED}, {CLIENT}, {OTHER_PROXY}"], 2, CLIENT),
    (PROXY, [CLIENT], 2, "forwarded_depth_unsatisfied"),
    (PROXY, [OTHER_PROXY], 0, "forwarded_chain_unresolved"),
    (PROXY, [], 0, "forwarded_header_missing"),
    (PROXY, [""], 0, "invalid_forwarded_entry"),
    (PROXY, ["unknown"], 0, "invalid_forwarded_entry"),
    (PROXY, [f"{CLIENT}:99999"], 0, "invalid_forwarded_entry"),
    (PROXY, [f"{CLIENT}:x"], 0, "invalid_forwarded_entry"),
    (PROXY, ["[2001:db8::7"], 0, "invalid_forwarded_entry"),
    (PROXY, ["[2001:db8::7]443"], 0, "invalid_forwarded_entry"),
    (PROXY, ["0177.0.0.1"], 0, "invalid_forwarded_entry"),  # not octal, not anything
    (PROXY, ["203.0.113.7\x7f"], 0, "invalid_forwarded_bytes"),
    (PROXY, ["２０３.0.113.7"], 0, "invalid_forwarded_bytes"),
    (PROXY, ["1" * 65], 0, "forwarded_entry_too_long"),
    (PROXY, [", ".join([CLIENT] * 33)], 0, "forwarded_hop_limit_exceeded"),
    (PROXY, [", ".join([CLIENT] * 32)], 0, CLIENT),
    (PROXY, [f"not an address, {CLIENT}"], 0, CLIENT),  # what is left of the client is its own invention
    (PROXY, [f"{CLIENT}:51234"], 0, CLIENT),
    (PROXY, ["[2001:db8::7]:443"], 0, "2001:db8::7"),
    (PROXY, ["[2001:db8::7]"], 0, "2001:db8::7"),
    (PROXY, ["2001:db8::7"], 0, "2001:db8::7"),
    (PROXY, ["::ffff:203.0.113.7"], 0, CLIENT),
    ("::ffff:10.0.0.1", [CLIENT], 0, CLIENT),  # an IPv4 proxy on an IPv6 socket
    ("2001:db8:aaaa::5", [CLIENT], 0, CLIENT),
    ("2001:db8:bbbb::5", [CLIENT], 0, "2001:db8:bbbb::5"),
    ("fe80::1%eth0", [], 0, "fe80::1"),
    ("", [CLIENT], 0, "forwarded_chain_unresolved"),
]


@pytest.mark.parametrize(("peer", "forwarded", "depth", "expected"), CHAINS)
def test_a14_the_client_is_who_the_trusted_proxies_say(
    peer: str, forwarded: Sequence[str], depth: int, expected: str
) -> None:
    assert resolved(Origin(peer, forwarded), forwarded_proxy_depth=depth) == expected


def test_x_real_ip_counts_from_trusted_proxies_and_once() -> None:
    def real(peer: str, *values: str) -> str:
        return resolved(Origin(peer, [SPOOFED], values), forwarded_client_ip_source="x_real_ip")

    assert real(PROXY, CLIENT) == CLIENT
    assert real(CLIENT, SPOOFED) == CLIENT
    assert real(PROXY, CLIENT, SPOOFED) == "duplicate_x_real_ip"
    assert real(PROXY) == "forwarded_header_missing"
    assert real(PROXY, f"{CLIENT}, {SPOOFED}") == "invalid_forwarded_entry"


def test_the_peer_alone_can_be_made_to_count() -> None:
    assert resolved(Origin(PROXY, [CLIENT]), forwarded_client_ip_source="peer") == PROXY


def test_unreadable_rules_let_nobody_in() -> None:
    broken = settings_of({"ingress": {"firewall_allowlist": ["203.0.113.0/24", "203.0.113.0/33"]}}).ingress
    assert broken.has_firewall
    assert verdict(Origin(CLIENT), broken).reason == "invalid_allowlist_rules"
    proxies = settings_of({"ingress": {"firewall_allowlist": [CLIENT], "trusted_proxies": [7]}}).ingress
    assert verdict(Origin(CLIENT), proxies).reason == "invalid_trusted_proxy_rules"
    nonsense = settings_of({"ingress": "off"}).ingress
    assert verdict(Origin(CLIENT), nonsense).reason == "invalid_trusted_proxy_rules"
    assert not still_allowed(CLIENT, nonsense)


def test_the_allow_list() -> None:
    fenced = replace(
        BEHIND, firewall_allowlist=network_set(["203.0.113.0/24", "2001:db8::/64", "::ffff:192.0.2.0/120"])
    )
    for peer, reason in {
        CLIENT: None,
        "::ffff:203.0.113.9": None,
        "2001:db8::1": None,
        "192.0.2.44": None,
        "2001:db8:0:1::1": "not_allowed",
        SPOOFED: "not_allowed",
        PROXY: "forwarded_header_missing",
    }.items():
        assert verdict(Origin(peer), fenced).reason == reason, peer
    assert verdict(Origin(PROXY, [f"{SPOOFED}, {CLIENT}"]), fenced) == (read_network(CLIENT)[0], None, 1)
    assert still_allowed(CLIENT, fenced)
    assert not still_allowed(SPOOFED, fenced)
    assert not still_allowed("", fenced)


def test_without_an_allow_list_everybody_may_come_in() -> None:
    for origin in (Origin(CLIENT), Origin(PROXY, ["nonsense"]), Origin("")):
        assert verdict(origin, BEHIND).reason is None
    assert still_allowed("", BEHIND)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", "2001:db8::/129", "1.2.3"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        network_set([text])


class House:
    """A server behind the door, with settings that a test may change."""

    def __init__(self) -> None:
        self.ingress = Ingress()
        self.metrics = Metrics()
        self.door = Door(lambda: self.ingress, self.metrics)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"client": client_ip(request, self.ingress)})


def request_from(peer: str, path: str = "/v1/responses", **headers: str) -> web.Request:
    request = make_mocked_request("POST", path, headers={name.replace("_", "-"): v for name, v in headers.items()})
    request._transport_peername = (peer, 4711)
    return request


async def answer(house: House, request: web.Request) -> tuple[int, bytes]:
    response = await house.door.before(house.serve)(request)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.status, response.body


async def test_a_stranger_is_told_so_before_anything_else() -> None:
    house = House()
    house.ingress = Ingress(firewall_allowlist=network_set([CLIENT]))
    status, body = await answer(house, request_from(SPOOFED, X_Forwarded_For=CLIENT))
    assert status == 403
    assert b'"code":"access_denied"' in body
    assert b"client IP is not allowed" in body
    assert SPOOFED.encode() not in body
    assert house.metrics.counts[INGRESS_REFUSED, "not_allowed"] == 1
    assert await answer(house, request_from(CLIENT)) == (200, b'{"client": "203.0.113.7"}')


GUARDED = ["/v1/responses", "/v1", "/mcp", "/backend-api/codex/responses", "/wham/usage", "/%76%31/responses"]
OPEN = ["/healthz", "/readyz", "/metrics", "/api/admin/v1/settings", "/", "/pools", "/v1x", "/mcp-docs", "/assets/a.js"]


async def test_the_fence_is_around_the_tools_routes_and_not_around_the_console() -> None:
    house = House()
    house.ingress = Ingress(firewall_allowlist=network_set([CLIENT]))
    assert {path: (await answer(house, request_from(SPOOFED, path)))[0] for path in GUARDED} == dict.fromkeys(
        GUARDED, 403
    )
    assert {path: (await answer(house, request_from(SPOOFED, path)))[0] for path in OPEN} == dict.fromkeys(OPEN, 200)


@pytest.mark.parametrize("path", ["/v1/a%2Fb", "/v1/a%2fb", "/v1/a%5Cb", "/v1/a\\b", "/backend-api/files/%00"])
async def test_a_segment_that_hides_a_slash_is_refused(path: str) -> None:
    house = House()
    status, body = await answer(house, request_from(CLIENT, path))
    assert status == 400
    assert b"request path is invalid" in body


async def test_the_clients_address_is_known_with_and_without_a_fence() -> None:
    house = House()
    assert await answer(house, request_from("::ffff:203.0.113.7")) == (200, b'{"client": "203.0.113.7"}')
    house.ingress = BEHIND
    assert await answer(house, request_from(PROXY, X_Forwarded_For=CLIENT)) == (200, b'{"client": "203.0.113.7"}')
    assert await answer(house, request_from(PROXY, X_Forwarded_For="nonsense")) == (200, b'{"client": ""}')
