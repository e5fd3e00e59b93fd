"""A login is renewed once for everybody who asks, and no new token is ever lost on its way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg2
import pytest
import sqlalchemy as sa

from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.renewal import Renewal, Renewed
from codex_pooler.storage import queries_accounts as queries
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.telemetry.metrics import RENEWALS, Metrics
from codex_pooler.upstream.oauth import TRANSIENT, Grant, RefreshRefused, SignIn
from tests.accounts.conftest import Scene, refresher_of

LOCKS = sa.table("pg_locks", sa.column("pid"), sa.column("granted"))
WAITING = sa.select(LOCKS.c.pid).where(sa.not_(LOCKS.c.granted))


class HeldSignIn(SignIn):
    """Asks the real server, and then holds its answer back until it is told to go on."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        object.__setattr__(self, "spent", asyncio.Event())
        object.__setattr__(self, "go_on", asyncio.Event())

    spent: asyncio.Event
    go_on: asyncio.Event

    async def refresh(self, refresh_token: str, reason: str | None = None, proxy: str | None = None) -> Grant:
        grant = await super().refresh(refresh_token, reason, proxy)
        self.spent.set()
        await self.go_on.wait()
        return grant


class LostAnswers(SignIn):
    """The server rotates the token, and its answer never arrives."""

    async def refresh(self, refresh_token: str, reason: str | None = None, proxy: str | None = None) -> Grant:
        await super().refresh(refresh_token, reason, proxy)
        raise RefreshRefused("sign_in_answer_lost", TRANSIENT)


def refresher_for(scene: Scene, sign_in: SignIn) -> Refresher:
    return refresher_of(scene.logins, sign_in, clock=scene.clock)


async def test_scenario_11_a_refused_token_is_renewed_and_everybody_is_told(scene: Scene) -> None:
    before, row = await scene.stored(), await scene.row()
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert renewal.outcome == "renewed"
    after, now = await scene.stored(), await scene.row()
    assert renewal.token == after["access"] != before["access"]
    assert after["refresh"] != before["refresh"]
    assert now.credential_epoch == row.credential_epoch + 1
    assert now.last_refresh_at > row.last_refresh_at
    assert now.access_expires_at >= row.access_expires_at
    assert scene.told == [scene.account_id]
    assert scene.kept_files() == []
    claims = scene.world.mint.read_jwt(after["access"])
    assert claims
    assert claims["exp"] == now.access_expires_at.timestamp()


async def test_what_became_of_renewals_is_counted(scene: Scene) -> None:
    counted = Metrics()
    refresher = refresher_of(scene.logins, SignIn(scene.backend), clock=scene.clock, metrics=counted)
    await refresher.renew_now(scene.account_id)
    await refresher.renew_due(scene.account_id)
    scene.fault("bad_request", body={"error": "invalid_grant"})
    await refresher.renew_now(scene.account_id)
    assert counted.counts == {(RENEWALS, "renewed"): 1, (RENEWALS, "rejected"): 1}


async def test_scenario_11_a_refused_refresh_token_means_that_a_login_is_needed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.fault("bad_request", body={"error": "invalid_grant", "error_description": "no"})
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.token, renewal.code) == ("rejected", None, "invalid_grant")
    row = await scene.row()
    assert (row.state, row.state_reason, row.refresh_refused) == ("reauth_required", "invalid_grant", True)
    assert scene.told == [scene.account_id]
    assert "needs a new login: invalid_grant" in caplog.text
    assert (await scene.refresher.renew(scene.account_id, scene.token)).outcome == "rejected"
    assert scene.exchanges == 1, "a login that is refused for good is not tried again"


@pytest.mark.parametrize("callers", [20, 50], ids=["scenario 12", "F17"])
async def test_all_refusals_of_one_moment_lead_to_one_exchange(scene: Scene, callers: int) -> None:
    renewals = await asyncio.gather(*(scene.refresher.renew(scene.account_id, scene.token) for _ in range(callers)))
    assert scene.exchanges == 1
    assert len({renewal.token for renewal in renewals}) == 1
    assert renewals[0].token != scene.token
    late = await scene.refresher.renew(scene.account_id, scene.token)
    assert (late.outcome, late.token) == ("already_newer", renewals[0].token)
    assert scene.exchanges == 1


