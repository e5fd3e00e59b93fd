"""Runs the checks that `make test` promises, all of them even when one fails, and ends with one table of results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WORKERS = str(max(2, 3 * (os.cpu_count() or 1) // 2))  # of pytest: tests wait for processes more than they compute
TALLY = re.compile(r"\b\d+ (passed|failed|errors?)\b")


@dataclass(frozen=True)
class Check:
    """One command of the suite; `missing` says why it cannot run here, or None when it can."""

    title: str
    command: tuple[str, ...]
    missing: Callable[[], str | None] = field(default=lambda: None)


@dataclass(frozen=True)
class Result:
    """What became of a check: `passed`, `FAILED` or `skipped`, with a word about it."""

    title: str
    verdict: str
    note: str


def browser() -> str | None:
    """The Chromium to test with: `CHROMIUM_PATH`, or the first known one on the path."""
    return os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


def missing_browser() -> str | None:
    """Install Debian's Chromium where that is possible; the reason when there is still none."""
    if browser():
        return None
    if not shutil.which("apt-get"):
        return "no Chromium found and no apt-get to install it: set CHROMIUM_PATH to a Chromium or Chrome"
    if os.geteuid() != 0:
        return "no Chromium found: as root, `apt-get install chromium`, or set CHROMIUM_PATH"
    say("Chromium is missing; installing Debian's package")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "chromium")):
        subprocess.run(["apt-get", *command], env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    return None if browser() else "Chromium could not be installed with apt-get: see its messages above"


CHECKS: dict[str, tuple[Check, ...]] = {
    "lint": (
        Check("ruff check", (str(BIN / "ruff"), "check", ".")),
        Check("ruff format", (str(BIN / "ruff"), "format", "--check", "--quiet", ".")),
        Check("mypy", (str(BIN / "mypy"), "--no-error-summary")),
    ),
    "python": (Check("pytest", (str(BIN / "pytest"), "-q", "-n", WORKERS, "--dist", "loadfile")),),
    "console": (Check("console", ("npm", "run", "--silent", "check")),),
    "browser": (Check("browser", ("npm", "run", "--silent", "e2e"), missing_browser),),
}


BESIDE = ("console", "browser")
Tell = Callable[[str], object]


def environment() -> dict[str, str]:
    """This environment with what the browser tests need to find, and without colours: the output is read here."""
    environ = {**os.environ, "PYTHON": str(BIN / "python"), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    environ.pop("FORCE_COLOR", None)
    if found := browser():
        environ["CHROMIUM_PATH"] = found
    return environ


def carry_out(check: Check, tell: Tell) -> Result:
    """Run one check and pass on what it says."""
    tell(f"\n== {check.title}\n")
    if reason := check.missing():
        tell(f"skipped: {reason}\n")
        return Result(check.title, "skipped", reason)
    began = time.monotonic()
    status, tally = stream(check.command, tell)
    seconds = f"{time.monotonic() - began:.1f} s"
    return Result(check.title, "FAILED" if status else "passed", f"{seconds}  {tally}".rstrip())


def stream(command: tuple[str, ...], tell: Tell) -> tuple[int, str]:
    """Run a command, pass its lines on, and return its exit code and its last line that counts tests."""
    tally = ""
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        tell(f"{error}\n")
        return 1, str(error)
    with process:
        for line in process.stdout or ():
            tell(line)
            if TALLY.search(line):
                tally = line.strip()
    return process.returncode, tally


def say(text: str) -> None:
    """Tell the person at the terminal."""
    show(text + "\n")


def show(text: str) -> None:
    """As it is, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def carry_out_all(parts: list[str]) -> list[Result]:
    """One part after the other, but those of BESIDE at the same time as the rest: each alone leaves the machine idle
    half of the time.  What they say is shown when they have ended."""
    beside = [check for part in parts if part in BESIDE for check in CHECKS[part]]
    others = [check for part in parts if part not in BESIDE for check in CHECKS[part]]
    said: list[str] = []
    with ThreadPoolExecutor(1) as lane:
        running = lane.submit(lambda: [carry_out(check, said.append if others else show) for check in beside])
        results = [carry_out(check, show) for check in others]
        results += running.result()
    show("".join(said))
    return results


def main() -> int:
    """Run the parts named on the command line (all when none).  Returns 1 when a check failed."""
    parts = sys.argv[1:] or list(CHECKS)
    if unknown := set(parts) - set(CHECKS):
        say(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    results = carry_out_all(parts)
    say("\n== summary")
    for result in results:
        say(f"{result.title:<12} {result.verdict:<8} {result.note}")
    return int(any(result.verdict == "FAILED" for result in results))


if __name__ == "__main__":
    sys.exit(main())
