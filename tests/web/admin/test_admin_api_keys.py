"""Pool API keys over the admin API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import api_keys

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless


@pytest.fixture
async def key(owner: Browserless, pool: Any) -> Any:
    return await owner.post("/api-keys", {"name": "ci", "pool_id": pool["id"]})


async def test_the_secret_is_shown_once_and_only_its_digest_is_kept(
    owner: Browserless, key: Any, database: Database, keyring: Keyring
) -> None:
    later = json.dumps([await owner.get("/api-keys"), await owner.get(f"/api-keys/{key['id']}")])
    async with database.session() as session:
        (row,) = await session.fetch(sa.select(api_keys))
    assert "secret" not in later
    assert key["secret"][-43:] not in later + repr(row)
    assert row.digest == keyring.digest("api_key", key["secret"])
    assert (key["status"], key["models"]) == ("active", {"mode": "all", "ids": []})


async def test_rotation_replaces_the_secret(owner: Browserless, key: Any, database: Database, keyring: Keyring) -> None:
    rotated = await owner.post(f"/api-keys/{key['id']}/rotate")
    assert rotated["secret"] != key["secret"]
    assert rotated["prefix"] != key["prefix"]
    async with database.session() as session:
        (row,) = await session.fetch(sa.select(api_keys))
    assert row.digest == keyring.digest("api_key", rotated["secret"])


async def test_states_move_only_where_they_can(owner: Browserless, key: Any) -> None:
    path = f"/api-keys/{key['id']}"
    assert (await owner.call("POST", f"{path}/resume"))[1]["code"] == "invalid_state_transition"
    assert (await owner.call("DELETE", path))[1]["code"] == "invalid_state_transition"
    assert (await owner.post(f"{path}/pause"))["status"] == "paused"
    assert (await owner.post(f"{path}/resume"))["status"] == "active"
    revoked = await owner.post(f"{path}/revoke")
    assert [entry["action"] for entry in revoked["allowed_actions"] if entry["enabled"]] == ["delete"]
    for action in ("pause", "resume", "revoke", "rotate"):
        assert (await owner.call("POST", f"{path}/{action}"))[0] == 409
    assert (await owner.call("PATCH", path, {"name": "x"}))[0] == 409
    assert (await owner.call("DELETE", path))[0] == 204


async def test_an_expired_key_can_be_extended(owner: Browserless, key: Any, database: Database) -> None:
    async with database.session() as session:
        await session.execute(sa.update(api_keys).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    path = f"/api-keys/{key['id']}"
    assert (await owner.get(path))["status"] == "expired"
    assert (await owner.call("PATCH", path, {"expires_at": None}))[1]["status"] == "active"


async def test_an_expiry_in_the_past_is_refused(owner: Browserless, pool: Any, key: Any) -> None:
    body = {"name": "x", "pool_id": pool["id"], "expires_at": "2020-01-01T00:00:00Z"}
    status, problem = await owner.call("POST", "/api-keys", body)
    assert (status, problem["errors"][0]["pointer"]) == (422, "/expires_at")


async def test_models_can_be_limited_and_freed_again(owner: Browserless, key: Any) -> None:
    path = f"/api-keys/{key['id']}"
    _, limited = await owner.call("PATCH", path, {"allowed_models": ["gpt-5-codex"]})
    assert limited["models"] == {"mode": "selected", "ids": ["gpt-5-codex"]}
    _, renamed = await owner.call("PATCH", path, {"name": "new"})
    assert renamed["models"]["mode"] == "selected"
    _, freed = await owner.call("PATCH", path, {"allowed_models": None})
    assert freed["models"] == {"mode": "all", "ids": []}


async def test_two_edits_of_the_same_version_do_not_both_win(owner: Browserless, key: Any) -> None:
    path, headers = f"/api-keys/{key['id']}", {"If-Match": f'"{key["version"]}"'}
    assert (await owner.call("PATCH", path, {"name": "first"}, headers=headers))[0] == 200
    assert (await owner.call("PATCH", path, {"name": "second"}, headers=headers))[0] == 412
