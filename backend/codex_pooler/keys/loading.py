"""Reads from the database what keys have used, so that other processes, and those before this one, count too."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.keys.ledger import Ledger, Stored
from codex_pooler.keys.limits import Limits
from codex_pooler.keys.tally import Consumption, StoredSum, Use
from codex_pooler.keys.windows import METRICS, MINUTE_SECONDS, SPANS, Moment
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Key, Limit
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.storage.queries_keys import LATELY, USED

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
SHARE = 20  # the sums may take one part in so many of the time, however many keys there are
AtRest = Callable[[], AbstractAsyncContextManager[float]]


async def keep_loaded(limits: Limits, database: Database, snapshot: SnapshotHolder, at_rest: AtRest) -> None:
    """Runs until cancelled.  ``at_rest`` holds the log writer still and yields until when what ended is stored."""
    while True:
        began = time.monotonic()
        try:
            await load(limits, database, list(snapshot.current.keys.values()), at_rest)
        except UNAVAILABLE as exc:
            log.warning("what keys have used could not be read (%s); going on with what is known", type(exc).__name__)
        await asyncio.sleep(max(EVERY_SECONDS, SHARE * (time.monotonic() - began)))


async def load(limits: Limits, database: Database, keys: Iterable[Key], at_rest: AtRest) -> None:
    """Take the sums of all keys that have limits.  Raises what the database raises."""
    limited = [key for key in keys if key.limits or key.max_concurrency is not None]
    counted = [(key.id, key.limits) for key in limited if any(limit.window in SPANS for limit in key.limits)]
    if not counted:
        limits.load(Stored(), limited)
        return
    async with at_rest() as as_of, database.session() as session:
        stored = await read_sums(session, counted, time.time(), as_of)
    limits.load(stored, limited)


async def read_sums(
    session: Session, counted: Sequence[tuple[UUID, Sequence[Limit]]], wall: float, as_of: float
) -> Stored:
    """What these keys have used, by model and window; every key is looked back at only as far as its limits need."""
    starts = {name: span(wall).counts_from for name, span in SPANS.items()}
    since = [min(starts[limit.window] for limit in limits if limit.window in SPANS) for _, limits in counted]
    rows = await session.fetch(
        USED,
        ids=[key_id for key_id, _ in counted],
        since=[_instant(start) for start in since],
        **{name: _instant(start) for name, start in starts.items()},
    )
    sums: dict[UUID, dict[str, dict[str, StoredSum]]] = {}
    for row in rows:
        sums.setdefault(row.api_key_id, {})[row.model] = {name: _sum(row, name) for name in SPANS}
    return Stored(sums, starts, as_of)


async def consumption_of(
    session: Session, counted: Sequence[tuple[UUID, Sequence[Limit]]], now: Moment
) -> dict[UUID, list[Consumption]]:
    """How far the limits of these keys are used up by requests that have ended, whichever process served them."""
    limited = [(key_id, limits) for key_id, limits in counted if limits]
    longer = [(key_id, limits) for key_id, limits in limited if any(limit.window in SPANS for limit in limits)]
    sliding = [key_id for key_id, limits in limited if any(limit.window == "minute" for limit in limits)]
    stored = await read_sums(session, longer, now.wall, 0.0) if longer else Stored()
    ledgers = {key_id: Ledger(key_id, limits, now, stored) for key_id, limits in limited}
    since = _instant(now.wall - MINUTE_SECONDS)
    for row in await session.fetch(LATELY, ids=sliding, since=since) if sliding else ():
        admitted = row.admitted_at.timestamp()
        amounts = (1, row.tokens, row.cost_micros)
        use = Use(row.model, admitted, now.monotonic - (now.wall - admitted), amounts)
        ledgers[row.api_key_id].tally_of(row.model).recall(use)
    return {key_id: ledger.consumption(now) for key_id, ledger in ledgers.items()}


def _sum(row: Any, window: str) -> StoredSum:
    oldest = row.week_oldest.timestamp() if window == "week" and row.week_oldest else None
    return StoredSum([getattr(row, f"{window}_{metric}") for metric in METRICS], oldest)


def _instant(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, UTC)