async def test_f15_two_processes_never_spend_one_token_twice(scene: Scene) -> None:
    others = [scene.another_process() for _ in range(4)]
    refreshers = [scene.refresher, *others]
    asked = [each.renew(scene.account_id, scene.token) for each in refreshers for _ in range(5)]
    renewals = await asyncio.gather(*asked)
    assert scene.exchanges == 1
    assert len({renewal.token for renewal in renewals if renewal.token}) == 1
    assert scene.world.record.reused_refresh_tokens == []


async def test_who_had_to_wait_for_an_account_reads_the_tokens_that_came_meanwhile(scene: Scene) -> None:
    renewed = {"account_id": scene.account_id, "expires_at": None, "renewed_at": datetime.now(UTC), "plan_type": None}
    async with scene.database.transaction() as session:
        before = await session.one(queries.LOCK, account_id=scene.account_id)
        waiting = asyncio.create_task(scene.logins.current(scene.account_id))
        while not await session.fetch(WAITING):
            await asyncio.sleep(0.01)
        await session.execute(queries.STORE_RENEWAL, epoch=before.credential_epoch, **renewed)
        await scene.logins._seal(session, scene.account_id, "refresh", "the new one")
    login = await waiting
    assert login is not None
    assert (login.age.epoch, login.refresh_token) == (before.credential_epoch + 1, "the new one")


async def test_f15_a_lease_of_a_dead_process_ends_by_itself(scene: Scene) -> None:
    await scene.set(refresh_leased_until=datetime.now(UTC) + timedelta(minutes=4))
    assert (await scene.refresher.renew_now(scene.account_id)).code == "renewal_running"
    await scene.set(refresh_leased_until=datetime.now(UTC) - timedelta(seconds=1))
    assert (await scene.refresher.renew_now(scene.account_id)).outcome == "renewed"


async def test_a_token_that_somebody_has_renewed_already_costs_no_exchange(scene: Scene) -> None:
    newer = await scene.another_process().renew(scene.account_id, scene.token)
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.token) == ("already_newer", newer.token)
    assert scene.exchanges == 1


async def test_a_caller_that_leaves_does_not_cancel_the_exchange(scene: Scene) -> None:
    sign_in = HeldSignIn(scene.backend)
    refresher = refresher_for(scene, sign_in)
    callers = [asyncio.create_task(refresher.renew(scene.account_id, scene.token)) for _ in range(3)]
    await sign_in.spent.wait()
    for caller in callers[:2]:
        caller.cancel()
    await asyncio.wait(callers[:2])
    sign_in.go_on.set()
    renewal = await callers[2]
    assert renewal.outcome == "renewed"
    assert (await scene.stored())["access"] == renewal.token


async def test_a_token_outlives_all_who_wanted_it(scene: Scene) -> None:
    sign_in = HeldSignIn(scene.backend)
    refresher = refresher_for(scene, sign_in)
    caller = asyncio.create_task(refresher.renew(scene.account_id, scene.token))
    await sign_in.spent.wait()
    caller.cancel()
    await asyncio.wait({caller})
    sign_in.go_on.set()
    await refresher.close()
    assert (await scene.stored())["access"] != scene.token


async def test_a_refusal_of_the_new_token_during_a_flight_leads_to_another(scene: Scene) -> None:
    flight = asyncio.create_task(scene.refresher.renew_due(scene.account_id))
    await asyncio.sleep(0)
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (await flight).outcome == "already_newer"
    assert renewal.outcome == "renewed"


async def test_scenario_35_a_login_imported_meanwhile_wins(scene: Scene) -> None:
    sign_in = HeldSignIn(scene.backend)
    flight = asyncio.create_task(refresher_for(scene, sign_in).renew(scene.account_id, scene.token))
    await sign_in.spent.wait()
    imported = await scene.log_in_again()
    sign_in.go_on.set()
    renewal = await flight
    assert (renewal.outcome, renewal.token) == ("already_newer", imported)
    assert (await scene.stored())["access"] == imported
    assert (await scene.row()).credential_epoch == 2
    assert scene.kept_files() == []


async def test_scenario_35_a_late_refusal_says_nothing_about_the_new_login(scene: Scene) -> None:
    class RefusesLate(HeldSignIn):
        async def refresh(self, refresh_token: str, reason: str | None = None, proxy: str | None = None) -> Grant:
            self.spent.set()
            await self.go_on.wait()
            return await SignIn.refresh(self, refresh_token, reason, proxy)

    sign_in = RefusesLate(scene.backend)
    flight = asyncio.create_task(refresher_for(scene, sign_in).renew(scene.account_id, scene.token))
    await sign_in.spent.wait()
    imported = await scene.log_in_again()
    scene.fault("bad_request", body={"error": "invalid_grant"})
    sign_in.go_on.set()
    assert (await flight).token == imported
    assert (await scene.row()).state == "active"


