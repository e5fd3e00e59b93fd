"""What looks after the accounts: their logins, their quota, their models and their saved resets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from codex_pooler.accounts.courier import Courier
from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.renewal import Renewed
from codex_pooler.accounts.reset_flights import ResetFlights
from codex_pooler.accounts.saved_resets import SavedResets
from codex_pooler.gateway.house import House
from codex_pooler.jobs.account_checks import AccountChecks
from codex_pooler.jobs.catalog_sync import CatalogSync
from codex_pooler.jobs.doubted_logins import DoubtedLogins
from codex_pooler.jobs.loops import Loops
from codex_pooler.jobs.missing_models import ask_for_missing_models
from codex_pooler.jobs.queue import Queue
from codex_pooler.jobs.saved_resets import SavedResetCare, logins, looking
from codex_pooler.jobs.services import Services
from codex_pooler.jobs.token_refresh import keep_logins_fresh, keep_logins_stored
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.process.ground import Ground
from codex_pooler.protocol.destinations import is_loopback
from codex_pooler.snapshot.model import Snapshot
from codex_pooler.snapshot.successor import with_access_token
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.upstream.resets import ResetsClient
from codex_pooler.upstream.usage import UsageClient


@dataclass(frozen=True)
class Care:
    """New logins and old ones, and what jobs work with."""

    sign_in: SignIn
    flows: Flows
    backend: Backend
    services: Services
    queue: Queue

    @property
    def refresher(self) -> Refresher:
        return self.services.refresher

    @property
    def saved_resets(self) -> SavedResets:
        return self.services.saved_resets.saved

    @property
    def loops(self) -> Loops:
        """Of a process that watches, and of one that serves only: what it leaves to those that do."""
        services = self.services
        return {
            "usage-polling": services.usage.run,
            "model-catalogues": services.catalogs.run,
            "account-checks": services.checks.run,
            "saved-resets": services.saved_resets.run,
            "token-refresh": partial(keep_logins_fresh, services.refresher),
            "renewed-logins": partial(keep_logins_stored, services.refresher),
            "missing-models": partial(ask_for_missing_models, services.snapshot, self.queue),
        }


@asynccontextmanager
async def caring(ground: Ground, house: House) -> AsyncIterator[Care]:
    """Turns renew logins and spend saved resets by it, too."""
    async with AsyncExitStack() as stack:
        sign_in, backend = SignIn(ground.config.auth_url), Backend(house.backend)
        flows = Flows(ground.database, ground.keyring, sign_in, changed=ground.news.changed, metrics=ground.metrics)
        stack.push_async_callback(flows.close)
        refresher = house.refresher = _refresher(ground, sign_in)
        await refresher.store_kept()
        stack.push_async_callback(refresher.close)
        services = _services(ground, house, refresher, backend)
        house.saved_resets = flights = ResetFlights(services.saved_resets.saved)
        stack.push_async_callback(flights.close)
        yield Care(sign_in, flows, backend, services, ground.queue)


def _refresher(ground: Ground, sign_in: SignIn) -> Refresher:
    """Renews logins; one that the database does not take yet serves this process's turns all the same."""
    snapshot = ground.snapshot

    def serve(new: Renewed) -> None:
        expires_at = new.access_expires_at.timestamp() if new.access_expires_at else None
        snapshot.current = with_access_token(snapshot.current, new.account_id, new.access_token, expires_at)

    logins = Logins(ground.database, ground.keyring.upstream, SecretSpool(ground.config.state_dir / "spool"))
    courier = Courier(sign_in, logins.kept)
    return Refresher(logins, courier, changed=ground.news.changed, serve=serve, metrics=ground.metrics)


def _services(ground: Ground, house: House, refresher: Refresher, backend: Backend) -> Services:
    snapshot, doubts = ground.snapshot, DoubtedLogins(refresher)
    checks = AccountChecks(
        ground.database,
        backend,
        lambda: snapshot.current,
        house.backend.origin,
        refresher.give_up,
        ground.news.changed,
    )

    async def doubted(account_id: UUID, refused_token: str) -> None:
        checks.wish(account_id)
        await doubts.look_into(account_id, refused_token)

    usage = UsagePolling(
        ground.database,
        UsageClient(backend),
        house.known.quotas,
        lambda: snapshot.current,
        doubted,
        metrics=ground.metrics,
    )
    return Services(
        ground.database,
        ground.keyring,
        snapshot,
        refresher,
        usage,
        CatalogSync(ground.database, snapshot, backend),
        checks,
        _saved_resets(ground, house, backend, usage),
        lab=is_loopback(house.backend.host),
        origin=ground.config.origin,
        metrics=ground.metrics,
    )


def _saved_resets(ground: Ground, house: House, backend: Backend, usage: UsagePolling) -> SavedResetCare:
    def snapshot() -> Snapshot:
        return ground.snapshot.current

    quotas, login_of = house.known.quotas, logins(snapshot)
    saved = SavedResets(
        ground.database,
        ResetsClient(backend),
        quotas,
        login_of,
        looking(usage, login_of),
        ground.news.changed,
        ground.metrics,
    )
    return SavedResetCare(ground.database, saved, quotas, snapshot)
