"""Keeps every account's model catalogue up to date: at once when it is unknown, then about every six hours."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from codex_pooler.jobs.kept_models import Offer, offer_of
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Account, Snapshot
from codex_pooler.storage import queries_catalog as queries
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.models import Fetched, FetchFailed, fetch_models

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two looks for accounts without a catalogue; no I/O unless there are some
AGAIN_SECONDS = 60.0  # between two looks into the database for catalogues that have become old
PERIOD_SECONDS = 6 * 3600.0
SPREAD = 0.2  # the period of each account deviates by up to so much, so that they do not all come at once
DOUBTED_SECONDS = 600.0  # how old a catalogue must be to be doubted when it lacks a model that somebody asks for
FIRST_RETRY_SECONDS = 30.0
LAST_RETRY_SECONDS = 3600.0
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """The last attempt failed.  Another login is another chance, so it counts for one access token only."""

    access_token: str = field(repr=False)
    times: int
    retry_at: float  # unix seconds


@dataclass(slots=True)
class CatalogSync:
    """One per process; of several, whichever holds the lock does the work."""

    database: Database
    snapshot: SnapshotHolder
    backend: Backend
    failures: dict[UUID, Failure] = field(default_factory=dict)
    looked_at: float = 0.0  # unix seconds
    version: str = ""  # of Codex, that the catalogues were last asked for; another one has other models

    async def run(self) -> None:
        """Look and fetch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look(time.time())
            except UNAVAILABLE as exc:
                log.warning("model catalogues were not looked at (%s); trying again shortly", type(exc).__name__)
                await asyncio.sleep(FIRST_RETRY_SECONDS)

    async def look(self, now: float) -> None:
        """Fetch what is due, if there can be anything.  Raises what the database raises."""
        accounts = usable_accounts(self.snapshot.current)
        unknown = any(account.models is None and self._may_try(account, now) for account in accounts)
        upgraded = self.version not in ("", self._version())
        if not (unknown or upgraded or self.snapshot.doubted) and now - self.looked_at < AGAIN_SECONDS:
            return
        async with self.database.session() as session, _alone(session) as alone:
            if alone:
                self.looked_at = now
                await self._fetch_due(session, accounts, now, everything=upgraded)
                self.snapshot.doubted.clear()
                self.version = self._version()

    async def sync_now(self, now: float, account_id: UUID | None = None) -> int:
        """Fetch the catalogue of one account, or of all, however new it is; for how many that failed.

        Waits for another process that is at it.  Raises what the database raises.
        """
        accounts = [each for each in usable_accounts(self.snapshot.current) if account_id in (None, each.id)]
        for account in accounts:
            self.failures.pop(account.id, None)
        async with self.database.session() as session:
            while True:
                async with _alone(session) as alone:
                    if alone:
                        await self._fetch_due(session, accounts, now, everything=True)
                        return sum(account.id in self.failures for account in accounts)
                await asyncio.sleep(LOOK_SECONDS)

    def _version(self) -> str:
        return self.snapshot.current.settings.gateway.client_version

    async def _fetch_due(self, session: Session, accounts: list[Account], now: float, *, everything: bool) -> None:
        known = {row.account_id: row for row in await session.fetch(queries.FETCHED)}
        doubted = accounts_of(self.snapshot.current, self.snapshot.doubted)
        old = {each.id for each in accounts if is_due(each, known.get(each.id), now, doubted=each.id in doubted)}
        wanted = old | self.failures.keys()
        due = [each for each in accounts if (everything or each.id in wanted) and self._may_try(each, now)]
        changed = False
        for start in range(0, len(due), AT_ONCE):
            batch = due[start : start + AT_ONCE]
            fetched = await asyncio.gather(*(self._fetch(each, known.get(each.id), now) for each in batch))
            for account, found in zip(batch, fetched, strict=True):
                if found:
                    changed |= await store(session, account.id, known.get(account.id), found)
        if changed:
            await announce_config(session)

    async def _fetch(self, account: Account, row: Any, now: float) -> Fetched | None:
        try:
            fetched = await fetch_models(self.backend, account, self._version(), row.etag if row else None)
        except FetchFailed as exc:
            self._failed(account, exc.code, now)
            return None
        self.failures.pop(account.id, None)
        return fetched

    def _may_try(self, account: Account, now: float) -> bool:
        failure = self.failures.get(account.id)
        return failure is None or failure.retry_at <= now or failure.access_token != account.access_token

    def _failed(self, account: Account, code: str, now: float) -> None:
        before = self.failures.get(account.id)
        times = before.times + 1 if before and before.access_token == account.access_token else 1
        wait = min(FIRST_RETRY_SECONDS * 2 ** (times - 1), LAST_RETRY_SECONDS) * random.uniform(0.8, 1.2)
        self.failures[account.id] = Failure(account.access_token, times, now + wait)
        log.warning("the models of account %s could not be fetched (%s); again in %.0f s", account.id, code, wait)


def usable_accounts(snapshot: Snapshot) -> list[Account]:
    """The accounts of all pools that can sign in to the backend, each once."""
    now = time.time()
    accounts = {member.account.id: member.account for pool in snapshot.pools.values() for member in pool.fit}
    return [each for each in accounts.values() if each.access_expires_at is None or each.access_expires_at > now]


def accounts_of(snapshot: Snapshot, pool_ids: Iterable[UUID]) -> set[UUID]:
    pools = [pool for pool_id in pool_ids if (pool := snapshot.pools.get(pool_id))]
    return {member.account.id for pool in pools for member in pool.members}


def is_due(account: Account, row: Any, now: float, *, doubted: bool = False) -> bool:
    """``row`` of queries.FETCHED, None for an account whose catalogue was never fetched."""
    if row is None:
        return True
    own = (account.hash_bits % 1000 / 1000 * 2 - 1) * SPREAD
    lasts = DOUBTED_SECONDS if doubted else PERIOD_SECONDS * (1 + own)
    return bool(now - row.fetched_at.timestamp() >= lasts)


async def store(session: Session, account_id: UUID, row: Any, fetched: Fetched) -> bool:
    """Write down what came; True when what the account offers differs from what was known."""
    known = row and not row.missing and (fetched.entries is None or _digest(fetched.entries) == row.digest)
    offer = None if known else await _offer(session, row, fetched)
    if offer is None:
        await session.execute(queries.UNCHANGED, account=account_id, tag=fetched.etag)
        return False
    digest = _digest(offer.entries)
    values = {"slugs": offer.slugs, "entries": offer.entries, "digest": digest, "missing": offer.missing}
    await session.execute(queries.STORE, account_id=account_id, etag=fetched.etag, **values)
    return row is None or row.digest != digest


async def _offer(session: Session, row: Any, fetched: Fetched) -> Offer | None:
    """None when there is nothing to compare with and nothing came."""
    before = await session.fetch(queries.ENTRIES, digests=[row.digest]) if row else []
    if before:
        return offer_of(bytes(before[0].entries), row.missing, fetched)
    return None if fetched.entries is None else Offer(fetched.entries, fetched.slugs, {})


def _digest(entries: bytes) -> str:
    return hashlib.sha256(entries).hexdigest()


@asynccontextmanager
async def _alone(session: Session) -> AsyncIterator[bool]:
    """True for the one process that may fetch; the lock ends with the block, or with the connection."""
    taken = (await session.one(queries.TRY_LOCK)).taken
    try:
        yield bool(taken)
    finally:
        if taken:
            with suppress(*UNAVAILABLE):
                await session.fetch(queries.UNLOCK)
