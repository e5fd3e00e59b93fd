"""One redemption at a time for a pool, whoever asks: those who come meanwhile wait for it, but never for long."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

import psycopg2

from codex_pooler.accounts.saved_resets import APPLIED, SavedResets
from codex_pooler.quota.resets import Rescue
from codex_pooler.storage.database import UNAVAILABLE

log = logging.getLogger(__name__)

WAIT_SECONDS = 8.0  # a turn waits no longer; its client is kept alive from ten seconds on
DATABASE_SECONDS = 2.0  # a database that does not answer by then is away
REST_SECONDS = 30.0  # between the end of one attempt for a pool and the next
LOOK_SECONDS = 5.0  # between two looks at whether a pool nears its limits
MOST_ACCOUNTS = 3  # tried in one attempt
LEAVE_SECONDS = 5.0  # how long attempts may go on when the process stops


class ResetFlights:
    """One per process.  An attempt belongs to the process and not to the turn that began it: a client that leaves
    does not leave a claim behind."""

    def __init__(self, saved: SavedResets) -> None:
        self._saved = saved
        self._flying: dict[UUID, asyncio.Task[UUID | None]] = {}
        self._rests_until: dict[UUID, float] = {}
        self._looked_at: dict[UUID, float] = {}

    def may_look(self, pool_id: UUID) -> bool:
        """Whether a pool that still serves should be looked at again; asking counts as looking."""
        now = time.monotonic()
        if pool_id in self._flying or self._rests(pool_id) or now < self._looked_at.get(pool_id, 0.0) + LOOK_SECONDS:
            return False
        self._looked_at[pool_id] = now
        return True

    def begin(self, pool_id: UUID, rescue: Rescue) -> None:
        """Redeem for the pool without anybody waiting."""
        if pool_id not in self._flying and not self._rests(pool_id):
            self._launch(pool_id, rescue)

    async def rescue(self, pool_id: UUID, rescue: Rescue) -> UUID | None:
        """Redeem for the pool, or wait for the attempt that is under way.

        Returns the account whose reset was applied to the one who began, who may then try it even if nothing else is
        known yet; None to everybody else, and when nothing was applied in time.
        """
        flight, begun_here = self._flying.get(pool_id), False
        if flight is None:
            if self._rests(pool_id):
                return None
            flight, begun_here = self._launch(pool_id, rescue), True
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                account_id = await asyncio.shield(flight)
        except TimeoutError:
            return None
        return account_id if begun_here else None

    async def close(self) -> None:
        """Let attempts end; what they leave behind is carried on by another process, or at the next start."""
        if flights := list(self._flying.values()):
            await asyncio.wait(flights, timeout=LEAVE_SECONDS)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._saved.close(LEAVE_SECONDS)

    def _rests(self, pool_id: UUID) -> bool:
        return time.monotonic() < self._rests_until.get(pool_id, 0.0)

    def _launch(self, pool_id: UUID, rescue: Rescue) -> asyncio.Task[UUID | None]:
        flight = asyncio.create_task(self._fly(rescue), name=f"saved-reset-for-{pool_id}")
        self._flying[pool_id] = flight
        flight.add_done_callback(lambda _: self._land(pool_id))
        return flight

    def _land(self, pool_id: UUID) -> None:
        del self._flying[pool_id]
        self._rests_until[pool_id] = time.monotonic() + REST_SECONDS

    async def _fly(self, rescue: Rescue) -> UUID | None:
        try:
            return await self._redeem_one(rescue)
        except (psycopg2.Error, OSError, *UNAVAILABLE) as exc:
            log.warning("no saved reset can be spent while the database is away (%s)", type(exc).__name__)
        except Exception:  # a pool that stays exhausted is told so; it must not be told a failure of ours
            log.exception("redeeming a saved reset broke off")
        return None

    async def _redeem_one(self, rescue: Rescue) -> UUID | None:
        async with asyncio.timeout(DATABASE_SECONDS):
            order = await self._saved.soonest_first(rescue.account_ids)
        for account_id in order[:MOST_ACCOUNTS]:
            redemption = await self._saved.redeem(account_id, rescue.trigger)
            if redemption.result == APPLIED:
                return account_id
            log.info("no saved reset of account %s: %s %s", account_id, redemption.result, redemption.code)
            if redemption.ends_the_search:
                return None
        return None
