"""Where no catalogues are fetched: asks those who do when clients want models that no catalogue lists."""

from __future__ import annotations

import asyncio
import logging

import psycopg2

from codex_pooler.jobs.queue import Queue
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.database import UNAVAILABLE

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
REST_SECONDS = 60.0  # a model that nobody has is asked for again and again


async def ask_for_missing_models(snapshot: SnapshotHolder, queue: Queue) -> None:
    """Runs until cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        pools = set(snapshot.doubted)
        if not pools:
            continue
        try:
            await queue.enqueue("catalog_sync", key="missing", pool_ids=sorted(map(str, pools)))
        except (psycopg2.Error, *UNAVAILABLE) as exc:
            log.warning("missing models cannot be asked for now (%s), trying again", type(exc).__name__)
        else:
            snapshot.doubted.difference_update(pools)
        await asyncio.sleep(REST_SECONDS)
