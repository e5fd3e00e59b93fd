"""The stored side of renewing logins: leasing one to a single process, and writing down what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts.kept_logins import KeptLogins
from codex_pooler.accounts.proxies import opened_proxy
from codex_pooler.accounts.renewal import TOKEN_KINDS, Login, Renewal, Renewed
from codex_pooler.accounts.renewal_plan import LoginAge
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.audit import record_account_event
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.vault import SecretBox, SecretError

log = logging.getLogger(__name__)


class Logins:
    """One per process.  Raises what the database raises."""

    def __init__(self, database: Database, box: SecretBox, spool: SecretSpool) -> None:
        self._database, self._box = database, box
        self.kept = KeptLogins(box, spool)

    async def ages(self) -> list[LoginAge]:
        """Every login that could be renewed and that no process is renewing."""
        async with self._database.session() as session:
            return [age_of(row) for row in await session.fetch(queries.RENEWABLE)]

    async def current(self, account_id: UUID) -> Login | None:
        """The login as it is now."""
        async with self._database.transaction() as session:
            return await self._read(session, account_id)

    async def lease(self, account_id: UUID, objection: Callable[[Login | None], Renewal | None]) -> Login | Renewal:
        """Lease the login to this process, unless there is an ``objection`` to what is stored."""
        async with self._database.transaction() as session:
            login = await self._read(session, account_id)
            against = objection(login)
            if against is not None or login is None:
                return against or Renewal("rejected")
            await session.execute(queries.TAKE_LEASE, account_id=account_id)
            return login

    async def store(self, renewed: Renewed) -> bool:
        """Store the new login; False when the account has another one by now, or is gone."""
        async with self._database.transaction() as session:
            stored = await session.execute(
                queries.STORE_RENEWAL,
                account_id=renewed.account_id,
                epoch=renewed.epoch,
                access_expires_at=renewed.access_expires_at,
                renewed_at=renewed.renewed_at,
                plan_type=renewed.plan_type,
            )
            if not stored:
                return False
            for kind, name in TOKEN_KINDS.items():
                if token := getattr(renewed, name):
                    await self._seal(session, renewed.account_id, kind, token)
            await announce_config(session)
        return True

    async def record_failure(self, login: Login, code: str, now: datetime) -> bool:
        """The login could not be renewed this time; False when it has been replaced meanwhile."""
        async with self._database.transaction() as session:
            values = {"account_id": login.id, "epoch": login.age.epoch, "code": code, "failed_at": now}
            return bool(await session.execute(queries.RECORD_FAILURE, **values))

    async def record_refusal(self, login: Login, code: str, now: datetime) -> bool:
        """The login is refused for good; False when it has been replaced meanwhile."""
        async with self._database.transaction() as session:
            values = {"account_id": login.id, "epoch": login.age.epoch, "code": code, "failed_at": now}
            recorded = bool(await session.execute(queries.RECORD_REFUSAL, **values))
            if recorded:
                await record_account_event(session, "account.reauth_required", login.id, reason=code, outcome="failure")
            await announce_config(session)
        return recorded

    async def _read(self, session: Session, account_id: UUID) -> Login | None:
        # Two statements: one that had to wait for the lock would see the account as it is and its tokens as they were.
        await session.execute(queries.LOCK, account_id=account_id)
        row = await session.one(queries.LOGIN, account_id=account_id)
        if row is None:
            return None
        return Login(
            label=row.label,
            state=row.state,
            age=age_of(row),
            error=row.refresh_error,
            leased=row.leased,
            access_token=self._open(account_id, "access", row.access_sealed),
            refresh_token=self._open(account_id, "refresh", row.refresh_sealed),
            kind=row.credential_kind,
            proxy=opened_proxy(self._box, account_id, row.egress_sealed),
        )

    async def _seal(self, session: Session, account_id: UUID, kind: str, token: str) -> None:
        sealed = self._box.seal(token.encode(), _context(account_id, kind))
        await session.execute(queries.SAVE_SECRET, account_id=account_id, kind=kind, sealed=sealed)

    def _open(self, account_id: UUID, kind: str, sealed: Any) -> str:
        try:
            return self._box.open(bytes(sealed), _context(account_id, kind)).decode() if sealed else ""
        except SecretError as exc:
            log.error("the %s token of account %s cannot be opened: %s", kind, account_id, exc)
            return ""


def age_of(row: Any) -> LoginAge:
    """The columns that decide when a login is renewed."""
    return LoginAge(
        account_id=row.id,
        epoch=row.credential_epoch,
        access_expires_at=row.access_expires_at,
        renewed_at=row.last_refresh_at or row.created_at,
        failures=row.refresh_failures,
        failed_at=row.refresh_failed_at,
        refused=row.refresh_refused,
        renewable=row.credential_kind == "oauth" and row.state != "disabled",
    )


def _context(account_id: UUID, kind: str) -> str:
    return f"account_secrets:{account_id}:{kind}"