async def test_scenario_36_a_write_that_fails_is_repeated_without_a_second_exchange(scene: Scene) -> None:
    scene.logins.refusals = 1
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert renewal.outcome == "renewed"
    assert [new.access_token for new in scene.served] == [renewal.token], "turns use it at once"
    assert scene.refresher.unstored.is_set()
    assert (await scene.stored())["access"] == scene.token
    assert len(scene.kept_files()) == 1
    late = await scene.refresher.renew(scene.account_id, scene.token)
    assert (late.outcome, late.token) == ("already_newer", renewal.token)
    await scene.refresher.store_kept()
    assert (await scene.stored())["access"] == renewal.token
    assert scene.exchanges == 1
    assert scene.kept_files() == []
    assert not scene.refresher.unstored.is_set()
    await scene.refresher.renew(scene.account_id, renewal.token or "")
    assert scene.world.record.reused_refresh_tokens == [], "the stored refresh token is the new one"


async def test_scenario_36_a_process_that_dies_before_its_write_leaves_the_login_to_the_next(scene: Scene) -> None:
    scene.logins.refusals = 1
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    again = refresher_of(scene.logins, SignIn(scene.backend))
    await again.store_kept()
    assert (await scene.stored())["access"] == renewal.token
    assert scene.kept_files() == []


async def test_a_kept_login_is_stored_before_the_spent_token_is_tried_again(scene: Scene) -> None:
    scene.logins.refusals = 1
    first = await scene.refresher.renew(scene.account_id, scene.token)
    await scene.set(refresh_leased_until=None)
    again = refresher_of(scene.logins, SignIn(scene.backend))
    renewal = await again.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.token) == ("already_newer", first.token)
    assert scene.exchanges == 1


async def test_a_kept_login_is_of_no_use_once_there_is_a_newer_one(scene: Scene) -> None:
    scene.logins.refusals = 1
    await scene.refresher.renew(scene.account_id, scene.token)
    imported = await scene.log_in_again()
    await scene.refresher.store_kept()
    assert (await scene.stored())["access"] == imported
    assert scene.kept_files() == []


async def test_a_full_disk_loses_no_login(scene: Scene) -> None:
    class FullDisk(SecretSpool):
        def keep(self, owner: str, sealed: bytes) -> None:  # type: ignore[override]
            raise OSError(28, "No space left on device")

    scene.logins.kept.spool = FullDisk(scene.folder)
    scene.logins.refusals = 1
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    await scene.refresher.store_kept()
    assert (await scene.stored())["access"] == renewal.token


async def test_f18_an_answer_lost_after_rotation_ends_in_a_needed_login_and_no_loop(scene: Scene) -> None:
    lossy = refresher_for(scene, LostAnswers(scene.backend))
    assert (await lossy.renew(scene.account_id, scene.token)).outcome == "failed"
    for _ in range(10):
        assert (await scene.refresher.renew(scene.account_id, scene.token)).code == "sign_in_answer_lost"
    assert scene.exchanges == 1, "nobody insists while the pause lasts"
    scene.clock.ahead = timedelta(minutes=1)
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.code) == ("rejected", "refresh_token_reused")
    row = await scene.row()
    assert (row.state, row.state_reason) == ("reauth_required", "refresh_token_reused")
    for _ in range(10):
        await scene.refresher.renew(scene.account_id, scene.token)
    assert scene.exchanges == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("unavailable", "sign_in_503"),
        ("server_error", "server_error"),
        ("bare_429", "sign_in_429"),
        ("challenge", "sign_in_403"),
        ("reset_before_headers", "sign_in_answer_lost"),
    ],
)
async def test_a_passing_failure_leaves_the_account_in_service(scene: Scene, fault: str, code: str) -> None:
    scene.fault(fault)
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.code) == ("failed", code)
    row = await scene.row()
    assert (row.state, row.refresh_failures, row.refresh_error) == ("active", 1, code)
    scene.clock.ahead = timedelta(minutes=1)
    assert (await scene.refresher.renew(scene.account_id, scene.token)).outcome == "renewed"
    row = await scene.row()
    assert (row.refresh_failures, row.refresh_error) == (0, None)


