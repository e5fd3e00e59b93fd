"""Accounts that share a pool, a backend that keeps exact books on their saved resets, and processes that spend them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from codex_pooler.accounts.saved_resets import SavedResets
from codex_pooler.quota.evidence import from_usage
from codex_pooler.quota.quotas import Quotas
from codex_pooler.snapshot.model import Account
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.database import Database
from codex_pooler.storage.tables import accounts, pool_accounts, pools, saved_reset_claims
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.http_turn import Credential
from codex_pooler.upstream.resets import Listing, ResetsClient, ResetsUnavailable, SavedReset, Spent, Unanswered

AUTO = {"auto_redeem_enabled": True}
POOL = UUID(int=77)
WEEK_SECONDS = 7 * 86_400.0


def login(account_id: UUID) -> Account:
    """One that is in order."""
    return Account(account_id, "acct", "active", "acct", "token")


@dataclass
class Holder:
    """One account as the backend knows it."""

    used: float = 100.0
    resets_at: float = field(default_factory=lambda: time.time() + 3 * 86_400)
    credits: dict[str, datetime] = field(default_factory=dict)


@dataclass
class Bank(ResetsClient):
    """The backend.  ``does`` says how the next requests to spend go: ``ok``, ``lost`` (done, but not answered),
    ``never`` (neither), ``refused``, or a word that it answers without doing anything; after that all go well."""

    holders: dict[UUID, Holder]
    does: list[str] = field(default_factory=list)
    asked: list[tuple[UUID, UUID]] = field(default_factory=list)
    spent: dict[UUID, tuple[UUID, float]] = field(default_factory=dict)
    wasted: int = 0
    lists: bool = True
    reads: int = 0
    gate: asyncio.Event | None = None

    async def read(self, account: Credential) -> Listing:
        self.reads += 1
        if not self.lists:
            raise ResetsUnavailable("status_503")
        left = self.holders[account.id].credits
        resets = [SavedReset(name, "available", None, expires_at) for name, expires_at in left.items()]
        return Listing(len(left), tuple(resets))

    async def spend(self, account: Credential, reset_id: str | None, request_id: UUID) -> Spent:
        self.asked.append((account.id, request_id))
        how = self.does.pop(0) if self.does else "ok"
        if how == "never":
            raise Unanswered("timeout")
        if how not in ("ok", "lost"):
            return Spent(how, applied=False)
        answer = self._spend(account.id, reset_id, request_id)
        if self.gate:
            await self.gate.wait()
        if how == "lost":
            raise Unanswered("reset")
        return answer

    def _spend(self, account_id: UUID, reset_id: str | None, request_id: UUID) -> Spent:
        if request_id in self.spent:
            return Spent("already_redeemed", applied=True)
        holder = self.holders[account_id]
        if reset_id not in holder.credits:
            return Spent("no_credit", applied=False)
        if not holder.used:
            return Spent("nothing_to_reset", applied=False)
        self.wasted += holder.used < 100
        del holder.credits[reset_id]
        holder.used, holder.resets_at = 0.0, time.time() + WEEK_SECONDS
        self.spent[request_id] = account_id, time.time()
        return Spent("reset", applied=True, windows_reset=1)

    def usage(self, account_id: UUID) -> bytes:
        """What the backend says of the account's week."""
        holder = self.holders[account_id]
        full = holder.used >= 100
        week = {"used_percent": holder.used, "limit_window_seconds": WEEK_SECONDS, "reset_at": holder.resets_at}
        limit = {"allowed": not full, "limit_reached": full, "secondary_window": week}
        resets = {"available_count": len(holder.credits)}
        return orjson.dumps({"plan_type": "plus", "rate_limit": limit, "rate_limit_reset_credits": resets})


@dataclass
class Node:
    """One process: what it knows of quotas is its own."""

    database: Database
    bank: Bank
    sees: bool = True
    quotas: Quotas = field(default_factory=Quotas)
    told: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        told = (self.look, self._changed, self.metrics)
        self.saved = SavedResets(self.database, self.bank, self.quotas, login, *told)

    async def look(self, account_id: UUID) -> None:
        if self.sees:
            self.quotas.observe(account_id, from_usage(self.bank.usage(account_id), time.time()), time.time())

    async def _changed(self, account_id: UUID) -> None:
        self.told.append(account_id)

    async def settle(self) -> None:
        """One pass of the loop."""
        async with self.database.session() as session:
            rows = await session.fetch(queries.UNFINISHED)
        for row in rows:
            await self.saved.settle(row)


@dataclass
class Scene:
    """Some accounts in one pool."""

    database: Database
    bank: Bank
    ids: list[UUID]

    def node(self, database: Database | None = None) -> Node:
        return Node(database or self.database, self.bank)

    async def claims(self) -> list[Any]:
        async with self.database.session() as session:
            order = (saved_reset_claims.c.created_at, saved_reset_claims.c.id)
            rows = await session.fetch(sa.select(saved_reset_claims).order_by(*order))
        return [row._asdict() for row in rows]

    async def phases(self) -> list[str]:
        return [claim["phase"] for claim in await self.claims()]

    async def let_pass(self, seconds: float) -> None:
        """Time, as far as claims are concerned."""
        names = ("created_at", "dispatch_at", "sent_at", "applied_at")
        older = ", ".join(f"{name} = {name} - make_interval(secs => %(seconds)s)" for name in names)
        async with self.database.session() as session:
            await session.run(f"UPDATE saved_reset_claims SET {older}", {"seconds": seconds})

    async def set_policy(self, **policy: Any) -> None:
        async with self.database.session() as session:
            await session.execute(sa.update(accounts).values(reset_policy=policy))


async def made(database: Database, credits: Iterable[int] = (2, 2), **policy: Any) -> Scene:
    """As many accounts as numbers are given, each with so many saved resets; the first of each expires soonest."""
    holders: dict[UUID, Holder] = {}
    async with database.transaction() as session:
        await session.execute(sa.insert(pools).values(id=POOL, slug="team", name="Team"))
        for number, count in enumerate(credits, 1):
            identity = UUID(int=number)
            row = {"id": identity, "label": f"acct-{number}", "chatgpt_account_id": f"a{number}"}
            stored = {**row, "identity_key": str(number), "reset_policy": AUTO | policy}
            await session.execute(sa.insert(accounts).values(**stored))
            await session.execute(sa.insert(pool_accounts).values(pool_id=POOL, account_id=identity))
            now = datetime.now(UTC)
            holders[identity] = Holder(credits={f"c{n}": now + timedelta(days=n) for n in range(1, count + 1)})
    return Scene(database, Bank(holders), list(holders))
