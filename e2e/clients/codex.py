"""One person's Codex CLI: a home with the README's configuration, a folder to work in, and what the program says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from e2e.clients.spawned import printed

CONFIG = """
model = "{model}"
model_provider = "codex-pooler"
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.codex-pooler]
name = "OpenAI"
base_url = "{origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = {websockets}
requires_openai_auth = {login}

[projects."{work}"]
trust_level = "trusted"
"""
RETRY = "Reconnecting..."
SECONDS = 90


@dataclass(frozen=True)
class Run:
    """What one run of ``codex exec --json`` printed."""

    output: str

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    @property
    def messages(self) -> list[str]:
        """What the agent said."""
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item["text"] for item in items if item["type"] == "agent_message"]

    @property
    def complaints(self) -> list[str]:
        """What the person saw go wrong; retries that Codex tells about are among it."""
        said = [event["message"] for event in self.events if event["type"] == "error"]
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return said + [item["message"] for item in items if item["type"] == "error"]


@dataclass(frozen=True)
class Codex:
    """The program of one version, configured for one transport."""

    program: Path
    version: str
    websockets: bool
    home: Path
    work: Path
    origin: str
    key: str

    def configure(self, *, login: bool = True, model: str = "gpt-5.5") -> None:
        """Write the configuration.  ``login`` is what the README says; the interactive program needs it off."""
        values = {"model": model, "origin": self.origin, "work": self.work}
        values |= {"websockets": str(self.websockets).lower(), "login": str(login).lower()}
        self.use(CONFIG.format(**values))

    def use(self, config: str) -> None:
        for folder in (self.home / ".codex", self.work):
            folder.mkdir(parents=True, exist_ok=True)
        (self.home / ".codex" / "config.toml").write_text(config)

    @property
    def hides_its_version(self) -> bool:
        """Whether it opens websockets without a user agent."""
        return self.websockets and self.version == "0.125.0"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home / ".codex"),
            "CODEX_POOLER_API_KEY": self.key,
            "TERM": "xterm-256color",
            # what the program itself would like to call goes nowhere
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def command(self, *arguments: str) -> tuple[str, ...]:
        return ("node", str(self.program), *arguments)

    async def run(self, *arguments: str) -> str:
        """Run the program to its end; its standard output.  Fails the test when the program fails."""
        return await printed(self.command(*arguments), self.work, self.environment, SECONDS)

    async def exec(self, *arguments: str) -> Run:
        """``codex exec``; a new session unless the arguments say otherwise."""
        return Run(await self.run("exec", "--json", "--skip-git-repo-check", *arguments))

    async def resume(self, *arguments: str) -> Run:
        """Another turn of this person's last session, in a new process."""
        return await self.exec("resume", "--last", *arguments)
