"""Zero-configuration PostgreSQL: one process owns the cluster and supervises the server, later ones attach to it.

The server listens on a unix socket only.  When its owner dies, even by SIGKILL, the kernel tells the server to
shut down (Linux), so nothing is left behind.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psycopg2

from codex_pooler.storage.postgres_binaries import CONF, find_bin

NAME = "codex_pooler"
PR_SET_PDEATHSIG = 1


class EmbeddedPostgresError(Exception):
    """The embedded server cannot run; the message says why and where its log is."""


class EmbeddedPostgres:
    """The cluster in ``state/postgres``.  Start it from the main thread: the death signal follows the thread."""

    def __init__(self, state: Path) -> None:
        self.state, self.data, self.bin = state, state / "postgres", find_bin()
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        # a socket path may have about 104 bytes: never put it under a deep project path
        tag = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
        self.socket_dir = Path(tempfile.gettempdir()) / f"codex-pooler-pg-{tag}"
        self._as_user = _unprivileged_user()

    @property
    def dsn(self) -> str:
        return f"postgresql://{NAME}@/{NAME}?host={self.socket_dir}"

    @property
    def log_path(self) -> Path:
        return self.state / "postgres.log"

    def start(self, timeout: float = 60) -> str:
        """Own and start the server, or attach to the one another process owns.  Returns the DSN."""
        self.state.mkdir(parents=True, exist_ok=True)
        if self._take_ownership():
            self._prepare()
            self._spawn()
        self._wait_until_ready(timeout)
        return self.dsn

    def keep_running(self) -> None:
        """Start the server again if it died.  Cheap; the owner calls it every second."""
        if self.process and self.process.poll() is not None:
            self._spawn()

    def stop(self) -> None:
        """Shut the owned server down cleanly; does nothing in a process that only attached."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None
            with suppress(OSError):
                self.socket_dir.rmdir()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _take_ownership(self) -> bool:
        lock = open(self.state / "owner.lock", "w")  # noqa: SIM115 - held for the life of the process
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _prepare(self) -> None:
        self._make_binaries_reachable()
        self._hand_over(self.socket_dir)
        marker = self.data / "PG_VERSION"
        if not marker.exists():
            self._initialise()
        self._hand_over(self.data)
        have, major = marker.read_text().strip(), self._run("postgres", "-V").split()[2].split(".")[0]
        if have != major:
            raise EmbeddedPostgresError(
                f"{self.data} was written by PostgreSQL {have}, these binaries are {major}: dump it with the old "
                "version and restore it into a new state directory"
            )

    def _initialise(self) -> None:
        """Make the cluster elsewhere and move it into place whole: an initdb that is killed leaves only a draft."""
        for leftover in self.state.glob(f"{self.data.name}.draft-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        draft = self.data.with_name(f"{self.data.name}.draft-{os.getpid()}")
        self._hand_over(draft)
        try:
            self._run("initdb", "-D", draft, "-U", NAME, "-A", "trust", "-E", "UTF8", "--no-locale")
        except subprocess.CalledProcessError as exc:
            raise EmbeddedPostgresError(self._why(exc.stderr)) from None
        (draft / "postgresql.auto.conf").write_text(CONF)
        draft.rename(self.data)

    def _why(self, said: str) -> str:
        if "Permission denied" in said and self._as_user:
            return (
                f"PostgreSQL runs as another user than root and cannot enter {self.state}: set CODEX_POOLER_STATE_DIR "
                "to a folder whose parents everybody may enter (chmod 755), such as /var/lib/codex-pooler"
            )
        return f"initdb failed in {self.state}: {said.strip()[-500:]}"

    def _spawn(self) -> None:
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.socket_dir],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
                **self._as_user,
            )

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        maintenance = self.dsn.replace(f"/{NAME}?", "/postgres?")
        while True:
            try:
                connection = psycopg2.connect(maintenance, connect_timeout=2)
                break
            except psycopg2.OperationalError as exc:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"the embedded PostgreSQL does not answer; see {self.log_path}"
                    ) from exc
            time.sleep(0.05)
            # right after the owner was killed, its server may still be shutting down and refuse us the cluster
            self.keep_running()
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
        if not cursor.fetchone():
            cursor.execute(f"CREATE DATABASE {NAME}")
        connection.close()

    def _run(self, program: str, *args: object) -> str:
        command = [str(self.bin / program), *map(str, args)]
        done = subprocess.run(
            command, check=True, cwd="/", capture_output=True, text=True, preexec_fn=die_with_parent, **self._as_user
        )
        return str(done.stdout)

    def _hand_over(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if self._as_user:
            os.chown(folder, self._as_user["user"], self._as_user["group"])
        folder.chmod(0o700)

    def _make_binaries_reachable(self) -> None:
        """Copy the wheel's server into the state directory when the unprivileged user cannot reach it."""
        try:
            self._run("postgres", "-V")
        except PermissionError:
            package, copy = self.bin.parent.parent, self.state / "server"
            for source in (package, package.with_name(package.name + ".libs")):  # the second holds libpq
                if source.exists():
                    shutil.copytree(source, copy / source.name, symlinks=True, dirs_exist_ok=True)
            self.bin = copy / package.name / "pginstall" / "bin"


def _unprivileged_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: drop to ``postgres``, else ``nobody``."""
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def die_with_parent() -> None:
    """For a child's start: have the kernel interrupt it when its parent dies, however that happens (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)  # SIGINT is PostgreSQL's fast shutdown
