"""Renews logins: one exchange per account at a time, whoever asks, and never a new token lost on its way.

The order is the point.  The login is leased in the database, its refresh token is spent, the new pair is written
sealed to disk (accounts/exchange.py), then stored, and then every process is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg2

from codex_pooler.accounts.exchange import Exchange, Exchanged, Spending
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.renewal import ACCESS_TOKEN, RUNNING, Login, Renewal, Renewed, Wish, objection
from codex_pooler.accounts.renewal_plan import is_due
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.telemetry.metrics import RENEWALS, Metrics
from codex_pooler.upstream.oauth import DOUBTFUL, PERMANENT, RECOVERY, RefreshRefused

log = logging.getLogger(__name__)

STORE_SECONDS = 5.0  # how long those who wait for a token wait for the database as well
ELSEWHERE_SECONDS = 10.0  # how long to wait for another process that is renewing the login
LOOK_AGAIN_SECONDS = 0.25
NOT_STORED = (psycopg2.Error, *UNAVAILABLE)
CLOSE_SECONDS = 35.0  # an exchange that is cut off may have spent its token for nothing


async def nobody_to_tell(account_id: UUID) -> None:
    """For a process that shows logins to nobody."""


def nowhere_to_serve(renewed: Renewed) -> None:
    """For a process that serves no turns."""


class Refresher:
    """One per process.

    ``changed`` is told of every account whose stored login or state changed; ``serve`` gets a new login that cannot
    be stored yet, so that turns use it all the same.
    """

    def __init__(
        self,
        logins: Logins,
        exchange: Exchange,
        *,
        changed: Callable[[UUID], Awaitable[None]] = nobody_to_tell,
        serve: Callable[[Renewed], None] = nowhere_to_serve,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
    ) -> None:
        self._logins, self._exchange = logins, exchange
        self._metrics = metrics or Metrics()
        self._changed, self._serve, self._clock = changed, serve, clock
        self._flights: dict[UUID, asyncio.Task[Renewal]] = {}
        self._verdicts: set[asyncio.Task[None]] = set()
        self._successors: dict[UUID, tuple[str, str]] = {}  # the token this process replaced last, and by which
        self._unkept: dict[UUID, Renewed] = {}  # neither the disk nor the database took them yet
        self.unstored = asyncio.Event()

    # -- asking

    async def renew(self, account_id: UUID, refused_token: str) -> Renewal:
        """A token newer than the one the backend refused.  Cancelling a caller never cancels the exchange."""
        while True:
            before, after = self._successors.get(account_id, ("", ""))
            if before == refused_token:
                return Renewal("already_newer", after)
            others = account_id in self._flights
            found = await self._join(account_id, Wish(refused_token))
            # a flight that somebody else began may not have known that this token is refused
            if not others or (found.token != refused_token and found.code != RUNNING):
                return found

    async def renew_due(self, account_id: UUID) -> Renewal:
        """Renew the login if it is due; otherwise ``already_newer``."""
        return await self._join(account_id, Wish())

    async def renew_now(self, account_id: UUID) -> Renewal:
        """Renew the login whether or not it is due, and however recently an attempt failed."""
        return await self._join(account_id, Wish(forced=True))

    async def due(self) -> list[UUID]:
        """The accounts whose logins are to be renewed by now.  Raises what the database raises."""
        now = self._clock()
        return [age.account_id for age in await self._logins.ages() if is_due(age, now)]

    async def give_up(self, account_id: UUID, refused_token: str, code: str) -> bool:
        """The backend refuses even a fresh token for good: the account needs a new login.

        False when ``refused_token`` is not the newest any more.  Raises what the database raises.
        """
        login = await self._logins.current(account_id)
        if login is None or login.access_token != refused_token:
            return False
        return await self._conclude(login, code)

    def give_up_soon(self, account_id: UUID, refused_token: str, code: str) -> None:
        """The same without waiting; with the database away it is found out again by the next turn."""
        task = asyncio.create_task(self._give_up_quietly(account_id, refused_token, code), name="give up a login")
        self._verdicts.add(task)
        task.add_done_callback(self._verdicts.discard)

    async def _give_up_quietly(self, account_id: UUID, refused_token: str, code: str) -> None:
        with suppress(*UNAVAILABLE):
            await self.give_up(account_id, refused_token, code)

    async def close(self) -> None:
        """Wait for exchanges that are under way."""
        if under_way := {*self._flights.values(), *self._verdicts}:
            await asyncio.wait(under_way, timeout=CLOSE_SECONDS)
        await self._exchange.close()

    # -- one flight per account

    async def _join(self, account_id: UUID, wish: Wish) -> Renewal:
        flight = self._flights.get(account_id)
        if flight is None:
            flight = asyncio.create_task(self._fly(account_id, wish), name=f"renew-login-{account_id}")
            self._flights[account_id] = flight
            flight.add_done_callback(partial(self._landed, account_id))
        await asyncio.wait({flight})
        broken = flight.cancelled() or flight.exception() is not None
        return Renewal("failed", code="renewal_broke_off") if broken else flight.result()

    def _landed(self, account_id: UUID, flight: asyncio.Task[Renewal]) -> None:
        del self._flights[account_id]
        if not flight.cancelled() and (exc := flight.exception()):
            log.error("renewing the login of account %s broke off", account_id, exc_info=exc)

    async def _fly(self, account_id: UUID, wish: Wish) -> Renewal:
        try:
            await self.store_kept(account_id)
            login = await self._lease(account_id, wish)
        except UNAVAILABLE:
            return Renewal("failed", code="database_unavailable")
        if isinstance(login, Renewal):
            return login
        if login.kind == ACCESS_TOKEN:
            return await self._refused(login, RefreshRefused("access_token_refused", PERMANENT))
        try:
            done = await self._exchange.spend(_spending(login, wish))
        except RefreshRefused as exc:
            return await self._refused(login, exc)
        return await self._granted(login, done)

    async def _lease(self, account_id: UUID, wish: Wish) -> Login | Renewal:
        """The leased login, or why there is none.  Waits a while for another process that has it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (ELSEWHERE_SECONDS if wish.refused_token else 0.0)
        while True:
            found = await self._logins.lease(account_id, lambda login: objection(login, wish, self._clock()))
            if not (isinstance(found, Renewal) and found.code == RUNNING and loop.time() < until):
                return found
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    # -- what came of it

    async def _granted(self, login: Login, done: Exchanged) -> Renewal:
        new, kept = done.renewed, done.kept
        self._metrics.count(RENEWALS, "renewed")
        if kept is None:
            log.error("cannot write a new login to disk (%s); it is kept in memory until it is stored", done.trouble)
            self._unkept[new.account_id] = new
        self._successors[login.id] = (login.access_token, new.access_token)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                stored = await self._logins.store(new)
        except NOT_STORED as exc:
            log.warning("the new login of %s waits for the database (%s)", login.label, type(exc).__name__)
            self._serve(new)
            self.unstored.set()
            return Renewal("renewed", new.access_token)
        self._done_with(new, kept)
        if not stored:
            return await self._overtaken(login)
        log.info("renewed the login of %s", login.label)
        await self._tell(login.id)
        return Renewal("renewed", new.access_token)

    def _done_with(self, new: Renewed, kept: Path | None) -> None:
        if kept:
            self._logins.kept.forget(kept)
        if self._unkept.get(new.account_id) == new:
            del self._unkept[new.account_id]

    async def _overtaken(self, login: Login) -> Renewal:
        """Somebody gave the account another login meanwhile: that one counts."""
        self._successors.pop(login.id, None)
        try:
            current = await self._logins.current(login.id)
        except UNAVAILABLE:
            return Renewal("failed", code="database_unavailable")
        if current is None or not current.access_token:
            return Renewal("rejected", code="account_deleted")
        return Renewal("already_newer", current.access_token)

    async def _refused(self, login: Login, exc: RefreshRefused) -> Renewal:
        again = login.age.failures > 0 and login.error == exc.code
        for_good = exc.meaning == PERMANENT or (exc.meaning == DOUBTFUL and again)
        try:
            known = await self._conclude(login, exc.code) if for_good else await self._put_off(login, exc.code)
            if not known:
                return await self._overtaken(login)
        except UNAVAILABLE:
            log.warning("what became of the login of %s could not be stored: %s", login.label, exc.code)
        outcome = "rejected" if for_good else "failed"
        self._metrics.count(RENEWALS, outcome)
        return Renewal(outcome, code=exc.code)

    async def _conclude(self, login: Login, code: str) -> bool:
        recorded = await self._logins.record_refusal(login, code, self._clock())
        if recorded:
            self._successors.pop(login.id, None)
            log.warning("account %s needs a new login: %s", login.label, code)
            await self._tell(login.id)
        return recorded

    async def _put_off(self, login: Login, code: str) -> bool:
        log.warning("the login of %s could not be renewed (%s); trying again later", login.label, code)
        return await self._logins.record_failure(login, code, self._clock())

    async def _tell(self, account_id: UUID) -> None:
        """What is stored is stored: a listener's trouble must not look like a failed renewal."""
        try:
            await self._changed(account_id)
        except Exception:
            log.exception("the renewal of account %s could not be announced in this process", account_id)

    # -- logins that wait for the database

    async def store_kept(self, account_id: UUID | None = None) -> None:
        """Store what an earlier exchange, or a process that died, could not.  Raises what the database raises."""
        waiting: list[tuple[Path | None, Renewed]] = [*self._logins.kept.all(account_id)]
        waiting += [(None, new) for new in self._unkept.values() if account_id in (None, new.account_id)]
        for kept, new in waiting:
            if await self._store_waiting(new):
                self._done_with(new, kept)
        if account_id is None and not self._unkept:
            self.unstored.clear()

    async def _store_waiting(self, new: Renewed) -> bool:
        """Whether the login needs no more care: stored, or overtaken by a newer one."""
        try:
            stored = await self._logins.store(new)
        except UNAVAILABLE:
            raise
        except psycopg2.Error as exc:
            log.error("a new login of account %s cannot be stored (%s)", new.account_id, type(exc).__name__)
            return False
        if stored:
            log.info("stored a new login of account %s that had been waiting for the database", new.account_id)
            await self._tell(new.account_id)
        return True


def _spending(login: Login, wish: Wish) -> Spending:
    return Spending(
        login.id, login.age.epoch, login.refresh_token, RECOVERY if wish.refused_token else None, login.proxy
    )
