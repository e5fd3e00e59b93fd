"""The real Codex CLI from npm, configured as the README says, through the gateway to the simulated backend."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.whole import Gateway

VERSION = "0.169.0"
CACHE = Path(__file__).parents[2] / "node_modules" / ".cache" / f"codex-cli-{VERSION}"
CONFIG = """
model = "gpt-5.5"
model_provider = "codex-pooler-http"
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.codex-pooler-http]
name = "OpenAI"
base_url = "{origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = false
requires_openai_auth = true
"""


@pytest.fixture(scope="session")
def codex() -> Path:
    """The program, installed once into npm's cache folder of this checkout."""
    program = CACHE / "node_modules" / ".bin" / "codex"
    if program.exists():
        return program
    if not shutil.which("npm"):
        pytest.skip("SKIPPED: npm is not installed here, so the Codex CLI cannot be")
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-fund", "--no-audit", f"@openai/codex@{VERSION}"]
    try:
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("SKIPPED: npm could not install the Codex CLI within five minutes")
    if done.returncode or not program.exists():
        pytest.skip(f"SKIPPED: npm cannot install the Codex CLI here: {done.stderr.strip()[-200:]}")
    return program


@dataclass
class Codex:
    """One person's Codex: a home with the README's configuration, and a folder to work in."""

    program: Path
    home: Path
    work: Path
    key: str

    async def exec(self, *arguments: str) -> str:
        """``codex exec --json``; its standard output."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home / ".codex"),
            "CODEX_POOLER_API_KEY": self.key,
            # what the program itself would like to call goes nowhere
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            "exec",
            "--json",
            "--skip-git-repo-check",
            *arguments,
            cwd=self.work,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(90):
            out, err = await process.communicate()
        assert process.returncode == 0, (out + err).decode()[-3000:]
        return out.decode()


@pytest.fixture
def cli(codex: Path, gateway: Gateway, tmp_path: Path) -> Codex:
    home, work = tmp_path / "home", tmp_path / "work"
    (home / ".codex").mkdir(parents=True)
    work.mkdir()
    (home / ".codex" / "config.toml").write_text(CONFIG.format(origin=gateway.origin))
    return Codex(codex, home, work, gateway.key)


def messages(output: str) -> list[str]:
    """What the agent said, from the program's JSON lines."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event.get("type") == "item.completed"]
    return [item["text"] for item in items if item.get("type") == "agent_message"]


async def test_a_plain_reply(cli: Codex, gateway: Gateway) -> None:
    assert messages(await cli.exec("Reply with exactly: ok")) == ["ok"]
    (row,) = await gateway.log()
    assert (row["status"], row["model"], row["transport"]) == ("succeeded", "gpt-5.5", "http_sse")
    assert row["client"].startswith("codex_exec/")


async def test_a_turn_that_runs_a_shell_command(cli: Codex, gateway: Gateway) -> None:
    output = await cli.exec("Please run the shell command: echo from-the-shell > made.txt; cat made.txt")
    assert (cli.work / "made.txt").read_text() == "from-the-shell\n"
    assert "from-the-shell" in messages(output)[-1]
    assert {row["status"] for row in await gateway.log()} == {"succeeded"}


async def test_a_session_is_resumed(cli: Codex, gateway: Gateway) -> None:
    await cli.exec("Reply with exactly: first")
    assert messages(await cli.exec("resume", "--last", "Reply with exactly: second")) == ["second"]
    rows = await gateway.log()
    assert len({row["account"]["id"] for row in rows}) == 1, "the session stayed with its account"


async def test_an_account_that_dies_between_turns_is_not_noticed(cli: Codex, gateway: Gateway) -> None:
    await cli.exec("Reply with exactly: first")
    await gateway.control("POST", "/accounts/acct-1", {"logged_out": True})
    assert messages(await cli.exec("resume", "--last", "Reply with exactly: second")) == ["second"]
    newest = (await gateway.log())[0]
    assert newest["attempt_log"][0]["error_code"] == "token_revoked"
    assert newest["attempt_log"][-1]["outcome"] == "served"


@pytest.mark.parametrize("fault", ["usage_limit_reached", "server_error", "reset_before_headers", "failed_overloaded"])
async def test_an_account_that_fails_in_the_first_turn_is_not_noticed(cli: Codex, gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    assert messages(await cli.exec("Reply with exactly: ok")) == ["ok"]
    (row,) = await gateway.log()
    assert [attempt["outcome"] for attempt in row["attempt_log"]] == ["failed_over", "served"]


async def test_a_configuration_with_websockets_goes_on_over_http_at_once(cli: Codex, gateway: Gateway) -> None:
    path = cli.home / ".codex" / "config.toml"
    path.write_text(path.read_text().replace("supports_websockets = false", "supports_websockets = true"))
    assert messages(await cli.exec("Reply with exactly: ok")) == ["ok"]


async def test_the_snippet_the_console_shows_is_what_works(cli: Codex, gateway: Gateway) -> None:
    snippets = (await gateway.admin("GET", "/client-configs"))["items"]
    body = next(snippet["body"] for snippet in snippets if snippet["tool"] == "codex")
    served = body.replace("http://127.0.0.1:0", gateway.origin).replace("http://localhost:4000", gateway.origin)
    (cli.home / ".codex" / "config.toml").write_text(served)
    assert messages(await cli.exec("Reply with exactly: ok")) == ["ok"]
