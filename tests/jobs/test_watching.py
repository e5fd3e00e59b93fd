"""What the usage endpoint answers and what becomes of the account, from the question to the stored state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from codex_pooler.jobs import usage_polling
from codex_pooler.jobs.doubted_logins import DoubtedLogins
from codex_pooler.jobs.usage_polling import UsagePolling
from codex_pooler.quota.quotas import Quotas
from codex_pooler.simulator.faults import Order, fault_of
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.usage import UsageClient
from tests.accounts.conftest import Scene, scene

__all__ = ["scene"]

Ask = Callable[[], Awaitable[tuple[int, int]]]


@pytest.fixture
def ask(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask about the account as it is stored now: how many were asked, and how many of these told."""
    monkeypatch.setattr(usage_polling, "NOW_AGE_SECONDS", 0.0)
    snapshot = SnapshotHolder(scene.database, scene.keyring.upstream)
    client = UsageClient(Backend(ConnectionPool(scene.backend)))
    doubts = DoubtedLogins(scene.refresher)
    polling = UsagePolling(scene.database, client, Quotas(), lambda: snapshot.current, doubts.look_into)

    async def ask() -> tuple[int, int]:
        await snapshot.refresh()
        return await polling.ask_now(scene.account_id)

    return ask


def answering(scene: Scene, fault: str) -> None:
    """From now on the usage endpoint does this."""
    scene.world.faults.add(Order("acct-1", "usage", fault_of(fault), None))


async def test_scenario_30_an_html_403_never_changes_the_account(scene: Scene, ask: Ask) -> None:
    answering(scene, "challenge")
    before = await scene.row()
    for _ in range(4):
        assert await ask() == (1, 0)
    after = await scene.row()
    assert (after.state, after.state_reason, after.credential_epoch) == ("active", None, before.credential_epoch)
    assert scene.exchanges == 0


async def test_scenario_30_a_json_401_on_all_paths_ends_the_login_once_it_was_renewed(scene: Scene, ask: Ask) -> None:
    answering(scene, "token_revoked")
    assert await ask() == (1, 0)
    assert (scene.exchanges, (await scene.row()).state) == (1, "active")
    assert await ask() == (1, 0)
    after = await scene.row()
    assert (after.state, after.state_reason) == ("reauth_required", "upstream_unauthorized")
    assert scene.exchanges == 1
    assert await ask() == (0, 0)
