"""What is measured: the gateway, nginx and the plain proxy, each as a process in front of the mock upstream."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import instance

HERE = Path(__file__).resolve().parent
COMMAND = Path(sys.executable).with_name("codex-pooler")
TURN_PATH = "/backend-api/codex/responses"
START_SECONDS = 90


class CannotStart(Exception):
    """A program of the benchmark did not come up; the message says which and where its log is."""


@dataclass
class Target:
    """One server under load: how to start it and, while it runs, its process."""

    name: str
    port: int
    command: list[str] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=Path)
    key: str = "sk-bench"
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process to measure; None for the mock upstream itself, which is only a reference for latency."""
        return self.process.pid if self.process else None

    def start(self) -> float:
        """Start and wait for the first answered turn.  Returns the seconds it took; raises CannotStart."""
        if not self.command:
            return 0.0
        began = time.monotonic()
        self.launch(lambda: answers_turn(self.port, self.key))
        return time.monotonic() - began

    def launch(self, is_up: Callable[[], bool]) -> None:
        """Start and poll until it is up.  Raises CannotStart after START_SECONDS or when the process has ended."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env={**os.environ, **self.environ}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not is_up():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = (self.folder / f"{self.name}.log").read_text(errors="replace")[-2000:]
                self.stop()
                raise CannotStart(f"{self.name} {'has ended' if ended else 'does not answer'}:\n{tail}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process: politely first, then for certain."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers_turn(port: int, key: str) -> bool:
    """Whether a small streamed turn comes back complete."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    body = {"model": "gpt-5.5", "stream": True, "store": False, "instructions": "x", "input": [message]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{TURN_PATH}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=10) as answer:
        return b"response.completed" in answer.read()
    return False


def is_ready(port: int) -> bool:
    """Whether the gateway's readiness probe says yes."""
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def direct(upstream: int) -> Target:
    """No server at all: the load goes straight to the mock upstream."""
    return Target("direct", upstream)


def nginx(folder: Path, upstream: int) -> Target | None:
    """nginx as a streaming reverse proxy, or None where it is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    port = free_port()
    text = (HERE / "nginx.conf").read_text()
    settings = folder / "nginx.conf"
    settings.write_text(text.replace("LISTEN_PORT", str(port)).replace("UPSTREAM_PORT", str(upstream)))
    command = [program, "-p", f"{folder}/", "-c", str(settings), "-e", "nginx-error.log"]
    return Target("nginx", port, command, folder=folder)


def plain(folder: Path, upstream: int) -> Target:
    """The simplest aiohttp proxy."""
    port = free_port()
    command = [sys.executable, str(HERE / "plain_proxy.py"), str(port), f"http://127.0.0.1:{upstream}"]
    return Target("plain", port, command, folder=folder)


def gateway(folder: Path, upstream: int) -> Target:
    """The gateway with an embedded Postgres in a state directory of its own, set up and stopped again.

    Raises CannotStart when it does not come up or cannot be set up.
    """
    port, state = free_port(), folder / "state"
    state.mkdir()
    state.chmod(0o755)  # Postgres may run as another user when this runs as root
    target = Target(
        "gateway",
        port,
        [str(COMMAND), "serve"],
        {
            "CODEX_POOLER_STATE_DIR": str(state),
            "CODEX_POOLER_HTTP_HOST": "127.0.0.1",
            "CODEX_POOLER_HTTP_PORT": str(port),
            "CODEX_POOLER_CHATGPT_URL": f"http://127.0.0.1:{upstream}",
            "CODEX_POOLER_AUTH_URL": f"http://127.0.0.1:{upstream}",
            "CODEX_POOLER_PUBLIC_URL": "",
            "DATABASE_URL": "",
        },
        folder,
    )
    target.launch(lambda: is_ready(port))
    try:
        target.key = instance.set_up(COMMAND, {**os.environ, **target.environ}, f"http://127.0.0.1:{port}")
    except (subprocess.CalledProcessError, urllib.error.URLError, KeyError) as error:
        raise CannotStart(f"the gateway cannot be set up: {instance.explain(error)}") from error
    finally:
        target.stop()
    return target
