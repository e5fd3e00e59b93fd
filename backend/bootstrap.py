"""Prepares a checkout: the Python environment, the console's packages and the console's build, each only when stale.

Standard library only, because it runs before anything is installed.  `make` calls it; it is safe to interrupt and to
start twice at the same time.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK_FILE = ROOT / "requirements.lock"
MODULES = ROOT / "node_modules"
CONSOLE = ROOT / "frontend" / "dist" / "index.html"
NODE_WANTED = (20, 19)

PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc", "frontend/package.json", "e2e/package.json")
CONSOLE_SOURCES = ("index.html", "vite.config.ts", "tsconfig.json", "public", "src", "scripts")

# How pip's settings are called in uv, so that one configuration serves both.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


class SetupError(Exception):
    """A step cannot be done; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Step:
    """One thing to prepare: current when its stamp holds the fingerprint of its inputs."""

    title: str
    stamp: Path
    fingerprint: Callable[[], str]
    prepare: Callable[[], None]

    def is_current(self) -> bool:
        """Whether the last completed preparation used the inputs as they are now."""
        with suppress(OSError):
            return self.stamp.read_text() == self.fingerprint()
        return False


def digest(*parts: str, files: Iterable[Path] = ()) -> str:
    """A fingerprint of texts and of files (names and contents); a missing file counts as absent."""
    total = hashlib.sha256("\0".join(parts).encode())
    for path in files:
        total.update(f"\0{path.relative_to(ROOT)}\0".encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def files_below(path: Path) -> Iterator[Path]:
    """The file itself, or every file in the folder, in a stable order."""
    if path.is_dir():
        yield from sorted(found for found in path.rglob("*") if found.is_file())
    else:
        yield path


# -- Python ----------------------------------------------------------------------------------------------------------


def environment_identity() -> str:
    """What a virtual environment cannot survive a change of: its place, its interpreter and that one's version.

    The interpreter counts because another user may not be allowed to start the one it was made with.
    """
    return digest(str(ROOT), base_python(), ".".join(platform.python_version_tuple()[:2]), platform.machine())


def base_python() -> str:
    """The interpreter outside of any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def environment_fingerprint() -> str:
    """What decides the contents of the Python environment."""
    return digest(environment_identity(), files=(LOCK_FILE, ROOT / "pyproject.toml"))


def prepare_environment() -> None:
    """Make `.venv` hold exactly the locked packages and this checkout."""
    incomplete, identity = VENV / ".incomplete", VENV / ".identity"
    if incomplete.exists() or not can_keep_environment():
        shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir(exist_ok=True)
    # While this file exists the environment is not trusted: a killed installation leaves half a package behind.
    incomplete.touch()
    if not PYTHON.exists():
        run([base_python(), "-m", "venv", str(VENV)])
    identity.write_text(environment_identity())
    checkout = ["install", "--no-deps", "--no-build-isolation", "--editable", "."]
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    try:
        uv = [find_uv(), "pip"]
        target = ["--python", str(PYTHON)]
        environ = uv_environment()
        run([*uv, "sync", *target, "--require-hashes", str(LOCK_FILE)], environ)
        run([*uv, checkout[0], *target, *checkout[1:]], environ)
    except SetupError as failure:
        say(f"{failure}\nuv is of no use here; going on with pip, which takes about a minute")
        run([*pip, "install", "--require-hashes", "--requirement", str(LOCK_FILE)])
        run([*pip, *checkout])
    incomplete.unlink()


def can_keep_environment() -> bool:
    """Whether an existing `.venv` belongs to this place and interpreter and has a working pip."""
    with suppress(OSError):
        if (VENV / ".identity").read_text() != environment_identity():
            return False
    probe = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    with suppress(OSError):
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0
    return False


def find_uv() -> str:
    """A `uv` from the environment or the path, or a freshly installed one.  Raises SetupError when pip has none."""
    own = VENV / "bin" / "uv"
    if own.exists():
        return str(own)
    if found := shutil.which("uv"):
        return found
    run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "uv"])
    return str(own)


def uv_environment() -> dict[str, str]:
    """pip's settings handed to uv; a uv variable that is already set wins."""
    environ = child_environment()
    # pip takes the best version of all indexes, uv that of the first; the lock file's hashes make pip's way safe.
    environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, env=environ, check=False
    )
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2].replace("_", "-")
        if setting in PIP_TO_UV:
            environ.setdefault(PIP_TO_UV[setting], value.strip("'\"").replace("\\n", " ").strip())
    return environ


# -- Console ---------------------------------------------------------------------------------------------------------


def packages_fingerprint() -> str:
    """What decides the contents of `node_modules`."""
    return digest(platform.system(), platform.machine(), files=[ROOT / name for name in PACKAGE_FILES])


