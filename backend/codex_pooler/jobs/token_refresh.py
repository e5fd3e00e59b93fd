"""Renews logins ahead of their expiry, whatever state their accounts are in, and stores what had to wait."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from codex_pooler.accounts.refresh import Refresher
from codex_pooler.storage.database import UNAVAILABLE

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
STORE_AGAIN_SECONDS = 2.0
AT_ONCE = 4


async def keep_logins_fresh(refresher: Refresher) -> None:
    """Runs until cancelled.  Every process may: a login is leased to one of them while it is renewed."""
    while True:
        try:
            await renew_what_is_due(refresher)
        except UNAVAILABLE as exc:
            log.warning("logins cannot be renewed now (%s); trying again", type(exc).__name__)
        await _rest(refresher)


async def keep_logins_stored(refresher: Refresher) -> None:
    """Runs until cancelled, where no logins are renewed ahead of time: those that turns renewed get stored."""
    while True:
        try:
            await refresher.store_kept()
        except UNAVAILABLE as exc:
            log.warning("renewed logins wait for the database (%s)", type(exc).__name__)
        await _rest(refresher)


async def renew_what_is_due(refresher: Refresher) -> None:
    """One pass.  Raises what the database raises."""
    await refresher.store_kept()
    gate = asyncio.Semaphore(AT_ONCE)

    async def renew(account_id: UUID) -> None:
        async with gate:
            await refresher.renew_due(account_id)

    due = await refresher.due()
    async with asyncio.TaskGroup() as group:
        for account_id in due:
            group.create_task(renew(account_id), name=f"login-due-{account_id}")


async def _rest(refresher: Refresher) -> None:
    """Until the next pass; a login that waits for the database is tried again soon."""
    if refresher.unstored.is_set():
        await asyncio.sleep(STORE_AGAIN_SECONDS)
        return
    try:
        async with asyncio.timeout(EVERY_SECONDS):
            await refresher.unstored.wait()
    except TimeoutError:
        pass
    else:
        await asyncio.sleep(STORE_AGAIN_SECONDS)
