"""Which account a turn's files pin it to, and when they cannot be used: plain decisions over plain memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from codex_pooler.gateway.files import (
    ABANDONED,
    DELETED,
    KEPT_AFTER_EXPIRY,
    PENDING,
    UPLOADED,
    FileRecord,
    FileRefused,
    Files,
)

POOL, A, B = uuid4(), UUID(int=1), UUID(int=2)
NOW = 1_000_000.0


def record(file_id: str, account: UUID = A, status: str = UPLOADED, expires_at: float = NOW + 60) -> FileRecord:
    return FileRecord(file_id, POOL, None, account, "canary.pdf", 5, "codex", status, NOW - 60, expires_at)


def files_of(*records: FileRecord) -> Files:
    files = Files()
    for each in records:
        files.add(each)
    return files


def refused(files: Files, *file_ids: str, pool: UUID = POOL) -> tuple[int, str]:
    with pytest.raises(FileRefused) as refusal:
        files.pinned_account(file_ids, pool, NOW)
    return refusal.value.status, refusal.value.code


def test_scenario_15_files_pin_a_turn_to_the_account_that_has_them() -> None:
    files = files_of(record("1"), record("2"), record("3", B))
    assert files.pinned_account([], POOL, NOW) is None
    assert files.pinned_account(["1", "2", "1"], POOL, NOW) == A
    assert files.pinned_account(["3"], POOL, NOW) == B
    assert refused(files, "1", "3") == (409, "file_assignment_conflict")


def test_files_that_cannot_be_used() -> None:
    files = files_of(
        record("pending", status=PENDING),
        record("abandoned", status=ABANDONED),
        record("deleted", status=DELETED),
        record("expired", expires_at=NOW),
        record("mine"),
    )
    assert refused(files, "unknown") == (404, "file_not_found")
    assert refused(files, "mine", pool=uuid4()) == (404, "file_not_found"), "of another pool is like unknown"
    assert refused(files, "abandoned") == refused(files, "deleted") == (404, "file_not_found")
    assert refused(files, "pending") == (409, "file_not_ready")
    assert refused(files, "expired") == (410, "file_expired")
    assert refused(files, "mine", "unknown") == (404, "file_not_found")


def test_a_status_only_moves_on() -> None:
    files = files_of(record("1", status=PENDING))
    files.move("1", UPLOADED)
    files.move("1", PENDING)
    files.merge([record("1", status=PENDING)])
    files.move("unknown", UPLOADED)
    assert files.owned("1", POOL, NOW).status == UPLOADED
    files.merge([record("1", status=DELETED), record("2")])
    assert refused(files, "1") == (404, "file_not_found")
    assert files.pinned_account(["2"], POOL, NOW) == A


def test_what_could_not_be_stored_waits_and_never_hides_what_came_after() -> None:
    files = files_of(record("1", status=PENDING), record("2"))
    taken = files.take_unsaved()
    assert not files.arrived.is_set()
    files.move("1", UPLOADED)
    files.keep_unsaved(taken)
    assert files.arrived.is_set()
    assert {each.id: each.status for each in files.take_unsaved()} == {"1": UPLOADED, "2": UPLOADED}
    assert files.take_unsaved() == []


def test_expired_files_are_known_for_another_day() -> None:
    files = files_of(record("1"), replace(record("2"), expires_at=NOW + 10 * KEPT_AFTER_EXPIRY))
    files.sweep(NOW + KEPT_AFTER_EXPIRY)
    assert len(files) == 2
    files.sweep(NOW + KEPT_AFTER_EXPIRY + 61)
    assert len(files) == 1
    assert not files.knows("1")


def test_a_name_is_not_shown() -> None:
    assert "canary" not in repr(record("1"))
