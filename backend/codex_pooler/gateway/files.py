"""The files clients have given to accounts: a file lives on one account, and what uses it has to go there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

PENDING, UPLOADED, ABANDONED, DELETED = "pending", "uploaded", "abandoned", "deleted"
RANK = {PENDING: 0, UPLOADED: 1, ABANDONED: 2, DELETED: 3}  # a file only ever moves on
KEPT_AFTER_EXPIRY = 86400.0  # seconds for which an expired file is told from one that never was
LIFETIME_SECONDS = 86400.0


class FileRefused(Exception):
    """A file that cannot be used.  ``status`` 404 ``file_not_found``, 409 ``file_assignment_conflict`` or
    ``file_not_ready``, 410 ``file_expired``, 503 ``file_lookup_unavailable``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


NOT_FOUND = (404, "file_not_found", "there is no such file in this key's pool; upload it again")
EXPIRED = (410, "file_expired", "the file has expired; upload it again")
NOT_READY = (409, "file_not_ready", "the file's upload has not been completed; complete it first")
CONFLICT = (
    409,
    "file_assignment_conflict",
    "the files of this request belong to different accounts; upload them again, one after the other",
)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file; its bytes and addresses never are.  Times are unix seconds."""

    id: str
    pool_id: UUID
    api_key_id: UUID | None
    account_id: UUID
    name: str = field(repr=False)
    bytes: int
    purpose: str
    status: str
    created_at: float
    expires_at: float


class Files:
    """This process's files by id: plain memory, no waiting.  ``jobs/file_records.py`` shares them with others."""

    def __init__(self) -> None:
        self._records: dict[str, FileRecord] = {}
        self._unsaved: dict[str, FileRecord] = {}
        self.arrived = asyncio.Event()  # whoever stores them waits for this
        self.storing = asyncio.Lock()  # held while that goes on

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: FileRecord) -> None:
        """A file was created, or moved on to another status."""
        self._records[record.id] = self._unsaved[record.id] = record
        self.arrived.set()

    def move(self, file_id: str, status: str) -> None:
        """Note a file's new status; it never goes back."""
        record = self._records.get(file_id)
        if record and RANK[record.status] < RANK[status]:
            self.add(replace(record, status=status))

    def owned(self, file_id: str, pool_id: UUID, now: float) -> FileRecord:
        """The file, which its pool may use.  Raises FileRefused 404 or 410."""
        record = self._records.get(file_id)
        if record is None or record.pool_id != pool_id or record.status in (ABANDONED, DELETED):
            raise FileRefused(*NOT_FOUND)
        if record.expires_at <= now:
            raise FileRefused(*EXPIRED)
        return record

    def pinned_account(self, file_ids: Iterable[str], pool_id: UUID, now: float) -> UUID | None:
        """The account that a request with these files must go to; None without files.  Raises FileRefused."""
        records = [self.owned(file_id, pool_id, now) for file_id in file_ids]
        if any(record.status != UPLOADED for record in records):
            raise FileRefused(*NOT_READY)
        accounts = {record.account_id for record in records}
        if len(accounts) > 1:
            raise FileRefused(*CONFLICT)
        return accounts.pop() if accounts else None

    def knows(self, file_id: str) -> bool:
        return file_id in self._records

    def of_pool(self, pool_id: UUID, now: float) -> list[FileRecord]:
        """The files that the pool may use, the newest first."""
        live = (
            record
            for record in self._records.values()
            if record.pool_id == pool_id and record.status not in (ABANDONED, DELETED) and record.expires_at > now
        )
        return sorted(live, key=lambda record: (record.created_at, record.id), reverse=True)

    # -- for the one who stores them

    def take_unsaved(self) -> list[FileRecord]:
        """What has changed since the last time; it has to be given back with ``keep_unsaved`` when storing fails."""
        taken, self._unsaved = list(self._unsaved.values()), {}
        self.arrived.clear()
        return taken

    def keep_unsaved(self, records: Iterable[FileRecord]) -> None:
        for record in records:
            self._unsaved.setdefault(record.id, record)
            self.arrived.set()

    def merge(self, records: Iterable[FileRecord]) -> None:
        """What other processes stored; a status that has moved on here stays."""
        for record in records:
            known = self._records.get(record.id)
            if known is None or RANK[record.status] >= RANK[known.status]:
                self._records[record.id] = record

    def sweep(self, now: float) -> None:
        """Forget what expired long ago."""
        gone = [record.id for record in self._records.values() if record.expires_at + KEPT_AFTER_EXPIRY <= now]
        for file_id in gone:
            del self._records[file_id]
            self._unsaved.pop(file_id, None)
