"""What is asked for by hand is done at once, and says whether it has worked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from codex_pooler.accounts.renewal import Renewal
from codex_pooler.jobs import missing_models
from codex_pooler.jobs.loops import background
from codex_pooler.jobs.missing_models import ask_for_missing_models
from codex_pooler.jobs.queue import Queue
from codex_pooler.jobs.run_now import poll_usage, refresh_tokens, sync_catalogs
from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.database import Database
from tests.jobs.queued import Bench

ACCOUNT = UUID(int=7)


class Told:
    """Services that answer as told, and remember what they were asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.doubted = answer, list[Any](), set[UUID]()
        self.snapshot = self.usage = self.catalogs = self.refresher = self

    async def refresh(self) -> None:
        return None

    async def ask_now(self, account_id: UUID | None) -> Any:
        self.asked.append(account_id)
        return self.answer

    async def look(self, now: float) -> None:
        self.asked.append(set(self.doubted))

    async def sync_now(self, now: float, account_id: UUID | None) -> Any:
        self.asked.append(account_id)
        return self.answer

    async def renew_now(self, account_id: UUID) -> Any:
        self.asked.append(account_id)
        return self.answer


def services(told: Told) -> Services:
    return cast(Services, told)


async def test_usage_is_asked_for_of_one_account_or_all() -> None:
    told = Told((2, 1))
    await poll_usage(services(told), str(ACCOUNT))
    await poll_usage(services(told))
    assert told.asked == [ACCOUNT, None]
    await poll_usage(services(Told((0, 0))))
    with pytest.raises(JobFailed, match="none of the accounts"):
        await poll_usage(services(Told((2, 0))))


async def test_catalogues_are_fetched_for_an_account_for_all_or_for_what_is_missing() -> None:
    told, pool = Told(0), uuid4()
    await sync_catalogs(services(told), str(ACCOUNT))
    await sync_catalogs(services(told), pool_ids=[str(pool)])
    assert told.asked == [ACCOUNT, {pool}]
    with pytest.raises(JobFailed, match="3 account"):
        await sync_catalogs(services(Told(3)))


async def test_a_login_that_cannot_be_renewed_fails_the_job() -> None:
    await refresh_tokens(services(Told(Renewal("renewed", "token"))), str(ACCOUNT))
    with pytest.raises(JobFailed) as failure:
        await refresh_tokens(services(Told(Renewal("failed", code="refresh_unreachable"))), str(ACCOUNT))
    assert failure.value.code == "refresh_unreachable"


async def test_a_process_that_only_serves_asks_others_for_missing_models(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_models, "LOOK_SECONDS", 0.01)
    bench, pool = Bench(database), uuid4()
    snapshot = cast(SnapshotHolder, SimpleNamespace(doubted={pool}))
    async with background({"missing-models": lambda: ask_for_missing_models(snapshot, Queue(database))}):
        async with asyncio.timeout(30):
            while snapshot.doubted:
                await asyncio.sleep(0.01)
    assert await bench.rows("SELECT args->>'pool_ids' FROM procrastinate_jobs") == [(f'["{pool}"]',)]
