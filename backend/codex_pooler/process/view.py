"""What the console may ask of the running process about accounts, beyond what the database knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from codex_pooler.gateway.house import moment
from codex_pooler.quota.record import Record
from codex_pooler.quota.standing import BLOCKED
from codex_pooler.quota.windows import Window
from codex_pooler.routing.candidates import Known, RouteRequest
from codex_pooler.routing.explain import Explanation, explain
from codex_pooler.routing.health import Trouble
from codex_pooler.snapshot.catalog import EMPTY, Catalog
from codex_pooler.snapshot.loader import SnapshotHolder


@dataclass(frozen=True)
class ProcessView:
    """The LiveView of a process that routes."""

    known: Known
    snapshot: SnapshotHolder

    def in_flight(self, account_id: UUID) -> int:
        return self.known.leases.held(account_id)

    def total_in_flight(self) -> int:
        return self.known.leases.total()

    def cooling_until(self, account_id: UUID) -> datetime | None:
        until = self.known.health.open_until(account_id)
        wait = until - moment().monotonic if until is not None else 0.0
        return datetime.now(UTC) + timedelta(seconds=wait) if wait > 0 else None

    def blocked_until(self, account_id: UUID) -> datetime | None:
        standing = self.known.quotas.standing(account_id, "", moment().wall)
        if standing.grade != BLOCKED:
            return None
        return datetime.fromtimestamp(standing.until or standing.valid_until, UTC)

    def windows(self, account_id: UUID) -> list[Window]:
        record = self.known.quotas.record(account_id)
        return record.shown_windows() if record else []

    def record(self, account_id: UUID) -> Record | None:
        return self.known.quotas.record(account_id)

    def troubles(self, account_id: UUID) -> list[Trouble]:
        return self.known.health.troubles(account_id, moment())

    def catalog(self, pool_id: UUID) -> Catalog:
        return self.snapshot.current.catalogs.get(pool_id, EMPTY)

    def explain(
        self, pool_id: UUID, model: str, route_class: str, seed: str, binding: bytes | None
    ) -> Explanation | None:
        pool, now = self.snapshot.current.pools.get(pool_id), moment()
        if pool is None:
            return None
        owner = self.known.bindings.account_of(binding, now.wall) if binding else None
        return explain(RouteRequest(pool, model, route_class, seed, owner), self.known, now)
