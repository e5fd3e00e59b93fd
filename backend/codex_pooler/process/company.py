"""What has to do with the other processes: hearing of changes, being seen, and doing once what is to be done once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from codex_pooler import __version__
from codex_pooler.accounts.drain import drains_of
from codex_pooler.gateway.house import House
from codex_pooler.jobs.clock import keep_the_schedule
from codex_pooler.jobs.drains import keep_finishing_drains
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.jobs.leadership import Leadership
from codex_pooler.jobs.loops import Loops
from codex_pooler.jobs.nodes import Drains, Node, forget_the_dead
from codex_pooler.jobs.rescue import keep_rescuing
from codex_pooler.process.ground import Ground
from codex_pooler.process.turns import Turns
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.listen import listen
from codex_pooler.storage.queries_files import CHANGED as FILES_CHANGED
from codex_pooler.storage.queries_snapshot import CHANGED


@dataclass(frozen=True)
class Company:
    """This process among the others."""

    leadership: Leadership
    node: Node
    loops: Loops


def company_of(ground: Ground, turns: Turns) -> Company:
    """Nothing of it is open before its loops run."""
    database = ground.database
    leadership = Leadership(
        ground.dsn,
        {
            "schedule": partial(keep_the_schedule, database),
            "rescue": partial(keep_rescuing, database),
            "drains": partial(keep_finishing_drains, database),
            "nodes": partial(forget_the_dead, database),
        },
    )
    node = Node(
        database,
        ground.config.role,
        __version__,
        leads=lambda: leadership.led,
        drains=partial(_drains, turns.house),
        key_version=ground.keyring.newest,
    )
    loops: Loops = {
        "snapshot": ground.snapshot.keep_fresh,
        "snapshot-listener": partial(_listener, ground.dsn, ground.snapshot, turns.files),
        "leadership": leadership.run,
        "heartbeat": node.run,
    }
    return Company(leadership, node, loops)


def _drains(house: House) -> Drains:
    members = (member.account for pool in house.snapshot.current.pools.values() for member in pool.members)
    serving = [UUID(int=account) for account in house.known.leases.running]
    return Drains(*drains_of({account.id: account.state for account in members}, serving))


async def _listener(dsn: str, snapshot: SnapshotHolder, files: FileKeeper) -> None:
    async def changed(payload: str) -> None:
        await snapshot.refresh_quietly()

    await listen(dsn, {CHANGED: changed, FILES_CHANGED: files.changed}, snapshot.refresh_quietly)
