"""``CODEX_POOLER_WORKERS`` above one: a parent that owns the database and keeps N serving processes on one port."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from codex_pooler.config import Config
from codex_pooler.storage.embedded import EmbeddedPostgres, die_with_parent

log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0  # between the death of a worker and its replacement


def run_workers(config: Config, dsn: str, server: EmbeddedPostgres | None) -> int:
    """Serve until SIGTERM or SIGINT; a worker that dies is replaced.  Returns the exit status."""
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = {index: _spawn(index, dsn) for index in range(config.workers)}
    while not stopping:
        time.sleep(RESTART_SECONDS)
        if server:
            server.keep_running()
        for index, worker in workers.items():
            if worker.poll() is not None and not stopping:
                log.error("worker %d ended with status %d and is replaced", index, worker.returncode)
                workers[index] = _spawn(index, dsn)
    for worker in workers.values():
        worker.terminate()
    return max((worker.wait() for worker in workers.values()), default=0)


def _spawn(index: int, dsn: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DATABASE_URL": dsn, "CODEX_POOLER_WORKERS": "1"}
    command = [sys.executable, "-m", "codex_pooler", "serve", "--worker", str(index)]
    # a session of its own: Ctrl-C reaches the parent, which then ends its workers in order
    return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=die_with_parent)
