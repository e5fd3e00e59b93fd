"""Keeps the lists of saved resets current, carries claims on that nobody finished, and saves resets from expiring."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2

from codex_pooler.accounts.reset_claims import SENDABLE
from codex_pooler.accounts.saved_resets import ENOUGH_NEWS_SECONDS, SavedResets
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.resets import (
    EXPIRY,
    LAST_CALL_SECONDS,
    RESCUE_SECONDS,
    Credit,
    first_to_spend,
    is_worth_rescuing,
    week_of,
)
from codex_pooler.snapshot.model import Account, Snapshot
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.database import UNAVAILABLE, Database
from codex_pooler.upstream.resets import ResetsUnavailable
from codex_pooler.upstream.usage import LoginDoubted, UsageUnavailable

log = logging.getLogger(__name__)

TICK_SECONDS = 10.0
AT_ONCE = 4
LOOK_SECONDS = 10.0
LIST_SECONDS = 6 * 3_600.0  # between two looks at a list
NEAR_EXPIRY_SECONDS = 1_800.0  # the same while something in it expires within a day
DOUBTED_SECONDS = 60.0  # when a usage answer counted differently
RESCUE_AGAIN_SECONDS = 60.0
# how soon the first saved reset expires -> how long to wait after a failure
AFTER_FAILURE = ((LAST_CALL_SECONDS, 60.0), (RESCUE_SECONDS, 300.0), (float("inf"), 900.0))


def logins(snapshot: Callable[[], Snapshot]) -> Callable[[UUID], Account | None]:
    """Finds an account that can ask the backend something, whether or not it serves."""

    def login_of(account_id: UUID) -> Account | None:
        return usable(snapshot(), time.time()).get(account_id)

    return login_of


def usable(snapshot: Snapshot, wall: float) -> dict[UUID, Account]:
    """Accounts of any pool whose login is in order, paused ones too.  ``wall`` is in unix seconds."""
    members = (member for pool in snapshot.pools.values() for member in pool.members)
    return {
        member.account.id: member.account
        for member in members
        if member.account.state in SENDABLE
        and member.account.access_token
        and (member.account.access_expires_at is None or member.account.access_expires_at > wall)
    }


def looking(usage: UsagePolling, login_of: Callable[[UUID], Account | None]) -> Callable[[UUID], Awaitable[None]]:
    """Asks for an account's usage now, whosever turn it is; without an answer nothing is learned."""

    async def look(account_id: UUID) -> None:
        account = login_of(account_id)
        if account is None:
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await usage.ask(account)
        except (UsageUnavailable, LoginDoubted, TimeoutError) as exc:
            log.info("the usage of account %s could not be read (%s)", account_id, type(exc).__name__)

    return look


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored of one account's saved resets.  Times are unix seconds."""

    credits: tuple[Credit, ...] = ()
    claimed_at: float | None = None  # when a process last set out to read the list
    available: int | None = None
    failures: int = 0

    def seconds_to_expiry(self, now: float) -> float:
        """Until the first of them expires."""
        ends = (each.expires_at for each in self.credits if each.expires_at is not None)
        return min(ends, default=float("inf")) - now

    def wait(self, reported: int | None, now: float) -> float:
        """Seconds from one look at the list to the next; ``reported`` is what a usage answer counted."""
        left = self.seconds_to_expiry(now)
        if self.failures:
            return next(wait for within, wait in AFTER_FAILURE if left <= within)
        if reported is not None and self.available is not None and reported != self.available:
            return DOUBTED_SECONDS
        return NEAR_EXPIRY_SECONDS if left <= RESCUE_SECONDS else LIST_SECONDS

    def is_due(self, reported: int | None, now: float) -> bool:
        """Whether to look at the list.  Where nothing is reported there is none to look at."""
        if self.claimed_at is None:
            return bool(reported)
        return now - self.claimed_at >= self.wait(reported, now)


