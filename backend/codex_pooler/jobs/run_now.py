"""What the loops that watch accounts do by themselves, done at once because somebody asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.jobs.token_refresh import renew_what_is_due


async def poll_usage(services: Services, account_id: str | None = None) -> None:
    """Ask the backend for the usage of one account, or of all.  Raises JobFailed when it told of none."""
    await services.snapshot.refresh()
    asked, told = await services.usage.ask_now(UUID(account_id) if account_id else None)
    if asked and not told:
        raise JobFailed("usage_unavailable", "The backend told the usage of none of the accounts asked about.")


async def sync_catalogs(services: Services, account_id: str | None = None, pool_ids: Sequence[str] = ()) -> None:
    """Fetch the models of one account, of all, or those of pools whose catalogue lacks a model that was asked for."""
    await services.snapshot.refresh()
    if pool_ids:
        services.snapshot.doubted.update(map(UUID, pool_ids))
        await services.catalogs.look(time.time())
        return
    failed = await services.catalogs.sync_now(time.time(), UUID(account_id) if account_id else None)
    if failed:
        raise JobFailed("models_unavailable", f"The models of {failed} account(s) could not be fetched.")


async def read_saved_resets(services: Services, account_id: str | None = None) -> None:
    """Read which saved resets one account has, or all.  Raises JobFailed when none could be read."""
    await services.snapshot.refresh()
    asked, told = await services.saved_resets.read_now(UUID(account_id) if account_id else None)
    if asked and not told:
        raise JobFailed("saved_resets_unavailable", "The backend told the saved resets of none of the accounts.")


async def refresh_tokens(services: Services, account_id: str | None = None) -> None:
    """Renew one login, or all that are due."""
    if account_id is None:
        await renew_what_is_due(services.refresher)
        return
    renewal = await services.refresher.renew_now(UUID(account_id))
    if renewal.outcome == "failed":
        raise JobFailed(renewal.code or "renewal_failed", "The login could not be renewed.")
