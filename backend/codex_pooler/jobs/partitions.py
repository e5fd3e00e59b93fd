"""Keeps the request log's daily partitions ahead of the clock."""

from __future__ import annotations

import asyncio
import logging

from codex_pooler.accounting.writer import LogWriter
from codex_pooler.storage.database import UNAVAILABLE

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


async def keep_partitions(writer: LogWriter) -> None:
    """Runs until cancelled; creating a partition that exists is harmless, so every process may do it."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await writer.make_partitions()
        except UNAVAILABLE as exc:
            log.warning("could not prepare the log's next partitions (%s); trying again in an hour", exc)
