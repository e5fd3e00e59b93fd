"""Asks the backend for every account's usage: often while an account serves, seldom otherwise, never all at once."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg2

from codex_pooler.quota.evidence import from_usage
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.record import Record
from codex_pooler.quota.standing import BLOCKED, Standing
from codex_pooler.snapshot.model import Account, Snapshot
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.database import UNAVAILABLE, Database
from codex_pooler.storage.queries_quota import CLAIM, SET_PLAN
from codex_pooler.telemetry.metrics import USAGE_POLLS, Metrics
from codex_pooler.upstream.usage import LoginDoubted, UsageClient, UsageUnavailable

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
BUSY_SECONDS = 75.0  # between two questions about an account that is serving
IDLE_SECONDS = 300.0
RESTING_SECONDS = 900.0  # about one that is paused, or that a limit keeps away for long
LONG_SECONDS = 3_600.0
AFTER_LIMIT_SECONDS = 60.0  # the backend's own figures lag behind its refusals
SLOWEST_SECONDS = 1_800.0
RECENTLY_SECONDS = 300.0  # an account that served within this is busy
NEARLY_USED = 80.0  # percent; such a window is watched as closely as a busy account's
JITTER = 0.2
SOONEST_SECONDS, SPREAD_SECONDS, SPREAD_PER_ACCOUNT = 2.0, 60.0, 3.0  # of the first questions after a start
NEWCOMER_SECONDS = 4.0  # an account that got its login since then is asked about by then, so that it is known at once
AT_ONCE = 4
NOW_AGE_SECONDS = 5.0  # what was told so recently is told again to nobody, however much he asks
ASKED_STATES = frozenset({"active", "draining", "paused"})
CLAIM_SHARE = 0.7  # of the interval: asked by another process within it, an account is not asked again

LoginDoubts = Callable[[UUID, str], Awaitable[object]]


@dataclass(slots=True)
class Turn:
    """When an account's turn is.  ``asked_at`` is monotonic, ``asked_wall`` unix seconds; ``pace`` spreads accounts
    that would otherwise fall into step."""

    first_at: float
    pace: float
    asked_at: float | None = None
    asked_wall: float = 0.0
    failures: int = 0

    def is_due(self, record: Record | None, wall: float, monotonic: float, *, resting: bool = False) -> bool:
        """Whether to ask now."""
        if self.asked_at is None:
            return monotonic >= self.first_at
        since = monotonic - self.asked_at
        if record and record.limited_at > self.asked_wall and wall >= record.limited_at + AFTER_LIMIT_SECONDS:
            return since >= AFTER_LIMIT_SECONDS
        return since >= min(interval(record, wall, resting) * 2.0**self.failures, SLOWEST_SECONDS) * self.pace


def interval(record: Record | None, wall: float, resting: bool = False) -> float:
    """Seconds between two questions about an account; one that is ``resting`` serves nothing for a while."""
    if resting:
        return RESTING_SECONDS
    if record is None:
        return IDLE_SECONDS
    nearly = any(window.used_at(wall) >= NEARLY_USED for window in record.windows.values())
    return BUSY_SECONDS if nearly or wall - record.served_at < RECENTLY_SECONDS else IDLE_SECONDS


def is_resting(account: Account, standing: Standing, wall: float) -> bool:
    """Whether the account serves nothing for long: it is paused, or a limit keeps it away for more than an hour."""
    away_until = (standing.until or standing.valid_until) if standing.grade == BLOCKED else wall
    return account.state == "paused" or away_until > wall + LONG_SECONDS


class UsagePolling:
    """One per process.  ``login_doubted`` gets the account and the token that every path refused."""

    def __init__(
        self,
        database: Database,
        client: UsageClient,
        quotas: Quotas,
        snapshot: Callable[[], Snapshot],
        login_doubted: LoginDoubts,
        *,
        chance: random.Random | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._database, self._client, self._quotas = database, client, quotas
        self._snapshot, self._login_doubted = snapshot, login_doubted
        self._chance, self._metrics = chance or random.Random(), metrics or Metrics()
        self._turns: dict[UUID, Turn] = {}
        self._asking: set[UUID] = set()
        self._began: float | None = None  # monotonic

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for account in await self._claimed(self._due(time.time(), time.monotonic())):
                    self._asking.add(account.id)
                    tasks.create_task(self._ask_quietly(account), name=f"usage-of-{account.id}")
                await asyncio.sleep(TICK_SECONDS)

    async def ask_now(self, account_id: UUID | None = None) -> tuple[int, int]:
        """Ask about one account, or all, whosever turn it is: how many were asked, and how many of these told."""
        accounts = askable(self._snapshot(), time.time())
        wanted = [accounts[account_id]] if account_id in accounts else [] if account_id else list(accounts.values())
        wall, monotonic = time.time(), time.monotonic()
        ours = await self._claim([account.id for account in wanted], wall, NOW_AGE_SECONDS)
        mine = [account for account in wanted if account.id in ours and account.id not in self._asking]
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(account: Account) -> int:
            turn = self._turns.get(account.id) or self._first_turn(account.id, monotonic, SPREAD_SECONDS)
            turn.asked_at, turn.asked_wall, turn.pace = monotonic, wall, self._pace()
            async with gate:
                await self._ask_quietly(account)
            return int(turn.failures == 0)

        self._asking.update(account.id for account in mine)
        try:
            return len(mine), sum(await asyncio.gather(*map(ask, mine)))
        finally:
            self._asking.difference_update(account.id for account in mine)

    def _due(self, wall: float, monotonic: float) -> list[Account]:
        """Whose turn it is, those that have waited longest first, and no more than may be asked at once."""
        accounts = askable(self._snapshot(), wall)
        self._began = monotonic if self._began is None else self._began
        self._turns = {account_id: turn for account_id, turn in self._turns.items() if account_id in accounts}
        spread = min(IDLE_SECONDS, max(SPREAD_SECONDS, SPREAD_PER_ACCOUNT * len(accounts)))
        due = []
        for account in accounts.values():
            turn = self._turns.get(account.id) or self._first_turn(account.id, monotonic, spread)
            if account.id not in self._asking and self._is_due(account, turn, wall, monotonic):
                due.append((turn.asked_wall, account))
        due.sort(key=lambda each: each[0])
        return [account for _, account in due[: max(0, AT_ONCE - len(self._asking))]]

    def _is_due(self, account: Account, turn: Turn, wall: float, monotonic: float) -> bool:
        record = self._quotas.record(account.id)
        return turn.is_due(record, wall, monotonic, resting=self._is_resting(account, wall))

    def _is_resting(self, account: Account, wall: float) -> bool:
        return is_resting(account, self._quotas.standing(account.id, "", wall), wall)

    def _first_turn(self, account_id: UUID, monotonic: float, spread: float) -> Turn:
        is_newcomer = self._began is not None and monotonic > self._began + SOONEST_SECONDS
        wait = self._chance.uniform(SOONEST_SECONDS, NEWCOMER_SECONDS if is_newcomer else spread)
        turn = self._turns[account_id] = Turn(monotonic + wait, self._pace())
        return turn

    def _pace(self) -> float:
        return self._chance.uniform(1 - JITTER, 1 + JITTER)

    async def _claimed(self, due: Iterable[Account]) -> list[Account]:
        """Those that no other process has asked for just now; all of them while the database is away."""
        wall = time.time()
        by_age: dict[float, list[Account]] = defaultdict(list)
        for account in due:
            by_age[self._least_age(account, wall)].append(account)
            turn = self._turns[account.id]
            turn.asked_at, turn.asked_wall, turn.pace = time.monotonic(), wall, self._pace()
        claimed: list[Account] = []
        for age, accounts in by_age.items():
            ours = await self._claim([account.id for account in accounts], wall, age)
            claimed += [account for account in accounts if account.id in ours]
        return claimed

    def _least_age(self, account: Account, wall: float) -> float:
        record, turn = self._quotas.record(account.id), self._turns[account.id]
        limited = record is not None and record.limited_at > turn.asked_wall
        usual = interval(record, wall, self._is_resting(account, wall))
        return CLAIM_SHARE * (AFTER_LIMIT_SECONDS if limited else usual)

    async def _claim(self, ids: list[UUID], wall: float, age: float) -> set[UUID]:
        now, before = datetime.fromtimestamp(wall, UTC), datetime.fromtimestamp(wall - age, UTC)
        try:
            async with self._database.session() as session:
                return {row.account_id for row in await session.fetch(CLAIM, ids=ids, now=now, before=before)}
        except (psycopg2.Error, *UNAVAILABLE):
            return set(ids)

    async def _ask_quietly(self, account: Account) -> None:
        turn = self._turns.get(account.id) or Turn(0.0, self._pace())  # the account may have gone meanwhile
        outcome = "cancelled"
        try:
            await self.ask(account)
        except UsageUnavailable as exc:
            outcome, turn.failures = "unavailable", turn.failures + 1
            log.log(
                logging.WARNING if turn.failures == 1 else logging.DEBUG,
                "the usage of account %s could not be read (%s)",
                account.id,
                exc.reason,
            )
        except LoginDoubted:
            outcome, turn.failures = "login_refused", turn.failures + 1
            await self._doubt(account)
        except Exception:  # one account's trouble must not end the polling of all others
            outcome, turn.failures = "broken_off", turn.failures + 1
            log.exception("asking for the usage of account %s broke off", account.id)
        else:
            outcome, turn.failures = "read", 0
        finally:
            self._asking.discard(account.id)
            self._metrics.count(USAGE_POLLS, outcome)

    async def ask(self, account: Account) -> None:
        """Read an account's usage and take it in as evidence.  Raises UsageUnavailable, LoginDoubted."""
        asked_at = time.time()  # what is told is at least as new as this
        body = await self._client.fetch(account)
        try:
            seen = from_usage(body, asked_at)
        except ValueError:
            raise UsageUnavailable("not a usage document") from None
        self._quotas.observe(account.id, seen, time.time())
        if seen.plan_type and seen.plan_type != account.plan_type:
            await self._set_plan(account.id, seen.plan_type)

    async def _set_plan(self, account_id: UUID, plan_type: str) -> None:
        try:
            async with self._database.transaction() as session:
                if await session.one(SET_PLAN, account_id=account_id, plan=plan_type):
                    await announce_config(session)
        except (psycopg2.Error, *UNAVAILABLE) as exc:
            log.warning("the new plan of account %s could not be stored (%s)", account_id, type(exc).__name__)

    async def _doubt(self, account: Account) -> None:
        """An account that has served since it was asked last has a login that works, whatever the usage path says."""
        record = self._quotas.record(account.id)
        if record and time.time() - record.served_at < RECENTLY_SECONDS:
            return
        log.warning("the backend refuses the login of account %s when asked for its usage", account.id)
        try:
            await self._login_doubted(account.id, account.access_token)
        except Exception:
            log.exception("the doubted login of account %s could not be looked into", account.id)


def askable(snapshot: Snapshot, wall: float) -> dict[UUID, Account]:
    """Accounts of any pool that the backend can be asked about: with a token that has not expired.

    Those that are paused as well, so that it is known what they have once they are back.
    """
    accounts = {member.account.id: member.account for pool in snapshot.pools.values() for member in pool.members}
    return {
        account.id: account
        for account in accounts.values()
        if account.state in ASKED_STATES
        and account.access_token
        and (account.access_expires_at is None or account.access_expires_at > wall)
    }