class SavedResetCare:
    """One per process.  Any number may run at once: each list is leased to one of them by its row, each claim is sent
    by whoever counts its dispatch up first."""

    def __init__(
        self, database: Database, saved: SavedResets, quotas: Quotas, snapshot: Callable[[], Snapshot]
    ) -> None:
        self.saved = saved
        self._database, self._quotas, self._snapshot = database, quotas, snapshot
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (psycopg2.Error, OSError, *UNAVAILABLE) as exc:
                log.warning("saved resets cannot be looked after now (%s); trying again", type(exc).__name__)
            except Exception:  # whatever it was, the next pass may go well
                log.exception("looking after saved resets broke off")
            await asyncio.sleep(TICK_SECONDS)

    async def look(self) -> None:
        """One pass.  Raises what the database raises."""
        await self.settle()
        now = time.time()
        accounts = usable(self._snapshot(), now)
        held = await self._held(list(accounts))
        due = [each for each in accounts if held[each].is_due(self._reported(each), now)]
        await self._each(due, lambda account_id: self.read(account_id, held[account_id].wait(None, now)))
        at_risk = [each for each in accounts.values() if self._may_be_rescued(each, held[each.id], now)]
        await self._each([each.id for each in at_risk], self._rescue)

    async def _each(self, account_ids: Sequence[UUID], work: Callable[[UUID], Awaitable[object]]) -> None:
        async def one(account_id: UUID) -> None:
            async with self._gate:
                await _apart(account_id, work(account_id))

        await asyncio.gather(*map(one, account_ids))

    async def settle(self) -> None:
        """Carry on every claim that is not over."""
        async with self._database.session() as session:
            rows = await session.fetch(queries.UNFINISHED)
        for row in rows:
            await _apart(row.account_id, self.saved.settle(row))

    async def read(self, account_id: UUID, least_age: float = 0.0) -> bool:
        """Read an account's list, unless another process has set out to within ``least_age`` seconds.

        False when it could not be read.
        """
        if not await self._take(account_id, least_age):
            return True
        try:
            await self.saved.read(account_id)
        except ResetsUnavailable as exc:
            log.info("the saved resets of account %s could not be read (%s)", account_id, exc.reason)
            async with self._database.session() as session:
                await session.execute(queries.CHECK_FAILED, account_id=account_id)
            return False
        return True

    async def read_now(self, account_id: UUID | None = None) -> tuple[int, int]:
        """Read one list, or all of them: how many were asked for, and how many could be read."""
        accounts = usable(self._snapshot(), time.time())
        wanted = [each for each in accounts if account_id in (None, each)]
        return len(wanted), sum([await self.read(each) for each in wanted])

    async def _take(self, account_id: UUID, least_age: float) -> bool:
        async with self._database.session() as session:
            return await session.one(queries.TAKE_CHECK, account_id=account_id, seconds=least_age) is not None

    async def _held(self, account_ids: list[UUID]) -> Mapping[UUID, Held]:
        async with self._database.session() as session:
            checks = {row.account_id: row for row in await session.fetch(queries.CHECKS, account_ids=account_ids)}
            listed = await session.fetch(queries.AVAILABLE, account_ids=account_ids)
        credits: dict[UUID, list[Credit]] = {}
        for row in listed:
            credits.setdefault(row.account_id, []).append(Credit(row.credit_id, _unix(row.expires_at)))
        return {each: _held(checks.get(each), credits.get(each, ())) for each in account_ids}

    def _reported(self, account_id: UUID) -> int | None:
        record = self._quotas.record(account_id)
        return record.saved_resets if record else None

    def _may_be_rescued(self, account: Account, held: Held, now: float) -> bool:
        """A saved reset of it is about to be lost, and its owner wants it used before that."""
        policy = account.reset_policy
        if account.state != "active" or held.seconds_to_expiry(now) > RESCUE_SECONDS:
            return False
        credit = first_to_spend(held.credits, held.available, policy.keep_credits, now)
        week = week_of(self._quotas.record(account.id), now)
        return credit is not None and is_worth_rescuing(policy, week, credit, now)

    async def _rescue(self, account_id: UUID) -> None:
        """Spend what would be lost, once the newest evidence and the newest list have said the same."""
        if not await self._take(account_id, RESCUE_AGAIN_SECONDS):
            return
        await self.saved.refresh_week(account_id, ENOUGH_NEWS_SECONDS)
        now = time.time()
        account = usable(self._snapshot(), now).get(account_id)
        held = (await self._held([account_id]))[account_id]
        if account and self._may_be_rescued(account, held, now):
            await self.saved.redeem(account_id, EXPIRY)


async def _apart(account_id: UUID, work: Awaitable[object]) -> None:
    """Trouble with one account must not keep the others from being looked after.  Raises what the database raises."""
    try:
        await work
    except (psycopg2.Error, OSError, *UNAVAILABLE):
        raise
    except Exception:
        log.exception("looking after the saved resets of account %s broke off", account_id)


def _held(check: Any, credits: Sequence[Credit]) -> Held:
    if check is None:
        return Held(tuple(credits))
    return Held(tuple(credits), _unix(check.claimed_at), check.available, check.failures)


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
