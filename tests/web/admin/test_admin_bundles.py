"""Moving accounts: only an owner in person, only with the passphrase, and never an older login over a newer one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import sqlalchemy as sa

from codex_pooler.accounts.bundle import BundleRefused, opened_bundle, sealed_bundle
from codex_pooler.operators.commands import create_first_owner
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.queries_accounts import RENEWABLE
from codex_pooler.storage.tables import accounts

if TYPE_CHECKING:
    from tests.web.admin.conftest import Client, MakeScript

MakeAuthJson = Callable[..., dict[str, Any]]
PREFIX = "/api/admin/v1"
PASSWORD, PASSPHRASE = "correct horse battery", "a passphrase of sixteen"
PROXY = "http://anna:proxy-password@proxy.example.com:8080"


class Browser:
    """An owner in person."""

    def __init__(self, client: Client, csrf: str) -> None:
        self.client, self.headers = client, {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.client.request(method, PREFIX + path, json=body, headers=self.headers) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.call(method, path, body)
        assert status in (200, 201, 204), answer
        return answer


@pytest.fixture
async def browser(client: Client, database: Database, keyring: Keyring) -> Browser:
    await create_first_owner(database, keyring, "owner@example.com", "Ada", PASSWORD)
    async with client.post(
        f"{PREFIX}/auth/login", json={"email": "owner@example.com", "password": PASSWORD}
    ) as response:
        return Browser(client, (await response.json())["csrf_token"])


@pytest.fixture
async def account(browser: Browser, make_auth_json: MakeAuthJson) -> Any:
    pool = await browser.done("POST", "/pools", {"name": "Team"})
    imported = await browser.done(
        "POST", "/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json(), "label": "Anna"}
    )
    patch = {"notes": "from the old house", "tags": ["night"], "egress_proxy": PROXY}
    return await browser.done("PATCH", f"/upstreams/{imported['account']['id']}", patch)


async def export(browser: Browser, **more: Any) -> Any:
    return await browser.done("POST", "/upstreams/export", {"passphrase": PASSPHRASE, "password": PASSWORD, **more})


def taken(bundle: Any, **more: Any) -> dict[str, Any]:
    return {"bundle": bundle, "passphrase": PASSPHRASE, "password": PASSWORD, **more}


async def test_an_account_moves_with_all_that_belongs_to_it(
    browser: Browser, account: Any, database: Database, keyring: Keyring, make_auth_json: MakeAuthJson
) -> None:
    bundle = await export(browser, upstream_ids=[account["id"]])
    written = orjson.dumps(bundle).decode()
    for secret in (*make_auth_json()["tokens"].values(), "proxy-password", "anna@example.com"):
        assert str(secret) not in written
    await browser.done("DELETE", f"/upstreams/{account['id']}")
    dry = await browser.done("POST", "/upstreams/import-bundle", taken(bundle, dry_run=True))
    assert [item["result"] for item in dry["items"]] == ["created"]
    assert (await browser.done("GET", "/upstreams"))["items"] == []
    pool = (await browser.done("GET", "/pools"))["items"][0]
    moved = await browser.done("POST", "/upstreams/import-bundle", taken(bundle, pool_id=pool["id"]))
    (item,) = moved["items"]
    seen = await browser.done("GET", f"/upstreams/{item['upstream_id']}")
    for name in ("label", "notes", "tags", "egress_proxy", "plan", "account_ref", "email"):
        assert seen[name] == account[name], name
    assert (seen["onboarding_method"], seen["pools"][0]["id"]) == ("bundle", pool["id"])
    again = await browser.done("POST", "/upstreams/import-bundle", taken(bundle))
    assert [item["result"] for item in again["items"]] == ["kept"]


async def test_a_newer_login_is_kept_and_one_that_is_lost_is_replaced(
    browser: Browser, account: Any, database: Database
) -> None:
    bundle = await export(browser)
    assert (await browser.done("POST", "/upstreams/import-bundle", taken(bundle)))["items"][0]["result"] == "kept"
    async with database.session() as session:
        await session.execute(sa.update(accounts).values(state="reauth_required", refresh_refused=True))
    assert (await browser.done("POST", "/upstreams/import-bundle", taken(bundle)))["items"][0]["result"] == "updated"
    assert (await browser.done("GET", f"/upstreams/{account['id']}"))["status"] == "active"


async def test_what_is_left_to_another_installation_is_not_renewed_here(
    browser: Browser, account: Any, database: Database
) -> None:
    await export(browser, disable=True)
    seen = await browser.done("GET", f"/upstreams/{account['id']}")
    assert (seen["status"], seen["status_reason"]) == ("disabled", "exported")
    async with database.session() as session:
        assert await session.fetch(RENEWABLE) == []
        await session.execute(
            sa.update(accounts).values(
                state="active", refresh_leased_until=sa.func.now() + sa.text("interval '1 minute'")
            )
        )
    body = {"passphrase": PASSPHRASE, "password": PASSWORD}
    assert (await browser.call("POST", "/upstreams/export", body))[1]["code"] == "not_exportable"


async def test_only_an_owner_in_person_with_their_password(
    browser: Browser, account: Any, make_script: MakeScript
) -> None:
    body = {"passphrase": PASSPHRASE, "password": PASSWORD}
    script = await make_script()
    assert (await script.call("POST", "/upstreams/export", body))[0] == 403
    admin = await make_script("instance_admin")
    assert (await admin.call("POST", "/upstreams/import-bundle", taken({})))[0] == 403
    status, problem = await browser.call("POST", "/upstreams/export", {**body, "password": "wrong"})
    assert (status, problem["code"]) == (403, "password_wrong")
    while status != 429:
        status, problem = await browser.call("POST", "/upstreams/export", {**body, "password": "wrong"})
    assert (status, problem["code"]) == (429, "login_throttled")
    events = (await script.get("/audit-logs?action=upstream_account.export"))["items"]
    assert {(event["outcome"], event["reason"]) for event in events} == {("failure", "wrong_password")}


async def test_an_export_is_written_down_with_who_went(browser: Browser, account: Any, make_script: MakeScript) -> None:
    await export(browser)
    (event,) = (await (await make_script()).get("/audit-logs?action=upstream_account.export"))["items"]
    assert event["details"] == {"count": 1, "paused": False, "exported": ["Anna"]}
    assert event["actor"]["label"] == "Ada"


async def test_a_wrong_passphrase_and_a_changed_head_open_nothing() -> None:
    bundle = await sealed_bundle([{"label": "a"}], PASSPHRASE, "now")
    assert await opened_bundle(bundle, PASSPHRASE) == [{"label": "a"}]
    for changed, passphrase, code in (
        (bundle, "another passphrase!", "wrong_passphrase"),
        ({**bundle, "accounts": 2}, PASSPHRASE, "wrong_passphrase"),
        ({**bundle, "version": 2}, PASSPHRASE, "unsupported_bundle"),
        ({**bundle, "kdf": {**bundle["kdf"], "memory_kib": 1 << 30}}, PASSPHRASE, "invalid_bundle"),
        ({**bundle, "kdf": {**bundle["kdf"], "iterations": 10**6}}, PASSPHRASE, "invalid_bundle"),
        ({**bundle, "ciphertext": "!"}, PASSPHRASE, "invalid_bundle"),
        ({**bundle, "cipher": []}, PASSPHRASE, "invalid_bundle"),
        ({}, PASSPHRASE, "invalid_bundle"),
        ([], PASSPHRASE, "invalid_bundle"),
    ):
        with pytest.raises(BundleRefused) as refused:
            await opened_bundle(changed, passphrase)
        assert refused.value.code == code


async def test_accounts_in_a_bundle_that_make_no_sense_fail_alone(browser: Browser, account: Any) -> None:
    contents: list[dict[str, Any]] = [
        {},
        {"label": "x", "tokens": "no"},
        {"label": "y", "tokens": {}, "credential_kind": "oauth"},
    ]
    bundle = await sealed_bundle(contents, PASSPHRASE, "now")
    answer = await browser.done("POST", "/upstreams/import-bundle", taken(bundle))
    assert [(item["result"], item["code"]) for item in answer["items"]] == [("failed", "invalid_account")] * 3
