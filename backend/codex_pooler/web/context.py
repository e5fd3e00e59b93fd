"""What request handlers may reach: the parts that app.py put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from aiohttp import web

from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.saved_resets import SavedResets
from codex_pooler.config import Config
from codex_pooler.gateway.probe import Probed
from codex_pooler.jobs.queue import Queue
from codex_pooler.quota.record import Record
from codex_pooler.quota.windows import Window
from codex_pooler.routing.explain import Explanation
from codex_pooler.routing.health import Trouble
from codex_pooler.snapshot.catalog import Catalog
from codex_pooler.snapshot.settings import DEFAULTS, Settings
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.oauth import SignIn


class LiveView(Protocol):
    """What the process knows right now about accounts, beyond the database."""

    def in_flight(self, account_id: UUID) -> int:
        """Turns this account is serving."""
        ...

    def cooling_until(self, account_id: UUID) -> datetime | None:
        """When a failing account is tried again; None when it is healthy."""
        ...

    def blocked_until(self, account_id: UUID) -> datetime | None:
        """When a usage limit that refused the account ends; None when none is known."""
        ...

    def windows(self, account_id: UUID) -> list[Window]:
        """The account's usage windows as last reported; none before the first evidence."""
        ...

    def record(self, account_id: UUID) -> Record | None:
        """Everything known of the account's quota; None before the first evidence."""
        ...

    def total_in_flight(self) -> int:
        """Turns being served by this process."""
        ...

    def troubles(self, account_id: UUID) -> list[Trouble]:
        """What the account failed at lately."""
        ...

    def catalog(self, pool_id: UUID) -> Catalog:
        """The models that the pool's accounts offer together; empty when none are known."""
        ...

    def explain(
        self, pool_id: UUID, model: str, route_class: str, seed: str, binding: bytes | None
    ) -> Explanation | None:
        """How a request would be routed now; ``binding`` is the digest of its session.  None: no such pool."""
        ...


@dataclass(frozen=True)
class WebContext:
    """One per process; handlers read it from the application under CONTEXT."""

    config: Config
    database: Database
    keyring: Keyring
    live: LiveView
    refresher: Refresher
    sign_in: SignIn
    flows: Flows
    backend: Backend
    saved_resets: SavedResets
    queue: Queue
    refresh_snapshot: Callable[[], Awaitable[None]]
    bootstrap_token: str | None = field(repr=False)
    version: str
    started_at: datetime
    settings: Callable[[], Settings] = lambda: DEFAULTS
    metrics: Metrics = field(default_factory=Metrics)
    probe: Callable[[UUID, str | None], Awaitable[Probed]] | None = None  # None: this process serves no turns


CONTEXT = web.AppKey("context", WebContext)
