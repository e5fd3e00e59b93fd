"""Renewing an account's login on demand, and what the admin API tells of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.accounts.exchange import OwnExchange
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.config import Config
from codex_pooler.simulator.app import running
from codex_pooler.simulator.faults import Order, fault_of
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.tables import accounts
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.web.context import WebContext

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, MakeScript


@pytest.fixture
def world() -> World:
    return new_world(seed=3, accounts=1)


@pytest.fixture
async def context(
    context: WebContext, world: World, config: Config, database: Database, keyring: Keyring
) -> AsyncIterator[WebContext]:
    """The usual one, with a sign-in server that answers."""
    async with running(world) as backend:
        logins = Logins(database, keyring.upstream, SecretSpool(config.state_dir / "spool"))
        yield replace(context, refresher=Refresher(logins, OwnExchange(SignIn(backend), logins.kept)))


@pytest.fixture
async def account(owner: Browserless, pool: Any, world: World) -> Any:
    login = world.auth_json(world.accounts["acct-1"])
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": login})
    return imported["account"]


def fault(world: World, name: str, **more: Any) -> None:
    world.faults.add(Order("acct-1", "token", fault_of({"preset": name} | more), 1))


async def test_a_login_is_renewed_on_demand(owner: Browserless, account: Any, world: World) -> None:
    assert account["credential"]["refresh"]["state"] == "ok"
    planned = datetime.fromisoformat(account["credential"]["refresh"]["next_attempt_at"])
    assert timedelta(days=6) < planned - datetime.now(UTC) < timedelta(days=7)
    renewed = await owner.post(f"/upstreams/{account['id']}/refresh")
    assert renewed["credential"]["last_refresh_at"] > account["credential"]["last_refresh_at"]
    assert renewed["version"] == account["version"], "nobody's edit is in conflict with a renewal"
    assert world.record.reused_refresh_tokens == []


async def test_a_passing_failure_is_told_and_shown(owner: Browserless, account: Any, world: World) -> None:
    fault(world, "unavailable")
    status, problem = await owner.call("POST", f"/upstreams/{account['id']}/refresh")
    assert (status, problem["code"]) == (502, "refresh_failed")
    assert "sign_in_503" in problem["detail"]
    shown = await owner.get(f"/upstreams/{account['id']}")
    refresh = shown["credential"]["refresh"]
    assert (refresh["state"], refresh["failures"], refresh["last_error"]) == ("failed", 1, "sign_in_503")
    assert datetime.fromisoformat(refresh["next_attempt_at"]) > datetime.now(UTC)
    assert (shown["status"], shown["readiness"]["state"]) == ("active", "ready")
    again = await owner.post(f"/upstreams/{account['id']}/refresh")
    assert again["credential"]["refresh"]["state"] == "ok", "an operator need not wait for the pause to end"


async def test_a_refused_login_is_told_and_only_a_new_one_helps(
    owner: Browserless, account: Any, world: World, pool: Any
) -> None:
    fault(world, "bad_request", body={"error": {"code": "refresh_token_reused", "message": "used"}})
    status, problem = await owner.call("POST", f"/upstreams/{account['id']}/refresh")
    assert (status, problem["code"]) == (409, "reauth_required")
    assert "refresh_token_reused" in problem["detail"]
    shown = await owner.get(f"/upstreams/{account['id']}")
    assert (shown["status"], shown["status_reason"]) == ("reauth_required", "refresh_token_reused")
    assert shown["credential"]["refresh"] == {
        "state": "failed",
        "next_attempt_at": None,
        "failures": 1,
        "last_error": "refresh_token_reused",
    }
    assert not next(a for a in shown["allowed_actions"] if a["action"] == "refresh")["enabled"]
    status, problem = await owner.call("POST", f"/upstreams/{account['id']}/refresh")
    assert (status, problem["code"]) == (409, "invalid_state_transition")
    login = world.auth_json(world.accounts["acct-1"])
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": login})
    assert imported["account"]["status"] == "active"
    assert imported["account"]["credential"]["refresh"]["state"] == "ok"


async def test_a_paused_account_without_a_good_login_comes_back_asking_for_one(
    owner: Browserless, account: Any, world: World
) -> None:
    path = f"/upstreams/{account['id']}"
    await owner.post(f"{path}/pause")
    fault(world, "token_revoked")
    assert (await owner.call("POST", f"{path}/refresh"))[0] == 409
    assert (await owner.get(path))["status"] == "paused"
    back = await owner.post(f"{path}/reactivate")
    assert (back["status"], back["status_reason"]) == ("reauth_required", "token_revoked")


async def test_a_renewal_elsewhere_is_waited_for(owner: Browserless, account: Any, database: Database) -> None:
    until = datetime.now(UTC) + timedelta(minutes=1)
    async with database.session() as session:
        await session.execute(sa.update(accounts).values(refresh_leased_until=until))
    status, problem = await owner.call("POST", f"/upstreams/{account['id']}/refresh")
    assert (status, problem["code"]) == (409, "refresh_running")


async def test_only_who_manages_all_its_pools_renews_a_login(
    owner: Browserless, account: Any, make_script: MakeScript, pool: Any, world: World
) -> None:
    path = f"/upstreams/{account['id']}/refresh"
    other = await owner.post("/pools", {"name": "Other"})
    viewer = await make_script("instance_viewer", pool["id"])
    stranger = await make_script("instance_admin", other["id"])
    assert (await viewer.call("POST", path))[0] == 403
    assert (await stranger.call("POST", path))[0] == 404
    await owner.post(f"/pools/{other['id']}/assignments", {"account_id": account["id"]})
    assert (await stranger.call("POST", path))[0] == 403
    assert not [one for one in world.record.arrivals if one.path == "/oauth/token"]


async def test_scenario_38_answers_hold_no_token(
    owner: Browserless, account: Any, context: WebContext, world: World
) -> None:
    answers = [await owner.post(f"/upstreams/{account['id']}/refresh")]
    fault(world, "bad_request", body={"error": {"code": "invalid_grant", "message": "m"}})
    answers.append(await owner.call("POST", f"/upstreams/{account['id']}/refresh"))
    logins = Logins(context.database, context.keyring.upstream, SecretSpool(context.config.state_dir / "spool"))
    login = await logins.current(UUID(account["id"]))
    assert login
    for secret in (login.access_token, login.refresh_token):
        assert len(secret) > 20
        assert secret not in json.dumps(answers)