async def test_an_unknown_refusal_counts_when_it_comes_twice(scene: Scene) -> None:
    scene.fault("bad_request", times=None, body={"error": {"code": "login_is_odd", "message": "?"}})
    assert (await scene.refresher.renew(scene.account_id, scene.token)).outcome == "failed"
    assert (await scene.row()).state == "active"
    scene.clock.ahead = timedelta(minutes=1)
    assert (await scene.refresher.renew(scene.account_id, scene.token)).outcome == "rejected"
    assert (await scene.row()).state_reason == "login_is_odd"


async def test_a_pause_survives_a_refused_login(scene: Scene) -> None:
    await scene.set(state="paused")
    scene.fault("token_revoked")
    assert (await scene.refresher.renew_now(scene.account_id)).outcome == "rejected"
    row = await scene.row()
    assert (row.state, row.refresh_refused, row.refresh_error) == ("paused", True, "token_revoked")


async def test_a_fresh_token_that_is_refused_for_good_ends_the_login(scene: Scene) -> None:
    assert not await scene.refresher.give_up(scene.account_id, "an older token", "token_revoked")
    assert await scene.refresher.give_up(scene.account_id, scene.token, "token_revoked")
    row = await scene.row()
    assert (row.state, row.state_reason) == ("reauth_required", "token_revoked")
    await scene.log_in_again()
    row = await scene.row()
    assert (row.state, row.refresh_refused, row.refresh_error) == ("active", False, None)


def shut_database(postgres: str, dsn: str, *, shut: bool) -> None:
    """Throw everybody out of this test's database and let nobody in, or let them in again."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    with closing(psycopg2.connect(postgres)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not shut}")
            if shut:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


async def test_without_the_database_nothing_is_spent(scene: Scene, postgres: str, dsn: str) -> None:
    shut_database(postgres, dsn, shut=True)
    renewal = await scene.refresher.renew(scene.account_id, scene.token)
    assert (renewal.outcome, renewal.code) == ("failed", "database_unavailable")
    assert scene.exchanges == 0
    shut_database(postgres, dsn, shut=False)
    assert (await scene.refresher.renew(scene.account_id, scene.token)).outcome == "renewed"


async def test_scenario_36_the_database_may_die_between_question_and_answer(
    scene: Scene, postgres: str, dsn: str
) -> None:
    sign_in = HeldSignIn(scene.backend)
    refresher = refresher_for(scene, sign_in)
    flight = asyncio.create_task(refresher.renew(scene.account_id, scene.token))
    await sign_in.spent.wait()
    shut_database(postgres, dsn, shut=True)
    sign_in.go_on.set()
    renewal = await flight
    assert renewal.outcome == "renewed"
    late = await refresher.renew(scene.account_id, scene.token)
    assert (late.outcome, late.token) == ("already_newer", renewal.token)
    assert (await refresher.renew(scene.account_id, renewal.token or "")).code == "database_unavailable"
    shut_database(postgres, dsn, shut=False)
    await refresher.store_kept()
    assert (await scene.stored())["access"] == renewal.token
    assert scene.exchanges == 1


async def test_a_deleted_account_is_not_renewed(scene: Scene) -> None:
    assert (await scene.refresher.renew(uuid4(), "x")) == Renewal("rejected", None, "account_deleted")


async def test_scenario_38_no_token_shows_in_logs_reprs_names_or_files(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    held = HeldSignIn(scene.backend)
    scene.logins.refusals = 1
    refresher = refresher_for(scene, held)
    before = await scene.stored()
    caller = asyncio.create_task(refresher.renew(scene.account_id, scene.token))
    await held.spent.wait()
    names = " ".join(task.get_name() for task in asyncio.all_tasks())
    held.go_on.set()
    renewal = await caller
    ((kept, new),) = scene.logins.kept.all()
    shown = [repr(found) for found in (renewal, new, kept, refresher, await scene.logins.current(scene.account_id))]
    written = kept.read_bytes() + kept.name.encode()
    await refresher.store_kept()
    scene.fault("bad_request", body={"error": "invalid_grant"})
    shown.append(repr(await refresher.renew(scene.account_id, renewal.token or "")))
    secrets = {*before.values(), new.access_token, new.refresh_token, new.id_token or ""}
    assert len(secrets) == 5
    for secret in secrets:
        assert secret not in f"{names} {shown} {caplog.text}"
        assert secret.encode() not in written


def test_a_kept_login_comes_back_as_it_was() -> None:
    now = datetime.now(UTC)
    for expires_at in (now, None):
        new = Renewed(uuid4(), 3, now, expires_at, "plus", "a", "r", None)
        assert Renewed.unpacked(new.packed()) == new
