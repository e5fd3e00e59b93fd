"""Signing in and out, forged requests, and which credential opens the admin API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from codex_pooler.config import Config
from codex_pooler.operators.commands import create_first_owner
from codex_pooler.operators.sessions import SessionStorage
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import operator_sessions, operator_tokens, operators

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, Client, MakeScript

PREFIX = "/api/admin/v1"
PASSWORD = "correct horse battery"
LOGIN = {"email": "owner@example.com", "password": PASSWORD}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
POOL = {"name": "Made in a browser"}


@pytest.fixture
async def browser(client: Client, database: Database, keyring: Keyring) -> tuple[Client, dict[str, Any]]:
    """A signed-in browser and its session."""
    await create_first_owner(database, keyring, "owner@example.com", "Ada Lovelace", PASSWORD)
    async with client.post(f"{PREFIX}/auth/login", json=LOGIN) as response:
        assert response.status == 200
        session = await response.json()
    return client, session


async def status_of(client: Client, method: str, path: str, **kwargs: Any) -> tuple[int, str | None]:
    async with client.request(method, PREFIX + path, **kwargs) as response:
        body = await response.json() if response.status != 204 else {}
        return response.status, body.get("code")


async def test_signing_in_tells_who_it_is_and_what_they_may(browser: tuple[Client, dict[str, Any]]) -> None:
    client, session = browser
    assert session["operator"]["initials"] == "AL"
    assert "pools:write" in session["capabilities"]
    async with client.get(f"{PREFIX}/session") as response:
        assert await response.json() == session
        assert response.headers["Cache-Control"] == "no-store"


async def test_nobody_is_told_so_without_an_error(client: Client) -> None:
    async with client.get(f"{PREFIX}/session") as response:
        session = await response.json()
    assert (response.status, session["authenticated"], session["bootstrap"]) == (200, False, "pending")


async def test_wrong_password_and_unknown_address_look_the_same(browser: tuple[Client, dict[str, Any]]) -> None:
    client, _ = browser
    answers = []
    for login in ({**LOGIN, "password": "wrong wrong wrong"}, {**LOGIN, "email": "nobody@example.com"}):
        async with client.post(f"{PREFIX}/auth/login", json=login) as response:
            problem = await response.json()
            answers.append((response.status, problem["code"], problem["detail"]))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_guessing_a_password_is_slowed_down(browser: tuple[Client, dict[str, Any]]) -> None:
    client, _ = browser
    wrong = {**LOGIN, "password": "wrong wrong wrong"}
    seen = [await status_of(client, "POST", "/auth/login", json=wrong) for _ in range(8)]
    assert seen[0] == (401, "not_authenticated")
    async with client.post(f"{PREFIX}/auth/login", json=LOGIN) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1


async def test_a_change_needs_the_sessions_own_token_and_site(browser: tuple[Client, dict[str, Any]]) -> None:
    client, session = browser
    token = {"X-CSRF-Token": session["csrf_token"]}
    refused = [
        {},
        SAME_ORIGIN,
        token,
        {**token, "Origin": "https://evil.example"},
        {**token, "Origin": "null"},
        {**token, "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": "forged", **SAME_ORIGIN},
    ]
    for headers in refused:
        assert await status_of(client, "POST", "/pools", json=POOL, headers=headers) == (403, "csrf_failed"), headers
    assert await status_of(client, "POST", "/pools", json=POOL, headers={**token, **SAME_ORIGIN}) == (201, None)
    origin = {"Origin": f"http://{client.host}:{client.port}"}
    assert await status_of(client, "POST", "/pools", json=POOL, headers={**token, **origin}) == (201, None)


async def test_a_copied_cookie_is_worthless_after_signing_out(browser: tuple[Client, dict[str, Any]]) -> None:
    client, session = browser
    cookie = {c.key: c.value for c in client.session.cookie_jar}["codex_pooler_session"]
    headers = {"X-CSRF-Token": session["csrf_token"], **SAME_ORIGIN}
    assert await status_of(client, "POST", "/auth/logout", headers=headers) == (204, None)
    client.session.cookie_jar.clear()
    copied = {"Cookie": f"codex_pooler_session={cookie}"}
    assert await status_of(client, "GET", "/pools", headers=copied) == (401, "not_authenticated")


async def test_signing_in_again_ends_the_session_before(browser: tuple[Client, dict[str, Any]]) -> None:
    client, _ = browser
    cookie = {c.key: c.value for c in client.session.cookie_jar}["codex_pooler_session"]
    assert await status_of(client, "POST", "/auth/login", json=LOGIN) == (200, None)
    client.session.cookie_jar.clear()
    assert (await status_of(client, "GET", "/pools", headers={"Cookie": f"codex_pooler_session={cookie}"}))[0] == 401


@pytest.mark.parametrize(
    "change",
    [
        sa.update(operators).values(status="disabled"),
        sa.delete(operators),
        sa.update(operator_sessions).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)),
    ],
    ids=["disabled", "deleted", "expired"],
)
async def test_a_session_ends_with_its_operator_and_its_time(
    browser: tuple[Client, dict[str, Any]], database: Database, change: Any
) -> None:
    client, _ = browser
    async with database.session() as session:
        await session.execute(change)
    assert await status_of(client, "GET", "/pools") == (401, "not_authenticated")


async def test_the_database_holds_neither_cookie_nor_password(
    browser: tuple[Client, dict[str, Any]], database: Database
) -> None:
    client, session = browser
    cookie = {c.key: c.value for c in client.session.cookie_jar}["codex_pooler_session"]
    async with database.session() as database_session:
        dump = repr(await database_session.fetch(sa.select(operator_sessions)))
        dump += repr(await database_session.fetch(sa.select(operators)))
    for secret in (cookie, PASSWORD, session["csrf_token"]):
        assert secret not in dump


async def test_with_an_authorization_header_the_cookie_does_not_count(browser: tuple[Client, dict[str, Any]]) -> None:
    client, _ = browser
    for value in ("Bearer nonsense", "Basic YTpi", "Bearer"):
        assert await status_of(client, "GET", "/pools", headers={"Authorization": value}) == (401, "token_invalid")


async def test_a_pool_key_does_not_open_the_admin_api(client: Client, owner: Browserless, pool: Any) -> None:
    key = await owner.post("/api-keys", {"name": "ci", "pool_id": pool["id"]})
    headers = {"Authorization": f"Bearer {key['secret']}"}
    for method, path in (("GET", "/pools"), ("POST", "/pools"), ("GET", "/session"), ("GET", "/events")):
        assert await status_of(client, method, path, headers=headers) == (401, "token_invalid")


async def test_an_expired_token_does_not_open_it_either(owner: Browserless, database: Database) -> None:
    async with database.session() as session:
        await session.execute(sa.update(operator_tokens).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert (await owner.call("GET", "/pools"))[0] == 401


async def test_a_token_is_limited_to_its_scopes_and_its_owners_role(make_script: MakeScript) -> None:
    reader = await make_script("instance_owner", scopes=("pools:read",))
    assert (await reader.call("GET", "/pools"))[0] == 200
    status, problem = await reader.call("POST", "/pools", {"name": "x"})
    assert (status, problem["code"]) == (403, "scope_missing")
    ambitious = await make_script("instance_viewer", scopes=("pools:read", "pools:write"))
    assert (await ambitious.call("POST", "/pools", {"name": "x"}))[0] == 403


async def test_the_cookie_is_tied_to_the_host_behind_tls(database: Database, config: Config) -> None:
    assert SessionStorage(database, secure=True).cookie_name.startswith("__Host-")
    params = SessionStorage(database, secure=True).cookie_params
    assert (params["secure"], params["httponly"], params["samesite"], params["path"]) == (True, True, "Lax", "/")
    assert not SessionStorage(database, secure=False).cookie_name.startswith("__Host-")
