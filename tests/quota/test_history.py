"""How full windows were is remembered as they move, once for all processes, and outlives an absent database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from codex_pooler.jobs.retention import forget_what_is_old
from codex_pooler.quota.history import BATCH, History, Sample, is_news
from codex_pooler.quota.keeper import QuotaKeeper
from codex_pooler.quota.quotas import Quotas
from codex_pooler.snapshot.settings import Retention
from codex_pooler.storage.database import Database
from tests.quota.statements import DAY, HOUR, NOW, head, metered

A = UUID(int=1)


def sample(used: float, after: float = 0.0, reset_at: float | None = NOW + HOUR) -> Sample:
    return Sample(A, "account", "5h", NOW + after, used, reset_at)


@pytest.mark.parametrize(
    ("later", "is_worth_it"),
    [
        (sample(10.9, 60), False),
        (sample(11, 60), True),
        (sample(9, 60), True),
        (sample(10, 599), False),
        (sample(10, 600), True),
        (sample(10, 60, NOW + HOUR + 30), False),
        (sample(10, 60, NOW + 2 * HOUR), True),
        (sample(10, 60, None), True),
        (sample(90, 0), False),
        (sample(90, -60), False),
    ],
)
def test_what_moved_was_reset_or_not_heard_of_for_ten_minutes_is_remembered(later: Sample, is_worth_it: bool) -> None:
    assert is_news(later, sample(10)) is is_worth_it


def test_the_moving_reset_of_an_unused_window_is_no_news() -> None:
    assert not is_news(sample(0, 300, NOW + HOUR + 300), sample(0))
    assert is_news(sample(1, 300, NOW + HOUR + 300), sample(0))


def test_a_batch_waits_until_it_is_stored() -> None:
    history = History()
    history.note(sample(float(number % 90), float(number)) for number in range(BATCH + 5))
    first = history.next_batch()
    assert len(first) == BATCH
    assert history.next_batch() == first
    history.stored(first)
    assert [each.observed_at - NOW for each in history.next_batch()] == list(range(BATCH, BATCH + 5))


def test_what_waits_moves_along_with_the_clock() -> None:
    history = History()
    history.note([sample(10)])
    history.shift(-DAY)
    history.note([sample(10, -DAY + 60, NOW + HOUR - DAY)])
    assert history.next_batch() == [sample(10, -DAY, NOW + HOUR - DAY)]


# -- in the database


async def account(database: Database, account_id: UUID = A) -> None:
    async with database.session() as session:
        values = {"id": str(account_id), "key": f"{account_id}||"}
        await session.run(
            "INSERT INTO accounts (id, label, chatgpt_account_id, identity_key) VALUES (%(id)s, 'one', 'a', %(key)s)",
            values,
        )


async def remembered(database: Database) -> list[tuple[Any, ...]]:
    async with database.session() as session:
        await session.run(
            "SELECT limit_key, kind, extract(epoch FROM observed_at)::float8, used_percent FROM quota_samples"
            " ORDER BY observed_at, limit_key, kind"
        )
        return [(limit, kind, at - NOW, used) for limit, kind, at, used in await session.cursor.fetchall()]


async def test_windows_are_remembered_as_they_move(database: Database) -> None:
    await account(database)
    quotas = Quotas()
    keeper = QuotaKeeper(database, quotas)
    for seconds, used in ((0, 10), (70, 10), (140, 10.5), (210, 12), (900, 12)):
        quotas.observe(A, head(used, at=NOW + seconds), NOW + seconds)
        await keeper.store()
    assert await remembered(database) == [
        ("account", "5h", 0, 10),
        ("account", "5h", 210, 12),
        ("account", "5h", 900, 12),
    ]


async def test_a_spending_limit_is_remembered_like_a_window(database: Database) -> None:
    await account(database)
    quotas = Quotas()
    quotas.observe(A, metered(32), NOW)
    await QuotaKeeper(database, quotas).store()
    assert await remembered(database) == [("spend", "30d", 0, 32)]


async def test_processes_that_see_the_same_remember_it_once(database: Database) -> None:
    await account(database)
    for seconds in (0, 2, 5):
        quotas = Quotas()
        quotas.observe(A, head(10, at=NOW + seconds), NOW + seconds)
        await QuotaKeeper(database, quotas).store()
    assert await remembered(database) == [("account", "5h", 0, 10)]


async def test_what_happened_while_the_database_was_away_is_remembered_afterwards(database: Database, dsn: str) -> None:
    await account(database)
    quotas = Quotas()
    away = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.2)
    keeper = QuotaKeeper(away, quotas)
    async with away.session():  # the only connection is taken
        for seconds in range(0, 300, 100):
            quotas.observe(A, head(10 + seconds / 10, at=NOW + seconds), NOW + seconds)
            with pytest.raises(TimeoutError):
                await keeper.store()
    assert await remembered(database) == []
    await keeper.store()
    await keeper.store()
    assert await remembered(database) == [("account", "5h", s, 10 + s / 10) for s in (0, 100, 200)]
    await away.close()


async def test_a_batch_that_is_stored_again_changes_nothing(database: Database) -> None:
    """The process may end after the database has taken it and before it knows."""
    await account(database)
    for _ in range(2):
        quotas = Quotas()
        for seconds in (0, 900):
            quotas.observe(A, head(10, at=NOW + seconds), NOW + seconds)
            await QuotaKeeper(database, quotas).store()
    assert await remembered(database) == [("account", "5h", 0, 10), ("account", "5h", 900, 10)]


async def test_an_account_that_was_deleted_holds_nothing_up(database: Database) -> None:
    await account(database)
    quotas = Quotas()
    quotas.observe(UUID(int=2), head(10), NOW)
    quotas.observe(A, head(20), NOW)
    await QuotaKeeper(database, quotas).store()
    assert await remembered(database) == [("account", "5h", 0, 20)]


async def test_old_history_is_let_go_of(database: Database) -> None:
    await account(database)
    quotas = Quotas()
    keeper = QuotaKeeper(database, quotas)
    for seconds in (0.0, 2 * DAY):
        quotas.observe(A, head(10, at=NOW + seconds, resets_in=3 * DAY), NOW + seconds)
        await keeper.store()
    now = datetime.fromtimestamp(NOW, UTC) + timedelta(days=11)
    await forget_what_is_old(database, Retention(quota_history_days=0), now)
    assert len(await remembered(database)) == 2
    await forget_what_is_old(database, Retention(quota_history_days=10), now)
    assert await remembered(database) == [("account", "5h", 2 * DAY, 10)]
