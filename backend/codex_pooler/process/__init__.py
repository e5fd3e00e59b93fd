"""One running process: the rooms put together in order, and taken down again in the reverse order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from codex_pooler import __version__
from codex_pooler.accounting.writer import LogWriter
from codex_pooler.config import Config
from codex_pooler.gateway.house import House
from codex_pooler.gateway.probe import probe
from codex_pooler.jobs.loops import background
from codex_pooler.jobs.roles import LED, loops_of, works
from codex_pooler.jobs.worker import JobWorker, working
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.process.books import bookkeeping
from codex_pooler.process.care import Care, caring
from codex_pooler.process.company import Company, company_of
from codex_pooler.process.ground import Ground, grounded
from codex_pooler.process.installation import bootstrap_token
from codex_pooler.process.turns import serving
from codex_pooler.process.view import ProcessView
from codex_pooler.storage.database import silence_query_cancellations
from codex_pooler.storage.spool import Spool
from codex_pooler.storage.tables import ACCOUNT_STATES
from codex_pooler.telemetry.metrics import ACCOUNTS, LEADS, LOGINS_NEEDED, PROCESSES, Gauges
from codex_pooler.web.admin.live import Broadcaster
from codex_pooler.web.context import WebContext


@dataclass(frozen=True)
class Process:
    """Everything that lives as long as the process."""

    context: WebContext
    house: House
    spool: Spool
    writer: LogWriter
    broadcaster: Broadcaster
    company: Company
    worker: JobWorker | None

    def retire(self) -> None:
        """The process is asked to stop: take no more jobs, so that running ones end while running turns do."""
        if self.worker:
            self.worker.stop()

    def gauges(self) -> Gauges:
        """The current values, all from memory."""
        pools = self.house.snapshot.current.pools.values()
        states = Counter(
            {member.account.id: member.account.state for pool in pools for member in pool.members}.values()
        )
        return {
            "codex_pooler_turns_in_flight": self.house.known.leases.total(),
            "codex_pooler_spool_backlog_bytes": self.spool.backlog,
            "codex_pooler_spool_failures": self.spool.failures,
            "codex_pooler_accounts_known": states.total(),
            ACCOUNTS: {state: states[state] for state in ACCOUNT_STATES},
            LOGINS_NEEDED: states["reauth_required"],
            LEADS: {loop: float(self.company.leadership.leads(loop)) for loop in LED},
            PROCESSES: self.company.node.alive,
            **self.house.admission.gauges(),
        }


@asynccontextmanager
async def process(config: Config, dsn: str) -> AsyncIterator[Process]:
    """Open everything, keep the background work of the role running, and close in the reverse order."""
    asyncio.get_running_loop().set_exception_handler(silence_query_cancellations)
    async with (
        grounded(config, dsn) as ground,
        serving(ground) as turns,
        caring(ground, turns.house) as care,
        bookkeeping(ground, turns) as books,
    ):
        company = company_of(ground, turns)
        loops = {**turns.loops, **care.loops, **books.loops, **company.loops}
        running = loops_of(config.role, loops)
        async with background({name: loops[name] for name in loops if name in running}), _jobs(ground, care) as worker:
            context = await _context(ground, turns.house, care)
            yield Process(context, turns.house, turns.spool, books.writer, ground.broadcaster, company, worker)


def _jobs(ground: Ground, care: Care) -> AbstractAsyncContextManager[JobWorker | None]:
    return working(ground.dsn, care.services) if works(ground.config.role) else nullcontext()


async def _context(ground: Ground, house: House, care: Care) -> WebContext:
    """What the console's API works with.  Raises what the database raises."""
    async with ground.database.session() as session:
        token = bootstrap_token(ground.config) if await is_pending(session) else None
    return WebContext(
        config=ground.config,
        database=ground.database,
        keyring=ground.keyring,
        live=ProcessView(house.known, ground.snapshot),
        refresher=care.refresher,
        sign_in=care.sign_in,
        flows=care.flows,
        backend=care.backend,
        saved_resets=care.saved_resets,
        queue=ground.queue,
        refresh_snapshot=ground.snapshot.refresh,
        bootstrap_token=token,
        version=__version__,
        started_at=datetime.now(UTC),
        settings=lambda: ground.snapshot.current.settings,
        metrics=ground.metrics,
        probe=partial(probe, house),
    )
