"""Which loops run in which role, as a table and as processes really do it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from codex_pooler.config import ROLES, Config
from codex_pooler.jobs.roles import LED, LOOPS, loops_of, serves, works
from codex_pooler.process import process

EVERYWHERE = {"snapshot", "snapshot-listener", "heartbeat"}
TURNS = {"pulse", "session-bindings", "files", "log-writer", "partitions", "key-limits", "prices", "quota-keeper"}
WATCHING = {"usage-polling", "model-catalogues", "token-refresh", "saved-resets", "account-checks", "quota-keeper"}
LEFT_TO_OTHERS = {"renewed-logins", "missing-models"}
MATRIX = {
    "web": EVERYWHERE | TURNS | LEFT_TO_OTHERS,
    "worker": EVERYWHERE | WATCHING,
    "scheduler": EVERYWHERE | {"leadership"},
    "all": EVERYWHERE | TURNS | WATCHING | {"leadership"},
}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_loops(role: str) -> None:
    assert loops_of(role) == MATRIX[role]


def test_roles_that_work_and_serve() -> None:
    assert [role for role in ROLES if works(role)] == ["worker", "all"]
    assert [role for role in ROLES if serves(role)] == ["web", "all"]


@pytest.mark.parametrize("role", ROLES)
async def test_a_process_runs_exactly_the_loops_of_its_role(role: str, config: Config, dsn: str) -> None:
    async with process(replace(config, role=role), dsn) as running:
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert names & LOOPS.keys() == loops_of(role)
        assert ("jobs" in names) == works(role)
        assert (running.worker is not None) == works(role)
        async with asyncio.timeout(30):
            while (await _led()) != (set(LED) if "leadership" in loops_of(role) else set()):
                await asyncio.sleep(0.05)


async def _led() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()} & LED
