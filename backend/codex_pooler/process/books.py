"""What keeps the books of the process: the log of turns, the budgets of keys, and the prices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from codex_pooler.accounting.writer import LogWriter
from codex_pooler.gateway.house import House
from codex_pooler.jobs.loops import Loops
from codex_pooler.jobs.partitions import keep_partitions
from codex_pooler.jobs.prices import PriceKeeper
from codex_pooler.keys.loading import keep_loaded
from codex_pooler.process.ground import Ground
from codex_pooler.process.turns import Turns
from codex_pooler.telemetry.metrics import ROWS
from codex_pooler.web.admin.live import Change

log = logging.getLogger(__name__)

LEAVE_SECONDS = 10.0  # for the last rows, once no turn runs any more


@dataclass(frozen=True)
class Books:
    """Who writes the log, and what goes on beside it."""

    writer: LogWriter
    loops: Loops


@asynccontextmanager
async def bookkeeping(ground: Ground, turns: Turns) -> AsyncIterator[Books]:
    """With what an earlier process left behind already stored; at the end the last turns settle and are stored."""
    house = turns.house
    async with AsyncExitStack() as stack:
        writer = LogWriter(ground.database, turns.spool, house.journal, partial(_rows_stored, ground, house))
        await writer.make_partitions()
        await writer.replay_orphans()
        stack.push_async_callback(_store_the_rest, writer)
        stack.push_async_callback(house.settle_down)
        yield Books(writer, _loops(ground, house, writer))


def _rows_stored(ground: Ground, house: House, count: int) -> None:
    """Tell the consoles which pools' turns are in the log now."""
    ground.metrics.count(ROWS, "turn", amount=count)
    ground.broadcaster.count_finished(house.finished.elements())
    ground.broadcaster.publish(Change("requests", "created", pool_ids=tuple(house.finished)))
    house.finished.clear()


def _loops(ground: Ground, house: House, writer: LogWriter) -> Loops:
    def price_list() -> str:
        return house.snapshot.current.settings.catalog.openai_pricing_url

    prices = PriceKeeper(ground.database, house.prices, price_list, partial(ground.queue.enqueue, "pricing_import"))
    return {
        "log-writer": writer.run,
        "partitions": partial(keep_partitions, writer),
        "prices": prices.run,
        "key-limits": partial(keep_loaded, house.limits, ground.database, house.snapshot, writer.at_rest),
    }


async def _store_the_rest(writer: LogWriter) -> None:
    """At shutdown; what does not reach the database stays in the spool for the next start."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await writer.drain()
    except Exception as exc:
        log.warning("some log rows wait in the spool for the next start (%s)", type(exc).__name__)