def prepare_packages() -> None:
    """Install the locked console packages; `npm ci` begins by deleting `node_modules`, the stamps included."""
    run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"])


def console_fingerprint() -> str:
    """What decides the contents of the console's build."""
    sources = [path for name in CONSOLE_SOURCES for path in files_below(ROOT / "frontend" / name)]
    return digest(packages_fingerprint(), files=sources)


def prepare_console() -> None:
    """Build the console into `frontend/dist`."""
    run(["npm", "run", "build"])


def node_problem() -> str | None:
    """Why the console cannot be built here, or None when Node and npm are good enough."""
    wanted = ".".join(map(str, NODE_WANTED))
    if not shutil.which("node") or not shutil.which("npm"):
        return f"Node {wanted} or newer with npm is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])
    return None if numbers >= NODE_WANTED else f"Node {wanted} or newer is needed, this is {version or 'unknown'}"


# -- Running the steps -----------------------------------------------------------------------------------------------

PYTHON_STEPS = (Step("Python packages", VENV / ".stamp", environment_fingerprint, prepare_environment),)
CONSOLE_STEPS = (
    Step("Console packages", MODULES / ".stamp", packages_fingerprint, prepare_packages),
    Step("Console build", MODULES / ".stamp-console", console_fingerprint, prepare_console),
)


def prepare(steps: Iterable[Step]) -> None:
    """Bring every stale step up to date.  Raises SetupError."""
    for step in steps:
        if step.is_current():
            continue
        say(f"{step.title} ...")
        began = time.monotonic()
        fingerprint = step.fingerprint()
        step.stamp.unlink(missing_ok=True)
        step.prepare()
        write_stamp(step.stamp, fingerprint)
        say(f"{step.title} ready in {time.monotonic() - began:.1f} s")


def write_stamp(path: Path, text: str) -> None:
    """Record a completed step at once or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    draft.replace(path)


def has_console() -> bool:
    """Whether the console's build is current."""
    return CONSOLE.exists() and all(step.is_current() for step in CONSOLE_STEPS)


def prepare_all(console: str) -> None:
    """Prepare Python, then the console as asked for: `no`, `optional` (say what is missing) or `required`."""
    prepare(PYTHON_STEPS)
    if console == "no" or has_console():
        return
    if problem := node_problem():
        if console == "required":
            raise SetupError(f"{problem}: install it, then repeat the command")
        built = "the console that was built earlier is served" if CONSOLE.exists() else "the console is left out"
        say(f"{problem}: {built}; the gateway and its API work without it")
        return
    if not CONSOLE.exists():
        CONSOLE_STEPS[-1].stamp.unlink(missing_ok=True)
    prepare(CONSOLE_STEPS)


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the checkout's lock: a second set-up waits for the first.

    The lock is on the folder itself and is inherited by pip and npm, so that after a `kill -9` of this program the next
    one waits for what is still installing.  File systems without such locks go on without.
    """
    lock = os.open(ROOT, os.O_RDONLY)
    os.set_inheritable(lock, True)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another set-up is at work in this checkout; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def run(command: list[str], environ: dict[str, str] | None = None) -> None:
    """Run a command in the checkout.  Raises SetupError with the end of its output when it fails."""
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environ or child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                close_fds=False,
                check=False,
            )
        except OSError as error:
            raise SetupError(f"{command[0]} cannot be started: {error}") from error
        if done.returncode == 0:
            return
        output.seek(0)
        tail = "\n".join(output.read().decode(errors="replace").splitlines()[-40:])
    raise SetupError(f"`{' '.join([Path(command[0]).name, *command[1:]])}` failed:\n{tail}")


def child_environment() -> dict[str, str]:
    """This environment with a home that can be written, because pip and npm keep their caches there."""
    environ = dict(os.environ)
    home = Path(os.path.expanduser("~"))
    if not (home.is_dir() and os.access(home, os.W_OK)):
        home = VENV / "home"
        home.mkdir(parents=True, exist_ok=True)
    environ["HOME"] = str(home)
    return environ


def say(text: str) -> None:
    """Tell the person at the terminal; stdout stays free for commands that are piped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Prepare what the arguments ask for.  Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--console", choices=("no", "optional", "required"), default="optional")
    wanted = parser.parse_args().console
    if all(step.is_current() for step in PYTHON_STEPS) and (wanted == "no" or has_console()):
        return 0
    if not os.access(ROOT, os.W_OK):
        say(f"{ROOT} cannot be written by this user: use a checkout of your own")
        return 1
    try:
        with only_one():
            prepare_all(wanted)
    except SetupError as failure:
        say(f"\nSet-up stopped: {failure}\nIt is safe to repeat the command.")
        return 1
    except KeyboardInterrupt:
        say("\nSet-up interrupted; the next start goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
