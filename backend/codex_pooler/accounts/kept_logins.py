"""New logins on the disk, sealed, from the moment they exist until the database has them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from uuid import UUID

from codex_pooler.accounts.renewal import Renewed
from codex_pooler.storage.secret_spool import KeptSecret, SecretSpool
from codex_pooler.storage.vault import SecretBox, SecretError

log = logging.getLogger(__name__)


class KeptLogins:
    """Shared by the processes of one state directory."""

    def __init__(self, box: SecretBox, spool: SecretSpool) -> None:
        self.box, self.spool = box, spool
        self._unreadable: set[Path] = set()

    async def keep(self, renewed: Renewed) -> Path:
        """Write the new login where a crash cannot reach it.  Raises OSError."""
        sealed = self.box.seal(renewed.packed(), _context(renewed.account_id))
        return (await asyncio.to_thread(self.spool.keep, str(renewed.account_id), sealed)).path

    def all(self, account_id: UUID | None = None) -> list[tuple[Path, Renewed]]:
        """What is not stored yet, whoever kept it, the oldest first; of one account, or of all."""
        found = []
        for secret in self.spool.kept(str(account_id or "*")):
            if secret.path not in self._unreadable and (renewed := self._unseal(secret)):
                found.append((secret.path, renewed))
        return found

    def forget(self, path: Path) -> None:
        """The login is stored, or there is a newer one."""
        self.spool.forget(path)

    def _unseal(self, secret: KeptSecret) -> Renewed | None:
        try:
            return Renewed.unpacked(self.box.open(secret.sealed, _context(UUID(secret.owner))))
        except (SecretError, ValueError, KeyError, TypeError) as exc:
            self._unreadable.add(secret.path)
            log.error("the new login kept in %s cannot be read (%s)", secret.path.name, type(exc).__name__)
            return None


def _context(account_id: UUID) -> str:
    return f"renewed_login:{account_id}"
