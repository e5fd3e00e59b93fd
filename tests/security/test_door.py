"""The settings of the door at work in a whole gateway: who comes in, who is known, and what a full house says."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from codex_pooler.app import web_app
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.tables import instance_settings
from codex_pooler.telemetry.metrics import INGRESS_REFUSED
from codex_pooler.web.ingress import GUARDED, REVOKED
from tests.integration.whole import Gateway
from tests.security.test_wire import HEARD

STRANGER = {"X-Forwarded-For": "198.51.100.9"}
FRIEND = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}


async def setting(gateway: Gateway, group: str, **values: Any) -> None:
    await gateway.admin("PATCH", f"/settings/{group}", {"values": values})


async def status_of(gateway: Gateway, headers: dict[str, str]) -> int:
    async with gateway.turn(headers=headers) as answer:
        await answer.read()
        return int(answer.status)


async def test_the_firewall_counts_at_once_and_cannot_lock_the_owner_out(gateway: Gateway) -> None:
    await setting(gateway, "ingress", firewall_allowlist=["203.0.113.0/24"], trusted_proxies=["127.0.0.1"])
    assert await status_of(gateway, FRIEND) == 200
    assert await status_of(gateway, STRANGER) == 403
    assert await status_of(gateway, {}) == 403
    async with gateway.http.get(f"{gateway.origin}/v1/nothing", headers=STRANGER) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "access_denied"
    for path in ("/healthz", "/readyz"):
        async with gateway.http.get(gateway.origin + path, headers=STRANGER) as answer:
            assert answer.status == 200
    async with gateway.http.get(f"{gateway.origin}/metrics") as answer:
        text = await answer.text()
    assert 'codex_pooler_ingress_refused_total{reason="not_allowed"} 2' in text
    assert 'codex_pooler_ingress_refused_total{reason="forwarded_header_missing"} 1' in text
    await setting(gateway, "ingress", firewall_allowlist=None)
    assert await status_of(gateway, STRANGER) == 200


async def test_the_clients_address_is_kept_only_where_that_is_wanted(gateway: Gateway) -> None:
    await setting(gateway, "ingress", trusted_proxies=["127.0.0.1"])
    await status_of(gateway, FRIEND)
    await setting(gateway, "privacy", store_client_ip=False)
    await status_of(gateway, FRIEND)
    newest, oldest = await gateway.log()
    assert (oldest["client_ip"], newest["client_ip"]) == ("203.0.113.7", None)


async def test_scenario_18_a_full_gateway_says_so_at_once(gateway: Gateway) -> None:
    await setting(gateway, "gateway", bulkheads={"proxy_stream": {"max_concurrency": 1, "queue_limit": 0}})
    gateway.world.settings.pacing_ms = 100
    async with gateway.turn("Say 30 words") as first:
        assert first.status == 200
        async with gateway.turn() as second:
            error = (await second.json())["error"]
            assert (second.status, error["code"], error["type"]) == (503, "server_is_overloaded", "server_error")
            assert second.headers["Retry-After"] == "1"
            assert "this gateway is full" in error["message"]
        async with gateway.turn(stream=False) as other_class:
            assert other_class.status == 200
        async with gateway.http.get(f"{gateway.origin}/metrics") as answer:
            assert 'codex_pooler_admission_in_use{route_class="proxy_stream"} 1' in await answer.text()
        first.close()  # the client leaves: its place is free
    gateway.world.settings.pacing_ms = 0
    async with asyncio.timeout(20):
        while await status_of(gateway, {}) != 200:
            await asyncio.sleep(0.1)


async def test_scenario_18_a_place_in_the_queue_is_waited_for(gateway: Gateway) -> None:
    limits = {"max_concurrency": 1, "queue_limit": 10, "queue_timeout_ms": 30_000}
    await setting(gateway, "gateway", bulkheads={"proxy_stream": limits})

    async def one() -> int:
        return await status_of(gateway, {})

    assert await asyncio.gather(*(one() for _ in range(5))) == [200] * 5
    limits["queue_timeout_ms"] = 50
    await setting(gateway, "gateway", bulkheads={"proxy_stream": limits})
    gateway.world.settings.pacing_ms = 100
    async with gateway.turn("Say 30 words") as first:
        assert first.status == 200
        assert await one() == 503
        first.close()


async def test_l6_a_refused_key_reads_no_body_and_costs_little(gateway: Gateway) -> None:
    """Strangers must not be able to slow down those who belong here."""
    url = f"{gateway.origin}/backend-api/codex/responses"
    async with aiohttp.ClientSession() as http:
        for key in ("", "Bearer sk-cxp-000000000000-" + "x" * 43, "Bearer " + "y" * 300, "Basic abc"):
            async with http.post(url, data=b"{", headers={"Authorization": key}) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["code"] == "api_key_missing"
    assert await gateway.log() == []


async def test_the_backend_is_told_the_codex_version_that_is_set(gateway: Gateway) -> None:
    await setting(gateway, "gateway", client_version="0.200.1")
    async with asyncio.timeout(20):
        while gateway.process.house.backend.client_version != "0.200.1":
            await asyncio.sleep(0.1)
    assert await status_of(gateway, {}) == 200
    (arrival,) = [one for one in gateway.world.record.arrivals if one.path.endswith("/responses")]
    assert (arrival.headers["version"], arrival.headers["user-agent"]) == ("0.200.1", "codex_cli_rs/0.200.1")


async def test_scenario_50_a_change_made_by_another_process_counts_within_two_seconds(gateway: Gateway) -> None:
    async with gateway.process.context.database.transaction() as session:
        rules = {"firewall_allowlist": ["203.0.113.0/24"]}
        await session.execute(sa.insert(instance_settings).values(name="ingress", value=rules))
        await announce_config(session)
    async with asyncio.timeout(2):
        while await status_of(gateway, {}) != 403:
            await asyncio.sleep(0.05)


def socket(gateway: Gateway, **headers: str) -> Any:
    url = f"{gateway.origin}/backend-api/codex/responses"
    return gateway.http.ws_connect(url, headers={"Authorization": f"Bearer {gateway.key}", **headers})


async def test_an_open_socket_ends_when_its_client_may_not_come_in_any_more(gateway: Gateway) -> None:
    async with socket(gateway) as open_socket:
        await setting(gateway, "ingress", firewall_allowlist=["203.0.113.0/24"])
        async with asyncio.timeout(10):
            closing = await open_socket.receive()
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        assert gateway.process.house.metrics.counts[INGRESS_REFUSED, REVOKED] == 1
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with socket(gateway):
            pass
    assert refused.value.status == 403


async def test_b4_an_upgrade_tells_the_backend_no_more_than_a_turn(gateway: Gateway) -> None:
    named = dict.fromkeys(
        ("Cookie", "Forwarded", "X-Forwarded-For", "Referer", "Session-Id", "Via", "X-Api-Key"), "canary"
    )
    frame = {"type": "response.create", "model": "gpt-5.5", "store": False, "input": []}
    async with socket(gateway, **named) as open_socket:
        await open_socket.send_json(frame)
        async with asyncio.timeout(20):
            while (await open_socket.receive_json())["type"] != "response.completed":
                pass
    handshake = gateway.world.record.arrivals[-1]
    assert handshake.transport == "websocket"
    assert "canary" not in str(handshake.headers)
    assert {name.lower() for name in handshake.header_names} <= HEARD | UPGRADE


UPGRADE = {"connection", "upgrade", "sec-websocket-version", "sec-websocket-key", "openai-beta"}


OPEN = {"/healthz", "/readyz", "/metrics", "/api/public/v1", "/{path}"}  # invites; the last one is the console's pages


async def test_every_route_for_tools_is_behind_the_allow_list(gateway: Gateway) -> None:
    paths = {resource.canonical for resource in web_app(gateway.process).router.resources()}
    outside = {
        path for path in paths if not path.startswith(tuple(f"{prefix}/" for prefix in GUARDED)) and path not in GUARDED
    }
    console = {path for path in outside if path.startswith(("/api/admin/v1", "/assets"))}
    assert outside - console <= OPEN, "a new route: put it below a guarded prefix, or into this list"
    assert "/backend-api/codex/responses" in paths


async def test_a_full_gateway_tells_a_socket_when_to_come_back(gateway: Gateway) -> None:
    await setting(gateway, "gateway", bulkheads={"proxy_websocket": {"max_concurrency": 1, "queue_limit": 0}})
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say 30 words"}]}
    frame = {"type": "response.create", "model": "gpt-5.5", "store": False, "input": [message]}
    gateway.world.settings.pacing_ms = 100
    async with socket(gateway) as busy, socket(gateway) as refused:
        await busy.send_json(frame)
        await busy.receive_json()
        await refused.send_json(frame)
        told = await refused.receive_json()
        gateway.world.settings.pacing_ms = 0
    assert (told["type"], told["status"], told["error"]["code"]) == ("error", 429, "gateway_overloaded")
    assert told["headers"] == {"retry-after": "1"}
    assert "this gateway is full" in told["error"]["message"]
