"""Logins are renewed before they end, also of accounts that serve nobody, and what waited is stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg2
import pytest

from codex_pooler.accounts.logins import age_of
from codex_pooler.accounts.renewal_plan import LoginAge, next_attempt
from codex_pooler.jobs import token_refresh
from codex_pooler.jobs.token_refresh import keep_logins_fresh, renew_what_is_due
from tests.accounts.conftest import Scene, scene

__all__ = ["scene"]


async def test_a_fresh_login_is_left_alone(scene: Scene) -> None:
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 0


@pytest.mark.parametrize("state", ["active", "draining", "paused"])
async def test_a_login_is_renewed_in_time_whatever_its_account_does(scene: Scene, state: str) -> None:
    await scene.set(state=state)
    scene.clock.ahead = timedelta(days=7)
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 1
    assert (await scene.stored())["access"] != scene.token
    assert (await scene.row()).state == state


async def test_a_login_that_another_installation_goes_on_with_is_left_alone(scene: Scene) -> None:
    """By plan, by hand, and when the backend refuses its token to a turn that still runs."""
    await scene.set(state="disabled", state_reason="exported")
    before, row = await scene.stored(), await scene.row()
    scene.clock.ahead = timedelta(days=30)
    await renew_what_is_due(scene.refresher)
    asked = [await scene.refresher.renew(scene.account_id, scene.token)]
    asked += [await scene.refresher.renew_now(scene.account_id), await scene.refresher.renew_due(scene.account_id)]
    assert {(one.outcome, one.token, one.code) for one in asked} == {("failed", None, "account_disabled")}
    assert (scene.exchanges, await scene.stored(), await scene.row()) == (0, before, row)
    assert next_attempt(age_of(row)) is None
    await scene.set(state="active", state_reason=None)
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 1, "taken back it is renewed like any other"


async def test_a_login_that_is_refused_for_good_is_not_asked_for_again(scene: Scene) -> None:
    scene.clock.ahead = timedelta(days=7)
    scene.fault("token_revoked", times=None)
    await renew_what_is_due(scene.refresher)
    scene.clock.ahead = timedelta(days=8)
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 1
    assert (await scene.row()).state == "reauth_required"


async def test_a_failed_renewal_is_repeated_after_its_pause(scene: Scene) -> None:
    scene.clock.ahead = timedelta(days=7)
    scene.fault("unavailable")
    await renew_what_is_due(scene.refresher)
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 1
    scene.clock.ahead += timedelta(minutes=1)
    await renew_what_is_due(scene.refresher)
    assert scene.exchanges == 2
    assert (await scene.row()).refresh_failures == 0


async def test_several_processes_renew_a_login_once(scene: Scene) -> None:
    scene.clock.ahead = timedelta(days=7)
    refreshers = [scene.refresher, *(scene.another_process() for _ in range(3))]
    await asyncio.gather(*map(renew_what_is_due, refreshers))
    assert scene.exchanges == 1


async def test_a_login_that_waits_for_the_database_is_stored_soon(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_refresh, "STORE_AGAIN_SECONDS", 0.01)
    job = asyncio.create_task(keep_logins_fresh(scene.refresher))
    await asyncio.sleep(0.05)
    scene.logins.refusals = 3
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    async with asyncio.timeout(30):
        while (await scene.stored())["access"] != renewal.token:
            await asyncio.sleep(0.01)
    assert scene.exchanges == 1
    job.cancel()
    await asyncio.wait({job})


async def test_the_database_going_away_ends_no_renewing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    ages, asked = scene.logins.ages, 0

    async def away_at_first() -> list[LoginAge]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise psycopg2.OperationalError("the database went away")
        return await ages()

    monkeypatch.setattr(scene.logins, "ages", away_at_first)
    monkeypatch.setattr(token_refresh, "EVERY_SECONDS", 0.01)
    scene.clock.ahead = timedelta(days=7)
    job = asyncio.create_task(keep_logins_fresh(scene.refresher))
    async with asyncio.timeout(30):
        while not scene.exchanges:
            assert not job.done()
            await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.wait({job})
