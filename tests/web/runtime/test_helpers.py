"""The helper routes of Codex: each passes its bytes on, and each is gone when its pool's switch is off."""

from __future__ import annotations

import hashlib
import io

import pytest

from codex_pooler.snapshot.model import Switches
from codex_pooler.web.runtime.helpers import ANALYTICS, NO_BODY, OBJECT, OBJECT_OR_ARRAY, ROUTES, SDP_TEXT, HelperRoute
from tests.integration.whole import Gateway
from tests.web.runtime.asking import arrived, ask, forget, switch

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
OFFER = {"Content-Type": "application/sdp"}
BODIES = {SDP_TEXT: SDP, OBJECT: b'{ "query" : "x" }', OBJECT_OR_ARRAY: b'[{"event": 1}, 2 ]', NO_BODY: b""}
MALFORMED = [b"", b"nonsense", b'"text"', b"{", b'{"a": nul}', b"[" * 50_000, b"\xff\xfe"]


def headers_of(row: HelperRoute) -> dict[str, str]:
    return {"Content-Type": row.body.content_type} if row.body.content_type else {}


async def test_bytes_pass_both_ways(gateway: Gateway) -> None:
    await switch(gateway, forward_analytics=True)
    for row in ROUTES:
        await passes(gateway, row)


async def passes(gateway: Gateway, row: HelperRoute) -> None:
    sent = BODIES[row.body]
    more = {"Cookie": "a=canary", "User-Agent": "canary/1", "X-Custom": "canary", "Accept": "text/event-stream"}
    reply = await ask(gateway, row.method, f"{row.route}?a=1&b=%20x", data=sent, headers=headers_of(row) | more)
    assert reply.status in (200, 201), reply.body
    arrival = (await arrived(gateway, row.route))[-1]
    assert arrival["method"] == row.method
    assert arrival["sha256"] == hashlib.sha256(sent).hexdigest()
    assert arrival["headers"].get("content-type") == row.body.content_type
    assert arrival["headers"]["accept"] == "text/event-stream"
    assert "canary" not in str(arrival["headers"])
    assert arrival["headers"]["originator"] == "codex_cli_rs"
    logged = (await gateway.log())[0]
    assert (logged["route"], logged["status"], logged["transport"]) == (row.route, "succeeded", "http_json")


async def test_a_key_is_asked_for_first(gateway: Gateway) -> None:
    for row in ROUTES:
        reply = await ask(gateway, row.method, row.route, key="", data=b"x")
        assert (reply.status, reply.code) == (401, "api_key_missing")


async def test_a_route_that_is_switched_off_is_like_one_that_never_was(gateway: Gateway) -> None:
    switches = {row.switch for row in ROUTES if row.switch and row is not ANALYTICS}
    assert all(getattr(Switches(), name) for name in switches)
    await switch(gateway, **dict.fromkeys(switches, False))
    unknown = await ask(gateway, "POST", "/backend-api/codex/no/such/route", data=b"{}")
    for row in ROUTES:
        if row.switch in switches:
            reply = await ask(gateway, row.method, row.route, data=BODIES[row.body], headers=headers_of(row))
            assert (reply.status, reply.body) == (404, unknown.body)
            assert await arrived(gateway, row.route) == []


async def test_every_switch_is_for_its_own_routes(gateway: Gateway) -> None:
    await switch(gateway, allow_search=False)
    assert (await ask(gateway, "POST", "/backend-api/codex/safety/arc", data=b"{}")).status == 200
    assert (await ask(gateway, "POST", "/backend-api/codex/alpha/search", data=b"{}")).status == 404


async def test_analytics_are_taken_and_dropped_unless_the_pool_forwards_them(gateway: Gateway) -> None:
    reply = await ask(gateway, "POST", ANALYTICS.route, data=b'{"event": "canary"}', headers=headers_of(ANALYTICS))
    assert reply.status == 202
    assert await arrived(gateway, ANALYTICS.route) == []
    assert await gateway.log() == []
    refused = await ask(gateway, "POST", ANALYTICS.route, data=b"nonsense", headers=headers_of(ANALYTICS))
    assert refused.status == 400


async def test_a_body_of_the_wrong_kind_is_refused_here(gateway: Gateway) -> None:
    for body in MALFORMED:
        reply = await ask(gateway, "POST", "/backend-api/codex/alpha/search", data=body)
        assert (reply.status, reply.code) == (400, "invalid_request")
    assert await arrived(gateway, "/backend-api/codex/alpha/search") == []


async def test_an_array_is_for_events_only(gateway: Gateway) -> None:
    assert (await ask(gateway, "POST", "/backend-api/codex/alpha/search", data=b"[]")).status == 400
    assert (await ask(gateway, "POST", ANALYTICS.route, data=b"[]")).status == 202


async def test_a_call_offer_must_be_sdp_of_a_sensible_size(gateway: Gateway) -> None:
    path = "/backend-api/codex/realtime/calls"
    reply = await ask(gateway, "POST", path, data=b"{}", headers={"Content-Type": "application/json"})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.json["error"]["message"] == "request body must be application/sdp"
    long = await ask(gateway, "POST", path, data=io.BytesIO(b"v" * (1 << 20 | 1)), headers=OFFER)
    assert (long.status, long.code) == (413, "request_too_large")
    answered = await ask(gateway, "POST", path, data=SDP, headers=OFFER)
    assert (answered.status, answered.headers["location"]) == (201, "/calls/rtc_1")
    assert answered.headers["content-type"].startswith("application/sdp")


async def test_a_failing_account_is_replaced(gateway: Gateway) -> None:
    for fault in ("usage_limit_reached", "bare_429", "unavailable", "slow_down"):
        forget(gateway)
        await gateway.fault("acct-1", fault, route="search")
        reply = await ask(gateway, "POST", "/backend-api/codex/alpha/search", data=b'{"query": "x"}')
        assert reply.status == 200, fault
        assert [one["account"] for one in await arrived(gateway, "/backend-api/codex/alpha")][-1] == "acct-2", fault


async def test_a_refused_login_is_renewed_and_asked_again(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "token_expired", route="search")
    assert (await ask(gateway, "POST", "/backend-api/codex/alpha/search", data=b'{"query": "x"}')).status == 200
    assert [one["account"] for one in await arrived(gateway, "/backend-api/codex/alpha")] == ["acct-1", "acct-1"]


async def test_what_is_searched_for_and_offered_is_kept_nowhere(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(gateway, "POST", "/backend-api/codex/alpha/search?q=canary-query", data=b'{"query": "canary-body"}')
    await gateway.fault("*", "bad_request", route="helpers")
    await ask(gateway, "POST", "/backend-api/codex/realtime/calls", data=b"canary-sdp", headers=OFFER)
    rows = await gateway.log()
    assert len(rows) == 2
    assert "canary" not in str(rows) + caplog.text
