"""Looks every second whether a draining account has finished its turns."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import psycopg2

from codex_pooler.accounts.drain import finish_drains
from codex_pooler.storage.database import UNAVAILABLE, Database

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


async def keep_finishing_drains(database: Database) -> None:
    """Runs until cancelled, in one process; while the database is away drains wait."""
    while True:
        with suppress(psycopg2.Error, *UNAVAILABLE):
            for account_id in await finish_drains(database):
                log.info("account %s has finished its turns and is paused", account_id)
        await asyncio.sleep(LOOK_SECONDS)
