"""Development: serves the gateway, restarts it when its code changes, and runs the console's dev server beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WATCHED = (ROOT / "backend" / "codex_pooler", ROOT / "migrations")
SERVE = [str(ROOT / ".venv" / "bin" / "codex-pooler"), "serve"]
CONSOLE = ["npm", "run", "dev"]
LOOK_SECONDS = 0.5
STOP_SECONDS = 10


def newest_change() -> float:
    """The latest change of any watched Python file, as seconds since the epoch."""
    return max(path.stat().st_mtime for folder in WATCHED for path in folder.rglob("*.py") if path.exists())


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in its own process group, so that Ctrl-C reaches it only through `stop`."""
    port = os.environ.get("CODEX_POOLER_HTTP_PORT") or "4000"
    environ = {"GATEWAY_URL": f"http://127.0.0.1:{port}", **os.environ}  # where the dev server finds the API
    return subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: politely first, then for certain."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def watch() -> None:
    """Run both servers until interrupted; a gateway that failed to start waits for the next change."""
    seen = newest_change()
    gateway, console = start(SERVE), start(CONSOLE)
    try:
        while console.poll() is None:
            time.sleep(LOOK_SECONDS)
            changed = newest_change()
            if changed == seen:
                continue
            seen = changed
            sys.stderr.write("The code has changed; restarting the gateway\n")
            stop(gateway)
            gateway = start(SERVE)
    finally:
        stop(gateway)
        stop(console)


def interrupt(signum: int, frame: object) -> None:
    """Let a termination take the same way out as Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Run until Ctrl-C.  Returns the exit code."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        watch()
    except KeyboardInterrupt:
        return 0
    sys.stderr.write("The console's dev server has ended\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
