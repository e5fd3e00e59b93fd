"""Secrets that wait for the database survive, in order, and are gone once they are stored."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_pooler.storage.secret_spool import SecretSpool


def test_kept_secrets_come_back_oldest_first_until_they_are_forgotten(tmp_path: Path) -> None:
    spool = SecretSpool(tmp_path / "spool")
    first, second = spool.keep("anna", b"1"), spool.keep("anna", b"2")
    os.utime(first.path, (1, 1))
    third = spool.keep("ben", b"3")
    again = SecretSpool(tmp_path / "spool")
    assert [each.sealed for each in again.kept("anna")] == [b"1", b"2"]
    assert {each.owner for each in again.kept()} == {"anna", "ben"}
    for each in (first, second, third, third):
        again.forget(each.path)
    assert again.kept() == []
    assert list(spool.folder.iterdir()) == []


def test_only_the_owner_of_the_process_may_read_them(tmp_path: Path) -> None:
    kept = SecretSpool(tmp_path / "spool").keep("anna", b"1")
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.path.parent.stat().st_mode & 0o777 == 0o700
    assert "b'1'" not in repr(kept)


def test_a_full_disk_leaves_no_piece_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    spool = SecretSpool(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.keep("anna", b"1")
    assert list(tmp_path.iterdir()) == []
