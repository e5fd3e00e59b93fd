"""What the process serves turns with, and what it remembers of them from one process to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from codex_pooler.accounting.journal import Journal
from codex_pooler.gateway.house import House
from codex_pooler.jobs.bindings import BindingKeeper
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.jobs.loops import Loops
from codex_pooler.process.ground import Ground
from codex_pooler.quota.keeper import QuotaKeeper
from codex_pooler.quota.quotas import Quotas
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known
from codex_pooler.routing.health import Health, Rules
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.spool import Spool
from codex_pooler.upstream.pool import ConnectionPool


@dataclass(frozen=True)
class Turns:
    """The house, the spool that its journal is written to, and who keeps what the house knows."""

    house: House
    spool: Spool
    quotas: QuotaKeeper
    bindings: BindingKeeper
    files: FileKeeper

    @property
    def loops(self) -> Loops:
        return {
            "pulse": self.house.pulse,
            "quota-keeper": self.quotas.run,
            "session-bindings": self.bindings.run,
            "files": self.files.run,
        }


@asynccontextmanager
async def serving(ground: Ground) -> AsyncIterator[Turns]:
    """With what an earlier process wrote down; what is not written down by then is written at the end."""
    async with AsyncExitStack() as stack:
        spool = Spool(ground.config.state_dir / "spool")
        stack.callback(spool.close)
        house = _house(ground, spool, stack)
        quotas = QuotaKeeper(ground.database, house.known.quotas, changed=ground.news.tell)
        bindings = BindingKeeper(ground.database, house.known.bindings)
        files = FileKeeper(ground.database, house.files)
        await quotas.load()
        await bindings.load()
        await files.load()
        stack.push_async_callback(bindings.store_the_rest)
        stack.push_async_callback(files.store_the_rest)
        yield Turns(house, spool, quotas, bindings, files)


def _house(ground: Ground, spool: Spool, stack: AsyncExitStack) -> House:
    """What turns need, with nothing known about accounts yet."""
    known = Known(_health(ground.snapshot), Quotas(), Leases(), Bindings())
    backend = ConnectionPool(ground.config.chatgpt_url)
    stack.callback(backend.close)
    ground.snapshot.on_new_login = known.quotas.relogin
    return House(ground.snapshot, known, Journal(spool), backend, ground.metrics)


def _health(snapshot: SnapshotHolder) -> Health:
    """With the circuit's rules as the settings say at the time."""

    def circuit_rules() -> Rules:
        settings = snapshot.current.settings.gateway
        return Rules(settings.circuit_failure_threshold, settings.circuit_open_seconds)

    return Health(circuit_rules)
