"""Compaction as three generations of the Codex CLI ask for it, also when the serving account gives out in between."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from e2e.clients.test_codex_cli import CACHE, CONFIG, Codex, messages

from tests.integration.whole import Gateway

OLD_ROUTE, ROUTE = "/backend-api/codex/responses/compact", "/backend-api/codex/responses"
VERSIONS = {"0.98.0": OLD_ROUTE, "0.125.0": OLD_ROUTE, "0.169.0": ROUTE}
COMPACT_AT_ONCE = ("-c", "model_auto_compact_token_limit=1000")


def installed(version: str) -> Path:
    """The program of that version, in npm's cache folder of this checkout."""
    cache = CACHE.parent / f"codex-cli-{version}"
    program = cache / "node_modules" / ".bin" / "codex"
    if program.exists():
        return program
    if not shutil.which("npm"):
        pytest.skip("SKIPPED: npm is not installed here, so the Codex CLI cannot be")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-fund", "--no-audit", f"@openai/codex@{version}"]
    try:
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("SKIPPED: npm could not install the Codex CLI within five minutes")
    if done.returncode or not program.exists():
        pytest.skip(f"SKIPPED: npm cannot install the Codex CLI here: {done.stderr.strip()[-200:]}")
    return program


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def cli(version: str, gateway: Gateway, tmp_path: Path) -> Codex:
    home, work = tmp_path / "home", tmp_path / "work"
    (home / ".codex").mkdir(parents=True)
    work.mkdir()
    (home / ".codex" / "config.toml").write_text(CONFIG.format(origin=gateway.origin))
    return Codex(installed(version), home, work, gateway.key)


async def compactions(gateway: Gateway, version: str) -> list[dict[str, object]]:
    """The log's rows of compactions, the newest first."""
    rows = await gateway.log()
    if VERSIONS[version] == OLD_ROUTE:
        return [row for row in rows if row["route"] == OLD_ROUTE]
    sealed = [one.response_id for one in gateway.world.record.arrivals if one.path == ROUTE and one.finished]
    return rows[1:2] if len(sealed) == len(rows) == 3 else []


async def test_a_long_conversation_is_compacted_and_goes_on(cli: Codex, gateway: Gateway, version: str) -> None:
    await cli.exec("Reply with exactly: first")
    output = await cli.exec("resume", "--last", *COMPACT_AT_ONCE, "Reply with exactly: second")
    assert messages(output) == ["second"]
    assert await compactions(gateway, version)
    assert {row["status"] for row in await gateway.log()} == {"succeeded"}
    assert len({row["account"]["id"] for row in await gateway.log()}) == 1


@pytest.mark.parametrize("fault", ["usage_limit_reached", "server_error"])
async def test_an_account_that_gives_out_at_the_compaction_is_not_noticed(
    cli: Codex, gateway: Gateway, fault: str
) -> None:
    await cli.exec("Reply with exactly: first")
    await gateway.fault("acct-1", fault)
    output = await cli.exec("resume", "--last", *COMPACT_AT_ONCE, "Reply with exactly: second")
    assert messages(output) == ["second"]
    rows = (await gateway.log())[::-1]
    assert [row["status"] for row in rows] == ["succeeded"] * 3
    assert [row["account"]["name"] for row in rows] == ["acct-1", "acct-2", "acct-2"]
    assert [len(row["attempt_log"]) for row in rows][2] == 1, "who wrote the compaction reads it at once"
