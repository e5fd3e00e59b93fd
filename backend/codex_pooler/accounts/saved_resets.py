"""Spends an account's saved reset: reads the list, claims, asks the backend, and holds the effect against evidence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from codex_pooler.accounts.reset_claims import MOST_DISPATCHES, Claim, Claims, Denied, claim_of
from codex_pooler.quota.facts import USAGE, Observation
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.resets import BLOCKED, PASSED, RENEWED, Week, effect_of, policy_of, week_of
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import SAVED_RESETS, Metrics
from codex_pooler.upstream.http_turn import Credential
from codex_pooler.upstream.resets import NOT_APPLIED, Listing, ResetsClient, ResetsUnavailable, Spent, Unanswered

log = logging.getLogger(__name__)

CONFIRM_SECONDS = 900.0  # so long evidence may take to show that a reset was applied
OPEN_SECONDS = 6 * 3_600.0  # after that nobody asks the backend about a claim any more
ENOUGH_NEWS_SECONDS = 120.0  # evidence younger than this need not be asked for before something is spent

# how an attempt to redeem ended
APPLIED, REFUSED, UNKNOWN = "applied", "refused", "unknown"
DENIED, UNREADABLE, NOT_NEEDED = "denied", "unreadable", "not_needed"


@dataclass(frozen=True, slots=True)
class Redemption:
    """How an attempt to redeem ended: ``result`` is one of the words above, ``code`` says more.

    ``claim`` is the one that was made, or the one that was in the way.
    """

    account_id: UUID
    result: str
    code: str = ""
    claim: Claim | None = None

    @property
    def ends_the_search(self) -> bool:
        """No other account's reset may be spent for the same trouble."""
        if self.result in (APPLIED, UNKNOWN, NOT_NEEDED):
            return True
        return (self.result, self.code) in {(DENIED, "in_progress"), (DENIED, "cooling"), (REFUSED, "nothing_to_reset")}


