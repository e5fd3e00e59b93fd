"""A person who does what the product says: pastes every file to its place, sets the key, and types the check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.clients.pool import Pool
from e2e.clients.spawned import printed

MODEL = "gpt-5.5"
CONFIGURED = "http://localhost:4000"  # the address in a configuration of a gateway that is not told its own
SECONDS = 120
AS_TOLD = 'if [ -e "$HOME/.profile" ]; then . "$HOME/.profile"; fi\n'


@dataclass(frozen=True)
class Person:
    """Somebody's home, and the programs within reach."""

    home: Path
    pool: Pool
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    def has(self, name: str, *command: str | Path) -> None:
        """Put a program within reach."""
        self.bin.mkdir(parents=True, exist_ok=True)
        words = " ".join(f"'{word}'" for word in command)
        (self.bin / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (self.bin / name).chmod(0o755)

    async def configures(self, tool: str, variant: str | None = None, **query: str) -> dict[str, Any]:
        """Paste what the API shows for the tool, in its usual variant unless told another; that configuration."""
        asked = {"tool": tool, "pool_id": self.pool.pool_id, "model": MODEL, **query}
        path = "/client-configs?" + "&".join(f"{name}={value}" for name, value in asked.items())
        (shown,) = (await self.pool.admin("GET", path))["items"]
        chosen = next(each for each in shown["variants"] if each["id"] == variant or (not variant and each["default"]))
        self.work.mkdir(parents=True, exist_ok=True)
        for snippet in chosen["snippets"]:
            if snippet["file"]:
                self._paste(snippet["file"], self.here(snippet["text"]))
        return {**shown, "snippets": chosen["snippets"]}

    def here(self, text: str) -> str:
        """With the address that the gateway has in this test."""
        return text.replace(CONFIGURED, self.pool.origin)

    def _paste(self, name: str, text: str) -> None:
        place = self.home / name[2:] if name.startswith("~/") else self.work / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CODEX_POOLER_API_KEY": self.pool.key,
            "TERM": "xterm-256color",
            # what a program itself would like to call goes nowhere
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            **self.more,
        }

    async def types(self, line: str) -> str:
        """Run a shell line to its end after the profile was read; what it printed.  Fails the test when it fails."""
        return await printed(("sh", "-ec", AS_TOLD + line), self.work, self.environment, SECONDS)

    async def checks(self, configuration: Mapping[str, Any]) -> str:
        """Type the check that is shown beside the configuration."""
        return await self.types(self.here(configuration["verify"]["text"]))
