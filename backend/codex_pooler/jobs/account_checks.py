"""Keeps up to date what the backend says of accounts' workspaces: after a login, when one is in doubt, and every six
hours."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.jobs.usage_polling import askable
from codex_pooler.snapshot.model import Account, Snapshot
from codex_pooler.storage import queries_checks as queries
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.upstream.accounts_check import Checked, CheckFailed, check_account
from codex_pooler.upstream.backend import Backend

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
PERIOD_SECONDS = 6 * 3600.0
SPREAD = 0.2  # the period of each account deviates by up to so much
CONFIRM_SECONDS = 600.0  # what ends a login must be said again so much later
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 60.0, 3600.0
AT_ONCE = 4
DEACTIVATED = "account_deactivated"  # as the account's reason: at first with its state as it was

GiveUp = Callable[[UUID, str, str], Awaitable[object]]


async def nobody_to_tell(account_id: UUID) -> None:
    """For a process that shows accounts to nobody."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last attempt failed.  Another login is another chance, so it counts for one access token only."""

    access_token: str = field(repr=False)
    times: int
    retry_at: float  # unix seconds


class AccountChecks:
    """One per process; of several, whichever holds the lock asks.  ``give_up`` gets account, token and code of a
    login that has ended; ``changed`` is told of every account of which something else is known now."""

    def __init__(
        self,
        database: Database,
        backend: Backend,
        snapshot: Callable[[], Snapshot],
        configured_origin: str,
        give_up: GiveUp,
        changed: Callable[[UUID], Awaitable[None]] = nobody_to_tell,
    ) -> None:
        self._database, self._backend, self._snapshot = database, backend, snapshot
        self._configured_origin, self._give_up, self._changed = configured_origin, give_up, changed
        self._failures: dict[UUID, Failure] = {}
        self._wishes: dict[UUID, float] = {}
        self._news: set[UUID] = set()

    async def run(self) -> None:
        """Look and ask until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look(time.time())
            except UNAVAILABLE as exc:
                log.warning("accounts were not checked (%s); trying again shortly", type(exc).__name__)
            except Exception:  # nobody else would go on
                log.exception("checking accounts broke off")

    def wish(self, account_id: UUID) -> None:
        """Something is wrong with the account: ask with the next look, however new the last answer is."""
        self._wishes.setdefault(account_id, time.time())

    async def look(self, now: float) -> None:
        """Ask about every account that is due.  Raises what the database raises."""
        try:
            await self._look(now)
        finally:
            news, self._news = self._news, set()
            for account_id in news:
                await self._changed(account_id)

    async def _look(self, now: float) -> None:
        accounts = askable(self._snapshot(), now)
        async with self._database.session() as session:
            known = {row.id: row for row in await session.fetch(queries.KNOWN)}
            self._forget_answered(known)
            if not any(self._is_due(account, known, now) for account in accounts.values()):
                return
            async with _alone(session) as alone:
                if alone:  # somebody else may have asked meanwhile
                    known = {row.id: row for row in await session.fetch(queries.KNOWN)}
                    due = [account for account in accounts.values() if self._is_due(account, known, now)]
                    await self._ask_about(session, due, known, now)

    async def _ask_about(self, session: Session, due: list[Account], known: dict[UUID, Any], now: float) -> None:
        for start in range(0, len(due), AT_ONCE):
            batch = due[start : start + AT_ONCE]
            answers = await asyncio.gather(*(self._ask(account, now) for account in batch))
            for account, checked in zip(batch, answers, strict=True):
                if checked:
                    await self._take(session, account, known[account.id], checked, now)

    def _is_due(self, account: Account, known: dict[UUID, Any], now: float) -> bool:
        failure, row = self._failures.get(account.id), known.get(account.id)
        if row is None or (failure and failure.access_token == account.access_token and failure.retry_at > now):
            return False
        if row.checked_at is None:
            return True
        asked_at = row.checked_at.timestamp()
        if self._wishes.get(account.id, 0.0) > asked_at:
            return True
        own = (account.hash_bits % 1000 / 1000 * 2 - 1) * SPREAD
        period = CONFIRM_SECONDS if row.state_reason == DEACTIVATED else PERIOD_SECONDS * (1 + own)
        return bool(now - asked_at >= period)

    async def _ask(self, account: Account, now: float) -> Checked | None:
        try:
            # asked of everybody's backend, or a mistaken origin could never be put right
            asked = replace(account, backend_origin=None)
            checked = await check_account(self._backend, asked, self._configured_origin)
        except CheckFailed as exc:
            self._failed(account, exc.code, now)
            return None
        self._failures.pop(account.id, None)
        return checked

    def _failed(self, account: Account, code: str, now: float) -> None:
        before = self._failures.get(account.id)
        times = before.times + 1 if before and before.access_token == account.access_token else 1
        wait = min(FIRST_RETRY_SECONDS * 2.0 ** (times - 1), LAST_RETRY_SECONDS) * random.uniform(0.8, 1.2)
        self._failures[account.id] = Failure(account.access_token, times, now + wait)
        level = logging.WARNING if times == 1 else logging.DEBUG
        log.log(level, "the workspace of account %s could not be checked (%s)", account.id, code)

    async def _take(self, session: Session, account: Account, row: Any, checked: Checked, now: float) -> None:
        """Store what was said.  That an account is deactivated ends its login when it is said twice."""
        at = datetime.fromtimestamp(now, UTC)
        self._wishes.pop(account.id, None)
        said = _said(row, checked)
        if all(getattr(row, name) == value for name, value in said.items()):
            await session.execute(queries.UNCHANGED, account_id=account.id, at=at)
        else:
            await session.execute(queries.STORE, account_id=account.id, seen_state=row.state, at=at, **said)
            await announce_config(session)
            self._news.add(account.id)
        if not checked.is_deactivated:
            return
        if row.state_reason == DEACTIVATED and row.checked_at and now - row.checked_at.timestamp() >= CONFIRM_SECONDS:
            await self._give_up(account.id, account.access_token, DEACTIVATED)
        else:
            log.warning("the backend calls account %s deactivated; it is asked again in ten minutes", account.id)

    def _forget_answered(self, known: dict[UUID, Any]) -> None:
        """Another process may have asked, and deleted accounts are nobody's concern."""
        self._failures = {each: failure for each, failure in self._failures.items() if each in known}
        for account_id, wished_at in list(self._wishes.items()):
            row = known.get(account_id)
            if row is None or (row.checked_at and row.checked_at.timestamp() >= wished_at):
                del self._wishes[account_id]


def _said(row: Any, checked: Checked) -> dict[str, Any]:
    """The columns as they shall be.  A name that is not told, and a reason of another kind, stay."""
    reason = row.state_reason
    if checked.is_deactivated:
        reason = reason or DEACTIVATED
    elif reason == DEACTIVATED and row.state != "reauth_required":
        reason = None
    return {
        "is_fedramp": checked.is_fedramp,
        "workspace_label": checked.workspace or row.workspace_label,
        "routing_override": checked.override,
        "backend_origin": checked.origin,
        "state_reason": reason,
    }


@asynccontextmanager
async def _alone(session: Session) -> AsyncIterator[bool]:
    """True for the one process that may ask; the lock ends with the block, or with the connection."""
    taken = bool((await session.one(queries.TRY_LOCK)).taken)
    try:
        yield taken
    finally:
        if taken:
            with suppress(*UNAVAILABLE):
                await session.fetch(queries.UNLOCK)
