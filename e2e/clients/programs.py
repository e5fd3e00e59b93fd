"""Installs the client programs that these tests run, at the versions of a lock file."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / "node_modules" / ".cache"
FILES = ("package.json", "package-lock.json")
SECONDS = 300
EVERY = bool(os.environ.get("EVERY_CODEX"))  # else the gate is content with less of what differs little
VERSIONS = ("0.169.0", "0.125.0")  # of the Codex CLI
THOROUGH = VERSIONS if EVERY else VERSIONS[:1]


class CannotInstall(Exception):
    """Why not."""


@dataclass(frozen=True)
class Shelf:
    """A folder with what npm makes of the lock file in another."""

    source: Path
    folder: Path
    how: tuple[str, ...] = ("ci",)  # the npm command

    @property
    def modules(self) -> Path:
        return self.folder / "node_modules"

    @property
    def is_current(self) -> bool:
        """npm finished, and did so with the lock file as it is now."""
        done = self.folder / "installed"
        return done.exists() and done.read_text() == (self.source / "package-lock.json").read_text()

    def fill(self) -> None:
        """Install what is missing; other processes wait.  Raises CannotInstall."""
        if not shutil.which("npm"):
            raise CannotInstall("npm is not installed here, so the client programs cannot be")
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.is_current:
                self._install()

    def _install(self) -> None:
        for name in FILES:
            shutil.copy(self.source / name, self.folder / name)
        command = ["npm", *self.how, "--loglevel=error", "--no-fund", "--no-audit"]
        try:
            done = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CannotInstall("npm could not install the client programs within five minutes") from None
        if done.returncode:
            raise CannotInstall(f"npm cannot install the client programs here: {done.stderr.strip()[-200:]}")
        shutil.copy(self.source / "package-lock.json", self.folder / "installed")


CLIENTS = Shelf(HERE, CACHE / "clients")


def codex(version: str) -> Path:
    """The start script of that version of the Codex CLI.  Skips the test where npm cannot install it."""
    return modules() / f"codex-{version}" / "bin" / "codex.js"


def modules() -> Path:
    """The packages of this folder's lock file.  Skips the test where npm cannot install them."""
    if not CLIENTS.is_current:
        try:
            CLIENTS.fill()
        except CannotInstall as exc:
            _cannot(str(exc))
    return CLIENTS.modules


def _cannot(reason: str) -> NoReturn:
    """Someone without npm may go on with the other tests; the gate may not pass without these."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(f"SKIPPED: {reason}")
