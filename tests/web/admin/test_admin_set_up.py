"""Setting an instance up: by script as promised, and by the first visitor, exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from codex_pooler.keys.lookup import authenticate
from codex_pooler.operators.commands import create_first_owner, create_token
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.context import WebContext

if TYPE_CHECKING:
    from tests.web.admin.conftest import Client

PREFIX = "/api/admin/v1"
PASSWORD = "correct horse battery"
FIRST_OWNER = {"email": "Owner@Example.com", "password": PASSWORD}
TOKEN = "bootstrap-token-of-the-tests"
FAR_AWAY = {"X-Forwarded-For": "203.0.113.7"}


async def test_an_instance_is_set_up_by_script_and_its_key_is_known_to_the_gateway(
    client: Client, database: Database, keyring: Keyring, make_auth_json: Callable[..., dict[str, Any]]
) -> None:
    await create_first_owner(database, keyring, "owner@example.com", None, PASSWORD)
    token = await create_token(database, keyring, "owner@example.com", "set-up", 90)
    headers = {"Authorization": f"Bearer {token}"}

    async def post(path: str, body: dict[str, Any]) -> Any:
        async with client.post(PREFIX + path, json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return await response.json()

    login = make_auth_json()
    pool = await post("/pools", {"name": "Team"})
    imported = await post("/upstreams/import", {"pool_id": pool["id"], "auth_json": login})
    key = await post("/api-keys", {"name": "ci", "pool_id": pool["id"]})
    assert imported["result"] == "created"
    assert key["secret"].startswith(key["prefix"] + "-")

    snapshot = SnapshotHolder(database, keyring.upstream)
    await snapshot.refresh()
    found = authenticate({"Authorization": f"Bearer {key['secret']}"}, snapshot.current, keyring)
    assert str(found.id) == key["id"]
    assert found.pool.members[0].account.access_token == login["tokens"]["access_token"]


async def test_the_first_visitor_on_the_machine_becomes_owner_without_a_token(client: Client) -> None:
    async with client.get(f"{PREFIX}/bootstrap") as response:
        before = await response.json()
    assert before == {"state": "pending", "token_required": False, "min_password_length": 12}
    async with client.post(f"{PREFIX}/bootstrap", json={**FIRST_OWNER, "timezone": "Europe/Rome"}) as response:
        session = await response.json()
        assert response.status == 201
    assert session["authenticated"]
    assert session["operator"]["email"] == "owner@example.com"
    assert session["operator"]["timezone"] == "Europe/Rome"
    assert session["pool_scope"] == {"all": True, "pool_ids": []}
    async with client.get(f"{PREFIX}/pools") as response:
        assert response.status == 200
    async with client.get(f"{PREFIX}/bootstrap") as response:
        assert (await response.json())["state"] == "completed"


@pytest.mark.parametrize("headers", [FAR_AWAY, {"Host": "evil.example"}], ids=["proxied", "rebound name"])
async def test_a_visitor_from_elsewhere_needs_the_token(client: Client, headers: dict[str, str]) -> None:
    async with client.get(f"{PREFIX}/bootstrap", headers=headers) as response:
        assert (await response.json())["token_required"]
    for token in (None, "wrong"):
        body = {**FIRST_OWNER, "token": token}
        async with client.post(f"{PREFIX}/bootstrap", json=body, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["code"] == "bootstrap_token_invalid"
    async with client.post(f"{PREFIX}/bootstrap", json={**FIRST_OWNER, "token": TOKEN}, headers=headers) as response:
        assert response.status == 201


async def test_guessing_the_bootstrap_token_is_slowed_down(client: Client) -> None:
    async def guess() -> int:
        async with client.post(
            f"{PREFIX}/bootstrap", json={**FIRST_OWNER, "token": "guess"}, headers=FAR_AWAY
        ) as response:
            return response.status

    assert [await guess() for _ in range(6)] == [403] * 5 + [429]


async def test_twenty_visitors_at_once_make_one_owner(client: Client) -> None:
    async def visit(number: int) -> int:
        body = {**FIRST_OWNER, "email": f"o{number}@example.com"}
        async with client.post(f"{PREFIX}/bootstrap", json=body) as response:
            return response.status

    statuses = await asyncio.gather(*(visit(number) for number in range(20)))
    assert sorted(statuses) == [201] + [409] * 19


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "owner@example.com"])
async def test_a_weak_first_password_is_refused_at_its_field(client: Client, password: str) -> None:
    body = {"email": "owner@example.com", "password": password}
    async with client.post(f"{PREFIX}/bootstrap", json=body) as response:
        problem = await response.json()
    assert response.status == 422
    assert problem["errors"][0]["pointer"] == "/password"


async def test_a_form_on_another_site_cannot_set_the_instance_up(client: Client, context: WebContext) -> None:
    headers = {"Origin": "https://evil.example"}
    async with client.post(f"{PREFIX}/bootstrap", json=FIRST_OWNER, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (403, "csrf_failed")
