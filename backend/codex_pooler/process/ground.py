"""What every part of the process stands on: the database, the keys, the configuration, and the consoles that watch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from codex_pooler.config import Config
from codex_pooler.jobs.queue import Queue
from codex_pooler.process.installation import keyring_of
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.web.admin.account_news import AccountNews
from codex_pooler.web.admin.live import Broadcaster


@dataclass(frozen=True)
class Ground:
    """One per process; ``dsn`` is for connections beside those of the database's pool."""

    config: Config
    dsn: str
    database: Database
    keyring: Keyring
    snapshot: SnapshotHolder
    broadcaster: Broadcaster
    news: AccountNews
    queue: Queue
    metrics: Metrics = field(default_factory=Metrics)


@asynccontextmanager
async def grounded(config: Config, dsn: str) -> AsyncIterator[Ground]:
    """With the configuration read once.  Raises what the database raises, and SecretError."""
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        keyring, broadcaster = keyring_of(config), Broadcaster()
        snapshot = SnapshotHolder(database, keyring.upstream)
        await snapshot.refresh()
        news = AccountNews(snapshot, broadcaster)
        yield Ground(config, dsn, database, keyring, snapshot, broadcaster, news, Queue(database))
