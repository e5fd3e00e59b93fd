"""Draining: an account gets no new turns, finishes those that run in any process, and is paused then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from codex_pooler.storage import queries_drains as queries
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.audit import record_account_event
from codex_pooler.storage.database import Database


def drains_of(states: Mapping[UUID, str], serving: Iterable[UUID]) -> tuple[list[UUID], list[UUID]]:
    """What a process says of drains: the accounts it will give no new turns, and those that still have one here.

    ``states``: the accounts' states as this process routes by them; ``serving``: accounts with running turns.  One
    that the process does not route to any more may still be serving what it was given before.
    """
    known = [account for account, state in states.items() if state == "draining"]
    return known, [account for account in serving if states.get(account) != "active"]


async def finish_drains(database: Database) -> list[UUID]:
    """Pause the draining accounts that no living process serves; their ids.  Any process may do it at any time."""
    async with database.session() as session:
        if not (await session.one(queries.ANY)).any:
            return []
    async with database.transaction() as session:
        finished = [row.id for row in await session.fetch(queries.FINISH)]
        for account_id in finished:
            await record_account_event(session, "account.drained", account_id)
        if finished:
            await announce_config(session)
    return finished
