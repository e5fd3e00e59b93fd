"""Sealed secrets that must outlive a crash before the database has them: one small file each, beside the journal.

Other than the journal's lines they are flushed to the disk itself, because nobody can ever make them again.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

SUFFIX = ".sealed"


@dataclass(frozen=True)
class KeptSecret:
    """``owner`` is whose it is; ``sealed`` is unreadable without the installation's key."""

    path: Path
    owner: str
    sealed: bytes = field(repr=False)


class SecretSpool:
    """Processes of one host share the folder; whoever stores a secret forgets it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, owner: str, sealed: bytes) -> KeptSecret:
        """Write it so that it survives the machine losing power.  Blocks for a disk write.  Raises OSError."""
        path = self.folder / f"{owner}.{secrets.token_hex(8)}{SUFFIX}"
        draft = path.with_suffix(".draft")
        try:
            _write_through(draft, sealed)
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _flush_folder(self.folder)
        return KeptSecret(path, owner, sealed)

    def kept(self, owner: str = "*") -> list[KeptSecret]:
        """What nobody has stored yet, the oldest first; of one owner, or of all."""
        found = sorted(filter(None, map(_read, self.folder.glob(f"{owner}.*{SUFFIX}"))), key=lambda pair: pair[0])
        return [secret for _, secret in found]

    def forget(self, path: Path) -> None:
        """It is stored, or of no use any more."""
        path.unlink(missing_ok=True)


def replace_kept(path: Path, known: bytes, sealed: bytes) -> bool:
    """Put another envelope around a kept secret; False when it is not there any more, or not what was ``known``.

    A secret that is forgotten at the same moment may come back; whoever stores it again finds it outdated.
    """
    draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
    try:
        if path.read_bytes() != known:
            return False
        kept_at = path.stat().st_mtime_ns
        _write_through(draft, sealed)
        os.utime(draft, ns=(kept_at, kept_at))  # their age is their order
        if not path.exists():
            return False
        draft.rename(path)
    except FileNotFoundError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)
    return True


def _read(path: Path) -> tuple[int, KeptSecret] | None:
    """When it was kept, and what; None when another process has just stored it."""
    try:
        return path.stat().st_mtime_ns, KeptSecret(path, path.name.partition(".")[0], path.read_bytes())
    except FileNotFoundError:
        return None


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
