"""The claims by which each saved reset is spent at most once: taken before anything is sent, closed by the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from codex_pooler.quota.resets import MANUAL, Credit, Policy, Week, first_to_spend, is_worth, policy_of
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.audit import Event, record
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.upstream.resets import Listing, Spent

COHORT_SECONDS = 1_800.0  # one redemption has to do for all who share a pool for so long
UNSENT_SECONDS = 120.0  # a claim that its process did not send by then is sent by another
REPLAY_AFTER = (60.0, 300.0, 900.0, 3_600.0, 10_800.0)  # between one request without an answer and the next
FORGET_SECONDS = 30 * 86_400.0  # what was spent or has expired is shown for so long
MOST_DISPATCHES = len(REPLAY_AFTER) + 1
SENDABLE = frozenset({"active", "paused", "draining"})  # states whose login is in order
ACTION = "saved_reset.redeemed"


@dataclass(frozen=True, slots=True)
class Claim:
    """One intention to spend one saved reset.  Its id is what the backend knows the request by."""

    id: UUID
    account_id: UUID
    credit_id: str | None
    trigger: str
    phase: str
    dispatches: int
    before: Week | None  # what the week looked like when it was claimed
    outcome: str | None = None

    @property
    def is_automatic(self) -> bool:
        return self.trigger != MANUAL


@dataclass(frozen=True, slots=True)
class Denied:
    """There is no claim: ``reason`` is ``policy``, ``state``, ``nothing_to_spend``, ``not_needed``, ``in_progress`` or
    ``cooling``.

    ``claim`` is the one that is in the way.
    """

    reason: str
    claim: Claim | None = None


def claim_of(row: Any) -> Claim:
    """A row of the claims."""
    before = None
    if row.used_percent is not None:
        before = Week(row.used_percent, _unix(row.resets_at), row.created_at.timestamp())
    return Claim(row.id, row.account_id, row.credit_id, row.trigger, row.phase, row.dispatches, before, row.outcome)


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


class Claims:
    """All methods raise what the database raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_automatically(
        self, account_id: UUID, trigger: str, week: Week | None, listing: Listing
    ) -> Claim | Denied:
        """Claim what the policy allows; one redemption at a time among all who share a pool with the account."""
        async with self._database.transaction() as session:
            cohort = {row.id: row for row in await session.fetch(queries.COHORT, account_id=account_id)}
            row = cohort.get(account_id)
            if row is None or row.state != "active":
                return Denied("state")
            policy = policy_of(row.reset_policy)
            if not policy.auto_redeem_enabled:
                return Denied("policy")
            other = await session.one(queries.IN_THE_WAY, account_ids=list(cohort), seconds=COHORT_SECONDS)
            if other is not None:
                claim = claim_of(other)
                return Denied("in_progress" if claim.phase in queries.OPEN else "cooling", claim)
            credit = _first(listing, policy)
            if credit is not None and not is_worth(trigger, policy, week, credit, time.time()):
                return Denied("not_needed")
            return await self._take(session, account_id, trigger, week, credit)

    async def take_for_operator(
        self, session: Session, account_id: UUID, week: Week | None, listing: Listing, operator_id: UUID | None
    ) -> Claim | Denied:
        """Claim what a person asked for, within their transaction, which has locked the account."""
        if row := await session.one(queries.IN_PROGRESS, account_id=account_id):
            return Denied("in_progress", claim_of(row))
        return await self._take(session, account_id, MANUAL, week, _first(listing, Policy()), operator_id)

    async def _take(
        self,
        session: Session,
        account_id: UUID,
        trigger: str,
        week: Week | None,
        credit: Credit | None,
        operator_id: UUID | None = None,
    ) -> Claim | Denied:
        if credit is None:
            return Denied("nothing_to_spend")
        row = await session.one(
            queries.CLAIM,
            claim_id=uuid7(),
            account_id=account_id,
            credit_id=credit.id,
            trigger=trigger,
            used_percent=week.used_percent if week else None,
            resets_at=_moment(week.resets_at) if week else None,
            operator_id=operator_id,
            seconds=UNSENT_SECONDS,
        )
        return claim_of(row) if row else Denied("in_progress")

    async def send(self, claim: Claim) -> Claim | None:
        """Note that it is sent now; None when somebody else sends it, or it is closed."""
        wait = REPLAY_AFTER[min(claim.dispatches, len(REPLAY_AFTER) - 1)]
        async with self._database.session() as session:
            row = await session.one(queries.DISPATCH, claim_id=claim.id, dispatches=claim.dispatches, seconds=wait)
        return claim_of(row) if row else None

    async def answered(self, claim: Claim, spent: Spent) -> Claim | None:
        """Close it with the backend's answer; None when it was closed before."""
        async with self._database.transaction() as session:
            if spent.applied:
                row = await session.one(
                    queries.APPLIED, claim_id=claim.id, outcome=spent.code, windows_reset=spent.windows_reset
                )
            else:
                row = await session.one(queries.FINISH, claim_id=claim.id, phase="noop", outcome=spent.code)
            if row is None:
                return None
            if spent.applied:
                await session.execute(queries.SPENT, account_id=claim.account_id, credit_id=claim.credit_id)
                await session.execute(queries.COUNT_DOWN, account_id=claim.account_id)
            await _audit(session, claim, spent)
        return claim_of(row)

    async def unanswered(self, claim: Claim, reason: str) -> Claim | None:
        """Nobody knows whether it was spent: the claim stays open, and is sent again later."""
        async with self._database.session() as session:
            row = await session.one(queries.UNANSWERED, claim_id=claim.id, outcome=reason)
        return claim_of(row) if row else None

    async def finish(self, claim: Claim, phase: str, outcome: str | None = None) -> Claim | None:
        """Close it for good; None when it was closed before."""
        async with self._database.session() as session:
            row = await session.one(queries.FINISH, claim_id=claim.id, phase=phase, outcome=outcome)
        return claim_of(row) if row else None

    async def store_list(self, account_id: UUID, listing: Listing) -> None:
        """What the backend listed."""
        rows = [
            {
                "credit_id": one.id,
                "status": one.status,
                "granted_at": one.granted_at and one.granted_at.isoformat(),
                "expires_at": one.expires_at and one.expires_at.isoformat(),
            }
            for one in listing.resets
        ]
        stored = {"account_id": account_id, "resets": orjson.dumps(rows).decode()}
        async with self._database.transaction() as session:
            await session.run(queries.STORE_LIST, stored)
            await session.execute(queries.CHECKED, account_id=account_id, available=listing.available)
            await session.execute(queries.FORGET, seconds=FORGET_SECONDS)


def credits_in(listing: Listing) -> list[Credit]:
    """What of the list can be spent."""
    return [Credit(one.id, _unix(one.expires_at)) for one in listing.resets if one.status == "available"]


def _first(listing: Listing, policy: Policy) -> Credit | None:
    now = datetime.now(UTC).timestamp()
    return first_to_spend(credits_in(listing), listing.available, policy.keep_credits, now)


async def _audit(session: Session, claim: Claim, spent: Spent) -> None:
    target = await session.one(queries.TARGET, account_id=claim.account_id)
    if target is None:
        return
    details = {"trigger": claim.trigger, "code": spent.code, "windows_reset": spent.windows_reset}
    await record(
        session,
        Event(
            ACTION,
            "upstream_account",
            claim.account_id,
            target.label,
            tuple(target.pool_ids),
            outcome="success" if spent.applied else "failure",
            reason=None if spent.applied else spent.code,
            details=details,
        ),
    )


def _moment(unix: float | None) -> datetime | None:
    return datetime.fromtimestamp(unix, UTC) if unix is not None else None
