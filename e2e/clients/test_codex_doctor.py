"""``codex doctor`` of the real Codex CLI, asked about the gateway."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from e2e.clients.test_codex_cli import Codex, cli, codex

__all__ = ["cli", "codex"]


async def diagnosis(cli: Codex) -> dict[str, Any]:
    """Its checks by name."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cli.home),
        "CODEX_HOME": str(cli.home / ".codex"),
        "CODEX_POOLER_API_KEY": cli.key,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    process = await asyncio.create_subprocess_exec(
        str(cli.program),
        "doctor",
        "--json",
        cwd=cli.work,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    checks: dict[str, Any] = json.loads(out)["checks"]
    return checks


@pytest.mark.parametrize(
    ("websockets", "found"),
    [("true", "Responses WebSocket handshake succeeded"), ("false", "Responses WebSocket is not enabled")],
)
async def test_the_doctor_finds_the_gateway_well(cli: Codex, websockets: str, found: str) -> None:
    path = cli.home / ".codex" / "config.toml"
    text = path.read_text().replace("supports_websockets = false", f"supports_websockets = {websockets}")
    path.write_text(text.replace("requires_openai_auth = true", "requires_openai_auth = false"))
    checks = await diagnosis(cli)
    reached, socket = checks["network.provider_reachability"], checks["network.websocket_reachability"]
    assert (reached["status"], socket["status"]) == ("ok", "ok")
    assert any("route exists (HTTP 401)" in detail for detail in reached["details"].values())
    assert found in socket["summary"]
