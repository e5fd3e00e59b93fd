"""Installs the client programs that these tests run, at the versions of this folder's lock file."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "node_modules" / ".cache" / "clients"
FILES = ("package.json", "package-lock.json")


def codex(version: str) -> Path:
    """The start script of that version of the Codex CLI.  Skips the test where npm cannot install it."""
    script = FOLDER / "node_modules" / f"codex-{version}" / "bin" / "codex.js"
    if not (script.exists() and _is_current()):
        _install()
    return script


def _is_current() -> bool:
    """npm finished, and did so with the lock file as it is now."""
    done = FOLDER / "installed"
    return done.exists() and done.read_text() == (HERE / "package-lock.json").read_text()


def _cannot(reason: str) -> NoReturn:
    """Someone without npm may go on with the other tests; the gate may not pass without these."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(f"SKIPPED: {reason}")


def _install() -> None:
    if not shutil.which("npm"):
        _cannot("npm is not installed here, so the client programs cannot be")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current():
            _install_now()


def _install_now() -> None:
    for name in FILES:
        shutil.copy(HERE / name, FOLDER / name)
    command = ["npm", "ci", "--silent", "--no-fund", "--no-audit"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        _cannot("npm could not install the client programs within five minutes")
    if done.returncode:
        _cannot(f"npm cannot install the client programs here: {done.stderr.strip()[-200:]}")
    shutil.copy(HERE / "package-lock.json", FOLDER / "installed")
