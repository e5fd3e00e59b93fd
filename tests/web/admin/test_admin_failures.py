"""Requests that are wrong, too large or hostile, and a database that is away: always a clear problem document."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from codex_pooler.operators.commands import create_token
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.admin.app import admin_app, as_problem
from codex_pooler.web.context import WebContext

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, Client, MakeOperator

PREFIX = "/api/admin/v1"
JSON = {"Content-Type": "application/json"}


async def raw(owner: Browserless, data: bytes, **headers: str) -> tuple[int, str]:
    sent = {**owner.headers, **JSON, **headers}
    async with owner.client.post(f"{PREFIX}/pools", data=io.BytesIO(data), headers=sent) as response:
        return response.status, (await response.json())["code"]


async def test_a_problem_document_has_every_field(owner: Browserless) -> None:
    headers = {**owner.headers, "X-Request-Id": "mine-1"}
    async with owner.client.get(f"{PREFIX}/pools/unknown", headers=headers) as response:
        problem = await response.json()
        assert response.content_type == "application/problem+json"
        assert response.headers["X-Request-Id"] == "mine-1"
    assert problem == {
        "type": "urn:codex-pooler:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": problem["detail"],
        "instance": f"{PREFIX}/pools/unknown",
        "code": "not_found",
        "request_id": "mine-1",
        "errors": [],
    }


HOSTILE_BODIES = [
    (b"", (400, "malformed_json")),
    (b"{", (400, "malformed_json")),
    (b'{"name": NaN}', (400, "malformed_json")),
    (b"\xff\xfe", (400, "malformed_json")),
    (b'{"name":"a\\u0000b"}', (400, "malformed_json")),
    (b"[" * 500_000, (400, "malformed_json")),
    (b'{"name":' * 100_000, (400, "malformed_json")),
    (b"[]", (422, "validation_failed")),
    (b"null", (422, "validation_failed")),
    (b'"name"', (422, "validation_failed")),
    (b" " * (1024 * 1024 + 1), (413, "body_too_large")),
]


async def test_a_hostile_body_is_refused(owner: Browserless) -> None:
    for body, expected in HOSTILE_BODIES:
        assert await raw(owner, body) == expected, body[:40]


async def test_another_content_type_is_refused(owner: Browserless) -> None:
    assert await raw(owner, b'{"name":"x"}', **{"Content-Type": "text/plain"}) == (415, "unsupported_media_type")


async def test_a_merge_patch_is_a_patch(owner: Browserless, pool: Any) -> None:
    headers = {**owner.headers, "Content-Type": "application/merge-patch+json"}
    url = f"{PREFIX}/pools/{pool['id']}"
    async with owner.client.patch(url, data=b'{"description":"d"}', headers=headers) as response:
        assert (await response.json())["description"] == "d"


async def test_unknown_paths_and_methods_are_told_apart(owner: Browserless) -> None:
    assert (await owner.call("GET", "/nothing"))[1]["code"] == "not_found"
    status, problem = await owner.call("PUT", "/pools")
    assert (status, problem["code"]) == (405, "method_not_allowed")


async def test_unknown_parameters_are_told_everywhere(owner: Browserless) -> None:
    assert (await owner.call("GET", "/pools?limit=5"))[1]["code"] == "unknown_parameter"


async def test_without_the_database_every_page_says_so(
    context: WebContext, database: Database, keyring: Keyring, make_operator: MakeOperator, dsn: str
) -> None:
    await make_operator("a@example.com")
    token = await create_token(database, keyring, "a@example.com", "t", 1)
    away = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.3)
    async with away.session() as held:  # a pool without a free connection is as good as away
        await held.run("SELECT 1")
        root = web.Application()
        root.add_subapp(PREFIX, admin_app(replace(context, database=away)))
        async with TestClient(TestServer(root)) as client:
            for path in ("/pools", "/session", "/bootstrap", "/request-logs"):
                async with client.get(PREFIX + path, headers={"Authorization": f"Bearer {token}"}) as response:
                    problem = await response.json()
                    assert (response.status, problem["code"]) == (503, "database_unavailable")
                    assert response.headers["Retry-After"]
    await away.close()


async def test_a_new_configuration_is_in_the_snapshot_before_the_answer(
    context: WebContext, owner: Browserless, aiohttp_client: Any
) -> None:
    refreshed: list[str] = []

    async def refresh() -> None:
        refreshed.append("now")

    root = web.Application()
    root.add_subapp(PREFIX, admin_app(replace(context, refresh_snapshot=refresh)))
    client: Client = await aiohttp_client(TestServer(root))
    async with client.post(f"{PREFIX}/pools", json={"name": "x"}, headers=owner.headers) as response:
        assert response.status == 201
    assert refreshed == ["now"]
    async with client.post(f"{PREFIX}/pools", json={"name": ""}, headers=owner.headers) as response:
        assert response.status == 422
    assert refreshed == ["now"]


def test_an_unforeseen_failure_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    problem = as_problem(KeyError("a secret"))
    assert (problem.status, problem.code) == (500, "internal_error")
    assert "secret" not in problem.detail
    assert "admin request failed" in caplog.text
