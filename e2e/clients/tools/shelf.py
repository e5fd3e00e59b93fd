"""The coding tools that are too large for every run of the tests: what `make test-clients` installs, and where."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from e2e.clients.programs import CACHE, CannotInstall, Shelf

HERE = Path(__file__).parent
# The lock file lacks programs for machines that the registry it was made with lacks: "ci" would refuse that.
TOOLS = Shelf(HERE, CACHE / "tools", ("install", "--no-save", "--ignore-scripts"))
PYTHON = TOOLS.folder / "python"
REQUIREMENTS = HERE / "requirements.txt"
# Their installation scripts only put the program of this machine in its place.
SCRIPTS = {"@anthropic-ai/claude-code": "install.cjs", "opencode-ai": "postinstall.mjs"}
PROGRAMS = {
    "claude": TOOLS.modules / ".bin" / "claude",
    "opencode": TOOLS.modules / ".bin" / "opencode",
    "aider": PYTHON / "bin" / "aider",
}


def missing(program: str) -> str | None:
    """Why the program cannot be run; None when it can."""
    if not PROGRAMS[program].exists():
        return f"{program} is not installed: run `make test-clients`"
    return None


def install() -> None:
    """Install what is missing.  Raises CannotInstall."""
    if not TOOLS.is_current:
        TOOLS.fill()
        for package, script in SCRIPTS.items():
            subprocess.run(["node", script], cwd=TOOLS.modules / package, check=True)
    copy = PYTHON / "requirements.txt"
    if not (copy.exists() and copy.read_text() == REQUIREMENTS.read_text()):
        _install_python(copy)


def _install_python(copy: Path) -> None:
    venv.create(PYTHON, with_pip=True, clear=True)
    command = [str(PYTHON / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)]
    if subprocess.run(command, check=False).returncode:
        raise CannotInstall("pip cannot install the Python tools here; see its messages above")
    shutil.copy(REQUIREMENTS, copy)


if __name__ == "__main__":
    try:
        install()
    except CannotInstall as exc:
        sys.exit(str(exc))
