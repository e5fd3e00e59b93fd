"""``codex doctor`` of the real Codex CLI, asked about the gateway; older tested versions have no doctor."""

from __future__ import annotations

import json

import pytest
from e2e.clients.codex import Codex
from e2e.clients.pool import Pool

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("version", ["0.169.0"], indirect=True),
]

FOUND = {"http": "Responses WebSocket is not enabled", "websocket": "Responses WebSocket handshake succeeded"}


@pytest.mark.parametrize("trouble", [None, "exhausted"])
async def test_the_doctor_finds_the_gateway_well(cli: Codex, pool: Pool, way: str, trouble: str | None) -> None:
    cli.configure(login=False)
    if trouble:
        await pool.trouble(trouble)
    checks = json.loads(await cli.run("doctor", "--json"))["checks"]
    reached, socket = checks["network.provider_reachability"], checks["network.websocket_reachability"]
    assert (reached["status"], socket["status"]) == ("ok", "ok")
    assert any("route exists (HTTP 401)" in detail for detail in reached["details"].values())
    assert FOUND[way] in socket["summary"]