class SavedResets:
    """One per process.  ``account_of`` finds the login of an account of any pool, or None; ``look`` asks for its
    usage now and takes the answer in as evidence; ``changed`` tells whoever watches.  Neither raises.

    Methods raise what the database raises, unless they say otherwise.
    """

    def __init__(
        self,
        database: Database,
        client: ResetsClient,
        quotas: Quotas,
        account_of: Callable[[UUID], Credential | None],
        look: Callable[[UUID], Awaitable[None]],
        changed: Callable[[UUID], Awaitable[None]],
        metrics: Metrics | None = None,
    ) -> None:
        self.claims = Claims(database)
        self._database, self._client, self._quotas = database, client, quotas
        self._account_of, self._look, self._changed = account_of, look, changed
        self._metrics = metrics or Metrics()
        self._sending: set[asyncio.Task[Redemption]] = set()

    # -- the list

    async def read(self, account_id: UUID) -> Listing:
        """The backend's list as it is now, stored.  Raises ResetsUnavailable, and what the database raises."""
        account = self._account_of(account_id)
        if account is None:
            raise ResetsUnavailable("no_login")
        listing = await self._client.read(account)
        await self.claims.store_list(account_id, listing)
        self._tell_count(account_id, listing.available)
        return listing

    def _tell_count(self, account_id: UUID, available: int) -> None:
        """The same count as usage answers give, so that both agree."""
        if self._quotas.record(account_id) is not None:
            now = time.time()
            self._quotas.observe(account_id, Observation(USAGE, now, saved_resets=available), now)

    async def soonest_first(self, account_ids: Iterable[UUID]) -> list[UUID]:
        """These accounts by when their first saved reset expires, as far as is known; those without one last."""
        ids = list(account_ids)
        async with self._database.session() as session:
            rows = await session.fetch(queries.AVAILABLE, account_ids=ids)
        order = {account_id: place for place, account_id in enumerate(dict.fromkeys(row.account_id for row in rows))}
        return sorted(ids, key=lambda account_id: order.get(account_id, len(order)))

    # -- spending

    async def redeem(self, account_id: UUID, trigger: str) -> Redemption:
        """Spend one of the account's saved resets as its policy allows, unless newer evidence says that there is no
        need."""
        if not await self._is_needed(account_id, trigger):
            return Redemption(account_id, NOT_NEEDED)
        try:
            listing = await self.read(account_id)
        except ResetsUnavailable as exc:
            return Redemption(account_id, UNREADABLE, exc.reason)
        taken = await self.claims.take_automatically(account_id, trigger, self.week(account_id), listing)
        if isinstance(taken, Denied):
            if taken.claim is not None and taken.claim.phase in ("applied", "confirmed"):
                await self.confirm(taken.claim)
            return Redemption(account_id, DENIED, taken.reason, taken.claim)
        log.info("spending a saved reset of account %s (%s)", account_id, trigger)
        return await self.send(taken)

    async def _is_needed(self, account_id: UUID, trigger: str) -> bool:
        """Whether the week still is as it was when somebody decided; asked of the backend unless that is news."""
        week = await self.refresh_week(account_id, ENOUGH_NEWS_SECONDS)
        return week is not None and (trigger != BLOCKED or week.is_used_up)

    async def refresh_week(self, account_id: UUID, most_age: float) -> Week | None:
        """The account's week, asked of the backend when what is known is older than so many seconds."""
        week = self.week(account_id)
        if week is None or time.time() - week.observed_at > most_age:
            await self._look(account_id)
        return self.week(account_id)

    def week(self, account_id: UUID) -> Week | None:
        """The account's week as it is known here."""
        return week_of(self._quotas.record(account_id), time.time())

    def send_soon(self, claim: Claim) -> asyncio.Task[Redemption]:
        """Send it in a task of the process: whoever asked for it may leave meanwhile."""
        task = asyncio.create_task(self.send(claim), name=f"saved-reset-of-{claim.account_id}")
        self._sending.add(task)
        task.add_done_callback(self._sent)
        return task

    async def close(self, seconds: float) -> None:
        """Let what is being sent end within so many seconds; the rest is carried on elsewhere."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)
        for task in tuple(self._sending):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _sent(self, task: asyncio.Task[Redemption]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (exc := task.exception()):
            log.error("a saved reset that was asked for waits to be sent again (%s)", type(exc).__name__)

    async def send(self, claim: Claim) -> Redemption:
        """Ask the backend to carry a claim out, and close the claim with its answer."""
        account = self._account_of(claim.account_id)
        if account is None:
            return Redemption(claim.account_id, UNKNOWN, "no_login", claim)
        sent = await self.claims.send(claim)
        if sent is None:
            return Redemption(claim.account_id, UNKNOWN, "sent_elsewhere", claim)
        try:
            spent = await self._client.spend(account, sent.credit_id, sent.id)
        except Unanswered as exc:
            return await self._unanswered(sent, exc.reason)
        if not spent.applied and sent.dispatches > 1 and spent.code not in NOT_APPLIED:
            return await self._unanswered(sent, spent.code)  # says nothing about the request before
        return await self._answered(sent, spent)

    async def _answered(self, claim: Claim, spent: Spent) -> Redemption:
        self._metrics.count(SAVED_RESETS, claim.trigger, APPLIED if spent.applied else REFUSED)
        closed = await self.claims.answered(claim, spent) or claim
        await self._changed(claim.account_id)
        if not spent.applied:
            log.warning("the saved reset of account %s was not spent (%s)", claim.account_id, spent.code)
            await self._look(claim.account_id)
            return Redemption(claim.account_id, REFUSED, spent.code, closed)
        log.info("a saved reset of account %s was spent (%s)", claim.account_id, spent.code)
        confirmed = await self.confirm(closed)
        return Redemption(claim.account_id, APPLIED, spent.code, confirmed)

    async def _unanswered(self, claim: Claim, reason: str) -> Redemption:
        self._metrics.count(SAVED_RESETS, claim.trigger, UNKNOWN)
        log.warning("whether a saved reset of account %s was spent is not known (%s)", claim.account_id, reason)
        stays = await self.claims.unanswered(claim, reason)
        await self._changed(claim.account_id)
        return Redemption(claim.account_id, UNKNOWN, reason, stays or claim)

    # -- what became of it

    async def confirm(self, claim: Claim, since: float | None = None) -> Claim:
        """Look for the effect of a reset that was applied (after ``since``, unix seconds); once it shows, the account
        serves again and the claim is closed."""
        asked_at = time.time()
        effect = await self._effect(claim, asked_at if since is None else since)
        if effect != RENEWED:
            return claim
        self._quotas.renewed(claim.account_id, time.time())
        closed = await self.claims.finish(claim, "confirmed") if claim.phase != "confirmed" else None
        await self._changed(claim.account_id)
        return closed or claim

    async def _effect(self, claim: Claim, since: float) -> str:
        await self._look(claim.account_id)
        now = time.time()
        return effect_of(claim.before, self.week(claim.account_id), since, now)

    async def settle(self, row: Any) -> None:
        """Carry a claim on that is not over: one that was applied waits for its effect, one without an answer is sent
        again with its own id while that still makes sense.  ``row`` is one of queries_resets.UNFINISHED."""
        claim = claim_of(row)
        if claim.phase == "applied":
            await self._settle_applied(claim, row.applied_seconds)
        elif row.age_seconds > OPEN_SECONDS or (claim.dispatches >= MOST_DISPATCHES and row.is_due):
            await self.claims.finish(claim, "expired")
            await self._changed(claim.account_id)
        elif row.is_due:
            await self._settle_open(claim, row.sent_seconds)

    async def _settle_applied(self, claim: Claim, applied_seconds: float) -> None:
        closed = await self.confirm(claim, time.time() - applied_seconds)
        if closed.phase == "applied" and applied_seconds > CONFIRM_SECONDS:
            await self.claims.finish(claim, "expired")
            await self._changed(claim.account_id)

    async def _settle_open(self, claim: Claim, sent_seconds: float | None) -> None:
        now = time.time()
        effect = await self._effect(claim, now - sent_seconds if sent_seconds is not None else 0.0)
        if claim.dispatches == 0 and (effect in (RENEWED, PASSED) or not await self._is_still_allowed(claim)):
            await self.claims.finish(claim, "noop", "not_needed")
        elif claim.dispatches and effect == RENEWED:
            self._quotas.renewed(claim.account_id, time.time())
            await self.claims.finish(claim, "confirmed")
        elif effect == PASSED:
            await self.claims.finish(claim, "expired", "week_over")
        elif claim.dispatches and not await self._is_still_allowed(claim):
            await self._read_what_became(claim)
        else:
            await self.send(claim)
            return
        await self._changed(claim.account_id)

    async def _is_still_allowed(self, claim: Claim) -> bool:
        """The account's owner has not changed their mind meanwhile."""
        if not claim.is_automatic:
            return True
        async with self._database.session() as session:
            rows = await session.fetch(queries.POLICIES, account_ids=[claim.account_id])
        return bool(rows) and policy_of(rows[0].reset_policy).auto_redeem_enabled

    async def _read_what_became(self, claim: Claim) -> None:
        """Tell from the list alone, because nothing more is to be spent."""
        try:
            listing = await self.read(claim.account_id)
        except ResetsUnavailable:
            return
        if any(one.id == claim.credit_id and one.status == "available" for one in listing.resets):
            await self.claims.finish(claim, "noop", "withdrawn")
        else:
            await self.claims.answered(claim, Spent("listed_as_spent", applied=True))
