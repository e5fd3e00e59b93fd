"""Upstream accounts over the admin API."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from codex_pooler.storage.database import Database
from codex_pooler.storage.tables import account_secrets, accounts

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, LogTurns, MakeScript

MakeAuthJson = Callable[..., dict[str, Any]]


async def test_an_imported_account_is_shown_without_its_secrets(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database
) -> None:
    login = make_auth_json(email="anna@example.com")
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": json.dumps(login)})
    account = imported["account"]
    assert (account["email"], account["label"], account["plan"]["label"]) == ("a***@example.com", "anna", "Plus")
    assert account["readiness"] == {"state": "ready", "label": "Ready", "until": None}
    assert account["pools"] == [{"id": pool["id"], "name": "Team"}]
    shown = json.dumps(imported) + json.dumps(await owner.get("/upstreams"))
    async with database.session() as session:
        stored = repr(await session.fetch(sa.select(account_secrets))) + repr(await session.fetch(sa.select(accounts)))
    for secret in ("rt-secret-of-the-test", login["tokens"]["access_token"], login["tokens"]["id_token"]):
        assert secret not in shown
        assert secret not in stored
    assert "acct-1" not in shown


async def test_importing_again_renews_the_login_and_keeps_what_the_operator_chose(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson
) -> None:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json(), "label": "Mine"}
    first = await owner.post("/upstreams/import", body)
    account = first["account"]["id"]
    path = f"/pools/{pool['id']}/assignments/{account}"
    await owner.call("PATCH", path, {"priority": 7})
    status, second = await owner.call("POST", "/upstreams/import", {**body, "label": "Other"})
    assert (status, second["result"], second["account"]["id"]) == (200, "updated", account)
    assert second["account"]["label"] == "Mine"
    assert (await owner.get(f"/pools/{pool['id']}"))["members"][0]["priority"] == 7
    assert len((await owner.get("/upstreams"))["items"]) == 1


async def test_a_pause_survives_a_new_login_and_a_needed_login_does_not(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database
) -> None:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json()}
    account = (await owner.post("/upstreams/import", body))["account"]
    await owner.post(f"/upstreams/{account['id']}/pause")
    assert (await owner.post("/upstreams/import", body))["account"]["status"] == "paused"
    async with database.session() as session:
        await session.execute(sa.update(accounts).values(state="reauth_required", state_reason="token_revoked"))
    renewed = (await owner.post("/upstreams/import", body))["account"]
    assert (renewed["status"], renewed["status_reason"]) == ("active", None)


async def test_a_broken_file_says_what_to_do(owner: Browserless, pool: Any, make_auth_json: MakeAuthJson) -> None:
    login = make_auth_json(lifetime=-5)
    status, problem = await owner.call("POST", "/upstreams/import", {"pool_id": pool["id"], "auth_json": login})
    assert (status, problem["code"]) == (422, "expired_token")
    assert problem["errors"][0]["pointer"] == "/auth_json"
    assert "codex login" in problem["detail"]


@pytest.mark.parametrize("given", ["x" * 70_000, {"pad": "x" * 70_000}, [], 5, "[[[[", {"a": 1}])
async def test_something_else_than_an_auth_json_is_refused(owner: Browserless, pool: Any, given: Any) -> None:
    status, problem = await owner.call("POST", "/upstreams/import", {"pool_id": pool["id"], "auth_json": given})
    assert status == 422
    assert problem["code"] in ("invalid_auth_json", "missing_tokens")


async def test_states_move_only_where_they_can(owner: Browserless, pool: Any, make_auth_json: MakeAuthJson) -> None:
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    path = f"/upstreams/{imported['account']['id']}"
    assert (await owner.call("POST", f"{path}/reactivate"))[1]["code"] == "invalid_state_transition"
    paused = await owner.post(f"{path}/pause")
    assert (paused["status"], paused["readiness"]["state"]) == ("paused", "paused")
    actions = {entry["action"]: entry["enabled"] for entry in paused["allowed_actions"]}
    possible = ("reactivate", "refresh", "probe", "relink", "replace", "rename", "assign", "delete")
    assert actions == {action: action in possible for action in ("pause", "drain", "reinvite", "export", *possible)}
    assert (await owner.call("POST", f"{path}/pause"))[0] == 409
    assert (await owner.post(f"{path}/reactivate"))["status"] == "active"


async def test_deleting_needs_the_right_label_when_one_is_typed(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database
) -> None:
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    path = f"/upstreams/{imported['account']['id']}"
    assert (await owner.call("PATCH", path, {"label": "Anna's"}))[1]["label"] == "Anna's"
    status, problem = await owner.call("DELETE", path, {"confirm_label": "Anna"})
    assert (status, problem["errors"][0]["code"]) == (422, "confirmation_mismatch")
    assert (await owner.call("DELETE", path, {"confirm_label": "Anna's"}))[0] == 204
    assert (await owner.call("DELETE", path))[0] == 404
    async with database.session() as session:
        assert await session.fetch(sa.select(account_secrets)) == []


async def test_an_admin_cannot_break_an_account_of_others_with_a_forged_login(
    owner: Browserless, pool: Any, make_script: MakeScript, make_auth_json: MakeAuthJson
) -> None:
    await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    other = await owner.post("/pools", {"name": "Other"})
    admin = await make_script("instance_admin", other["id"])
    body = {"pool_id": other["id"], "auth_json": make_auth_json()}
    status, problem = await admin.call("POST", "/upstreams/import", body)
    assert (status, problem["code"]) == (409, "identity_conflict")
    assert (await admin.get("/upstreams"))["items"] == []


async def test_an_admin_sees_a_shared_account_but_leaves_it_alone(
    owner: Browserless, pool: Any, make_script: MakeScript, make_auth_json: MakeAuthJson
) -> None:
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    other = await owner.post("/pools", {"name": "Other"})
    await owner.post(f"/pools/{other['id']}/assignments", {"account_id": imported["account"]["id"]})
    admin = await make_script("instance_admin", other["id"])
    (seen,) = (await admin.get("/upstreams"))["items"]
    assert seen["pools"] == [{"id": other["id"], "name": "Other"}]
    assert not any(entry["enabled"] for entry in seen["allowed_actions"])
    assert (await admin.call("POST", f"/upstreams/{seen['id']}/pause"))[0] == 403


async def test_usage_and_last_use_count_only_visible_pools(
    owner: Browserless, pool: Any, make_script: MakeScript, make_auth_json: MakeAuthJson, log_turns: LogTurns
) -> None:
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    account = imported["account"]["id"]
    other = await owner.post("/pools", {"name": "Other"})
    await owner.post(f"/pools/{other['id']}/assignments", {"account_id": account})
    await log_turns(1, pool_id=pool["id"], account_id=account, admitted_at=datetime.now(UTC) - timedelta(minutes=1))
    assert (await owner.get(f"/upstreams/{account}"))["usage"]["last_used_at"] is not None
    admin = await make_script("instance_admin", other["id"])
    assert (await admin.get(f"/upstreams/{account}"))["usage"]["last_used_at"] is None
