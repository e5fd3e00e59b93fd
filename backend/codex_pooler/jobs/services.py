"""What background jobs may reach, and how one says that it has failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from codex_pooler.accounts.refresh import Refresher
from codex_pooler.jobs.account_checks import AccountChecks
from codex_pooler.jobs.catalog_sync import CatalogSync
from codex_pooler.jobs.saved_resets import SavedResetCare
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Services:
    """Of the process that runs the job.  ``lab``: the backend is simulated on this machine.  ``origin``: the address
    that people open."""

    database: Database
    keyring: Keyring
    snapshot: SnapshotHolder
    refresher: Refresher
    usage: UsagePolling
    catalogs: CatalogSync
    checks: AccountChecks
    saved_resets: SavedResetCare
    lab: bool
    origin: str
    metrics: Metrics = field(default_factory=Metrics)


class JobFailed(Exception):
    """Why an attempt failed, for operators: nothing in it may be secret.  ``final``: trying again is of no use."""

    def __init__(self, code: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.final = code, message, final
