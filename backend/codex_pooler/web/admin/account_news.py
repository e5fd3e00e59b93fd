"""Tells this process's consoles which accounts to look at again: each change once, whichever process made it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import partial
from uuid import UUID

from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.web.admin.live import Broadcaster, Change

TOPIC = "upstreams"
WAIT_SECONDS = 0.5  # for whoever makes a change here to tell of it, and of more than the snapshot shows


class AccountNews:
    """One per process.

    What this process changes is told by whoever changes it.  What only the snapshot shows was changed by another one;
    as an own change shows there too, and sometimes first, it is told a moment later and only if nobody has by then.
    """

    def __init__(self, snapshot: SnapshotHolder, broadcaster: Broadcaster) -> None:
        self._snapshot, self._broadcaster = snapshot, broadcaster
        self._untold: dict[UUID, Collection[UUID]] = {}
        snapshot.on_changed, broadcaster.on_publish = self.noticed, self._told

    async def changed(self, account_id: UUID) -> None:
        """For whoever changes an account: this process's turns and consoles know of it when this returns."""
        await self._snapshot.refresh_quietly()
        self.tell([account_id])

    def tell(self, account_ids: Collection[UUID]) -> None:
        """Of accounts about which something is new, in whatever pools they are."""
        pools_of: dict[UUID, list[UUID]] = {account_id: [] for account_id in account_ids}
        for pool in self._snapshot.current.pools.values():
            for member in pool.members:
                if member.account.id in pools_of:
                    pools_of[member.account.id].append(pool.id)
        self._publish(pools_of)

    def noticed(self, pools_of: Mapping[UUID, Collection[UUID]]) -> None:
        """The snapshot shows that these accounts changed, each with the pools that are concerned."""
        self._untold.update(pools_of)
        asyncio.get_running_loop().call_later(WAIT_SECONDS, partial(self._tell_unless_told, tuple(pools_of)))

    def _tell_unless_told(self, account_ids: Collection[UUID]) -> None:
        self._publish({each: self._untold[each] for each in account_ids if each in self._untold})

    def _told(self, change: Change) -> None:
        if change.topic == TOPIC:
            for account_id in change.ids:
                self._untold.pop(account_id, None)

    def _publish(self, pools_of: Mapping[UUID, Collection[UUID]]) -> None:
        """Those of the same pools together."""
        together: dict[frozenset[UUID], list[UUID]] = defaultdict(list)
        for account_id, pool_ids in pools_of.items():
            together[frozenset(pool_ids)].append(account_id)
        for shared, alike in together.items():
            self._broadcaster.publish(Change(TOPIC, "updated", tuple(alike), tuple(shared)))
