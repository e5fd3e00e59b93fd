"""The crash-safe journal: what a turn did is appended here, with one ``write()``, before it counts.

A process owns one segment file at a time (flock) and appends one line a record: ``B <id> <json>`` when a turn
begins, ``E <id> <json>`` when it ends.  ``E`` payloads are moved into PostgreSQL by accounting/writer.py; a segment
whose records have all arrived is deleted.  After a crash the next process adopts the orphaned segments: their ends
are moved again (the database ignores ids it has), their beginnings without an end become interrupted turns.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

ROTATE_BYTES = 8 << 20
BEGIN, END = b"B", b"E"


@dataclass(frozen=True)
class Orphan:
    """A dead process's segment: ended records, and begun ones that never ended."""

    path: Path
    descriptor: int
    ends: tuple[bytes, ...]
    unfinished: tuple[bytes, ...]


class Spool:
    """Append and read back.  Appends never wait: they are buffered by the kernel, so ``kill -9`` loses nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.failures = 0
        self._open_turns: dict[bytes, bytes] = {}
        self._unwritten: list[bytes] = []  # lines the disk refused (full, read-only): kept, tried again
        self._path, self._descriptor = self._new_segment()
        self._size = self._read = 0
        self._taken: list[int] = []

    # -- the request path

    def begin(self, turn_id: str, record: bytes) -> None:
        """Remember that a turn started.  ``record``: one JSON object without raw newlines."""
        turn = turn_id.encode()
        self._open_turns[turn] = record
        self._append(b"B " + turn + b" " + record + b"\n")

    def end(self, turn_id: str, record: bytes) -> None:
        """Remember how a turn ended; from now on the row cannot be lost."""
        turn = turn_id.encode()
        self._open_turns.pop(turn, None)
        self._append(b"E " + turn + b" " + record + b"\n")

    def _append(self, line: bytes) -> None:
        if self._unwritten:
            self._unwritten.append(line)
            self._retry_unwritten()
            return
        if not self._write(line):
            self._unwritten.append(line)

    def _write(self, line: bytes) -> bool:
        try:
            written = os.write(self._descriptor, line)
        except OSError as exc:
            self.failures += 1
            if self.failures == 1:
                log.error("cannot append to the spool (%s); records are kept in memory until it works again", exc)
            return False
        if written != len(line):  # the disk filled up in mid-line: take the piece back
            os.ftruncate(self._descriptor, self._size)
            self.failures += 1
            return False
        self._size += written
        return True

    def _retry_unwritten(self) -> None:
        while self._unwritten and self._write(self._unwritten[0]):
            del self._unwritten[0]

    # -- the writer's side

    @property
    def backlog(self) -> int:
        """Bytes not yet moved into the database."""
        return self._size - self._read + sum(map(len, self._unwritten))

    def take(self, limit: int) -> list[bytes]:
        """Up to ``limit`` end records that have not been confirmed; call ``confirm`` once they are stored."""
        self._retry_unwritten()
        found: list[bytes] = []
        position = self._read
        with open(self._path, "rb") as file:
            file.seek(position)
            while len(found) < limit:
                line = file.readline()
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                if line.startswith(END):
                    found.append(record_of(line))
        self._taken = [position]
        return found

    def confirm(self) -> None:
        """The records last taken are in the database."""
        if self._taken:
            self._read = self._taken.pop()
        if self._read == self._size and self._size >= ROTATE_BYTES:
            self._rotate()

    def _rotate(self) -> None:
        """Begin a new segment that opens with the turns still running, then drop the old one."""
        old_path, old_descriptor = self._path, self._descriptor
        self._path, self._descriptor = self._new_segment()
        self._size = self._read = 0
        for turn, record in self._open_turns.items():
            self._append(b"B " + turn + b" " + record + b"\n")
        old_path.unlink(missing_ok=True)
        os.close(old_descriptor)

    def close(self) -> None:
        """Release the segment; delete it when nothing in it is needed any more."""
        if self.backlog == 0 and not self._open_turns:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _new_segment(self) -> tuple[Path, int]:
        path = self.folder / f"{time.time_ns()}-{uuid.uuid4().hex[:8]}.log"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path, descriptor

    # -- after a crash

    def orphans(self) -> list[Orphan]:
        """Adopt the segments whose owners are dead; each comes locked, so two processes never replay one."""
        found = []
        for path in sorted(self.folder.glob("*.log")):
            if path != self._path and (orphan := _adopt(path)):
                found.append(orphan)
        return found

    def forget(self, orphan: Orphan) -> None:
        """Everything of this segment is stored: delete it."""
        orphan.path.unlink(missing_ok=True)
        os.close(orphan.descriptor)


def record_of(line: bytes) -> bytes:
    return line.split(b" ", 2)[2].rstrip(b"\n")


def _adopt(path: Path) -> Orphan | None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not path.exists():  # its adopter finished between our open and our lock
        os.close(descriptor)
        return None
    begun: dict[bytes, bytes] = {}
    ends: dict[bytes, bytes] = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n") or line.count(b" ", 0, 64) < 2:
            continue  # the last line of a crash may be torn
        kind, turn, record = line[:1], line.split(b" ", 2)[1], record_of(line)
        (ends if kind == END else begun)[turn] = record
    unfinished = tuple(record for turn, record in begun.items() if turn not in ends)
    return Orphan(path, descriptor, tuple(ends.values()), unfinished)
