"""Zero-config PostgreSQL: supervise the server binaries that a wheel (or the system) provides.

One process owns the cluster (flock) and is the server's parent; later processes attach to it.
Listens on a unix socket only.  Death of the owner, even by SIGKILL, shuts the server down (Linux).
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
from pathlib import Path
from typing import Any

import psycopg2
from codex_pooler.storage.postgres_binaries import CONF, find_bin


class EmbeddedPostgres:
    def __init__(self, state: Path) -> None:
        self.state, self.data, self.bin = state, state / "data", find_bin()
        self.process: subprocess.Popen[bytes] | None = None
        # sun_path is about 104 bytes: never put the socket under a deep project path
        tag = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
        self.socket_dir = Path(tempfile.gettempdir()) / f"gw-pg-{tag}"
        self.drop: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            known = {u.pw_name: u for u in pwd.getpwall()}
            user = known.get("postgres") or known["nobody"]
            self.drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    @property
    def dsn(self) -> str:
        return f"postgresql://gateway@/gateway?host={self.socket_dir}"

    def _run(self, *args: object) -> str:
        command = [str(a) for a in args]
        return str(subprocess.run(command, check=True, cwd="/", capture_output=True, text=True, **self.drop).stdout)

    def _own(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        if self.drop:
            os.chown(path, self.drop["user"], self.drop["group"])
        path.chmod(0o700)

    def _reachable_bin(self) -> None:
        try:
            self._run(self.bin / "postgres", "-V")
        except PermissionError:  # root's venv below /root: the unprivileged user cannot get there
            package, copy = self.bin.parent.parent, self.state / "server"
            for source in (package, package.with_name(package.name + ".libs")):  # auditwheel's libpq
                if source.exists():
                    shutil.copytree(source, copy / source.name, symlinks=True, dirs_exist_ok=True)
            self.bin = copy / package.name / "pginstall" / "bin"

    def start(self, timeout: float = 60) -> str:
        self.state.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.state / "owner.lock", "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._wait(timeout)  # someone else owns it
        self._reachable_bin()
        self._own(self.data)
        self._own(self.socket_dir)
        marker = self.data / "PG_VERSION"
        major = self._run(self.bin / "postgres", "-V").split()[2].split(".")[0]
        if not marker.exists():
            self._run(self.bin / "initdb", "-D", self.data, "-U", "gateway", "-A", "trust", "-E", "UTF8", "--no-locale")
            (self.data / "postgresql.auto.conf").write_text(CONF)
        elif (have := marker.read_text().strip()) != major:
            raise RuntimeError(f"{self.data} was written by PostgreSQL {have}, these binaries are {major}: dump and restore")

        def die_with_parent() -> None:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG: fast shutdown

        log = open(self.state / "postgres.log", "ab")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.data, "-k", self.socket_dir], cwd="/", stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, preexec_fn=die_with_parent, **self.drop)
        return self._wait(timeout)

    def _wait(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while True:
            if self.process and self.process.poll() is not None:
                raise RuntimeError(f"postgres exited with {self.process.returncode}; see {self.state / 'postgres.log'}")
            try:
                conn = psycopg2.connect(self.dsn.replace("/gateway?", "/postgres?"), connect_timeout=2)
                break
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        conn.autocommit = True
        cur = conn.cursor()
        cur.execute("select 1 from pg_database where datname = 'gateway'")
        if not cur.fetchone():
            cur.execute("create database gateway")
        conn.close()
        return self.dsn

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None
