"""Logins come in over the admin API by every way, each mistake is answered, and nothing secret comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import sqlalchemy as sa

from codex_pooler.config import Config
from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import World, new_world
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import account_secrets, accounts, audit_events

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, MakeScript

MakeAuthJson = Callable[..., dict[str, Any]]


@dataclass
class SignInServer:
    """The simulated world that this file's gateway signs in at."""

    world: World
    origin: str

    async def browse(self, flow: Any, account: str = "acct-1") -> str:
        """Sign in; the address that the browser ends at."""
        url = f"{flow['authorize_url']}&auto_account={account}"
        async with aiohttp.ClientSession() as http, http.get(url, allow_redirects=False) as answer:
            return str(answer.headers["location"])

    async def approve(self, flow: Any, **answer: Any) -> None:
        body = {"user_code": flow["user_code"], **answer}
        async with aiohttp.ClientSession() as http, http.post(f"{self.origin}/__control/devices", json=body) as done:
            assert done.status == 200

    def token(self, account: str = "acct-1") -> str:
        return self.world.accounts[account].personal_token


@pytest.fixture
async def server() -> AsyncIterator[SignInServer]:
    world = new_world(seed=7, accounts=2)
    world.settings.device_interval_s = 1
    async with running(world) as origin:
        yield SignInServer(world, origin)


@pytest.fixture
def config(tmp_path: Path, server: SignInServer) -> Config:
    return Config(
        state_dir=tmp_path, secret_key="s" * 32, chatgpt_url=server.origin, auth_url=server.origin, http_port=0
    )


async def rows(database: Database, table: sa.Table) -> list[Any]:
    async with database.session() as session:
        return await session.fetch(sa.select(table))


# -- sign-ins


async def test_a_sign_in_by_browser_from_the_link_to_the_account(
    owner: Browserless, pool: Any, server: SignInServer, database: Database
) -> None:
    flow = await owner.post("/oauth-flows", {"kind": "browser", "pool_id": pool["id"]})
    assert set(flow) == {
        *("id", "kind", "state", "pool", "upstream_id", "authorize_url", "user_code", "verification_url"),
        *("interval_s", "expires_at", "error", "result"),
    }
    assert (flow["state"], flow["pool"]) == ("pending", {"id": pool["id"], "name": "Team"})
    assert (await owner.get(f"/oauth-flows/{flow['id']}"))["authorize_url"] == flow["authorize_url"]
    done = await owner.post(f"/oauth-flows/{flow['id']}/callback", {"callback_url": await server.browse(flow)})
    assert (done["state"], done["authorize_url"], done["result"]["created"]) == ("completed", None, True)
    account = await owner.get(f"/upstreams/{done['result']['upstream_id']}")
    assert (account["label"], account["onboarding_method"], account["status"]) == ("acct-1", "browser", "active")
    (event,) = [row for row in await rows(database, audit_events) if "link" in row.action]
    assert (event.action, str(event.target_id)) == ("upstream_account.oauth_browser_link", account["id"])
    assert event.details["created"] is True


async def test_a_device_code_is_polled_by_looking_at_it(
    owner: Browserless, pool: Any, server: SignInServer, database: Database
) -> None:
    flow = await owner.post("/oauth-flows", {"kind": "device", "pool_id": pool["id"]})
    assert flow["verification_url"] == f"{server.origin}/codex/device"
    await server.approve(flow, account="acct-2")
    done = await owner.get(f"/oauth-flows/{flow['id']}")
    assert (done["state"], done["user_code"], done["error"]) == ("completed", None, None)
    assert [row.label for row in await rows(database, accounts)] == ["acct-2"]
    assert "upstream_account.oauth_device_link" in {row.action for row in await rows(database, audit_events)}


async def test_a_denied_device_code_tells_so_in_the_flow(owner: Browserless, pool: Any, server: SignInServer) -> None:
    flow = await owner.post("/oauth-flows", {"kind": "device", "pool_id": pool["id"]})
    await server.approve(flow, denied=True)
    done = await owner.get(f"/oauth-flows/{flow['id']}")
    assert (done["state"], done["error"]["code"]) == ("failed", "access_denied")
    assert "Start the sign-in again" in done["error"]["detail"]


@pytest.mark.parametrize(
    ("callback", "status", "code"),
    [
        ("nonsense", 400, "invalid_callback_url"),
        ("http://localhost:1/auth/callback?code=a&state=b", 400, "invalid_callback_origin"),
        ("http://localhost:1455/auth/callback?code=a", 400, "missing_state"),
        ("http://localhost:1455/auth/callback?code=a&code=a&state=b", 400, "duplicate_callback_param"),
        ("http://localhost:1455/auth/callback?state=b", 400, "missing_callback_result"),
        ("http://localhost:1455/auth/callback?code=secret-code&state=secret-state", 400, "invalid_state"),
    ],
)
async def test_scenario_33_mistakes_are_problems_that_repeat_nothing(
    owner: Browserless, pool: Any, callback: str, status: int, code: str
) -> None:
    flow = await owner.post("/oauth-flows", {"kind": "browser", "pool_id": pool["id"]})
    answer = await owner.call("POST", f"/oauth-flows/{flow['id']}/callback", {"callback_url": callback})
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert "secret" not in json.dumps(answer[1])
    assert set(answer[1]) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}


async def test_a13_the_flows_of_others_are_not_there(
    owner: Browserless, pool: Any, make_script: MakeScript, server: SignInServer
) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    admin = await make_script("instance_admin", other["id"])
    flow = await owner.post("/oauth-flows", {"kind": "browser", "pool_id": pool["id"]})
    url = {"callback_url": await server.browse(flow)}
    for method, path, body in (("GET", "", None), ("POST", "/callback", url), ("DELETE", "", None)):
        status, problem = await admin.call(method, f"/oauth-flows/{flow['id']}{path}", body)
        assert (status, problem["code"]) == (404, "not_found")
    mine = await admin.post("/oauth-flows", {"kind": "browser", "pool_id": other["id"]})
    status, problem = await admin.call("POST", f"/oauth-flows/{mine['id']}/callback", url)
    assert (status, problem["code"]) == (400, "invalid_state"), "not even through one's own flow"
    denied = await admin.call("POST", "/oauth-flows", {"kind": "browser", "pool_id": pool["id"]})
    assert (denied[0], denied[1]["code"]) == (403, "unauthorized_pool")
    assert (await owner.get(f"/oauth-flows/{flow['id']}"))["state"] == "pending"


async def test_a_flow_can_be_given_up(owner: Browserless, pool: Any) -> None:
    flow = await owner.post("/oauth-flows", {"kind": "device", "pool_id": pool["id"]})
    assert (await owner.call("DELETE", f"/oauth-flows/{flow['id']}"))[0] == 204
    assert (await owner.get(f"/oauth-flows/{flow['id']}"))["state"] == "cancelled"
    assert (await owner.call("DELETE", f"/oauth-flows/{flow['id']}"))[0] == 204


async def test_relinking_needs_the_right_to_the_account_and_the_same_person(
    owner: Browserless, pool: Any, make_script: MakeScript, server: SignInServer
) -> None:
    body = {"pool_id": pool["id"], "auth_json": server.world.auth_json(server.world.accounts["acct-1"])}
    account = (await owner.post("/upstreams/import", body))["account"]
    await owner.post(f"/upstreams/{account['id']}/pause")
    asked = {"kind": "browser", "pool_id": pool["id"], "upstream_id": account["id"]}
    other = await owner.post("/pools", {"name": "Other"})
    admin = await make_script("instance_admin", other["id"])
    assert (await admin.call("POST", "/oauth-flows", {**asked, "pool_id": other["id"]}))[0] == 404
    flow = await owner.post("/oauth-flows", asked)
    url = {"callback_url": await server.browse(flow, "acct-2")}
    status, problem = await owner.call("POST", f"/oauth-flows/{flow['id']}/callback", url)
    assert (status, problem["code"]) == (409, "identity_mismatch")
    flow = await owner.post("/oauth-flows", asked)
    done = await owner.post(f"/oauth-flows/{flow['id']}/callback", {"callback_url": await server.browse(flow)})
    assert done["result"] == {"upstream_id": account["id"], "created": False}
    assert (await owner.get(f"/upstreams/{account['id']}"))["status"] == "paused", "a pause survives"


# -- access tokens


async def test_an_access_token_is_an_account_that_is_never_renewed(
    owner: Browserless, pool: Any, server: SignInServer, database: Database
) -> None:
    server.world.accounts["acct-1"].fedramp = True
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    body = {"pool_id": pool["id"], "access_token": f" {server.token()}\n", "expires_at": until, "label": "CI"}
    status, imported = await owner.call("POST", "/upstreams/import", body)
    account = imported["account"]
    assert (status, account["label"], account["onboarding_method"]) == (201, "CI", "access_token")
    assert (account["credential"]["kind"], account["readiness"]["state"]) == ("pat", "ready")
    refresh = account["credential"]["refresh"]
    assert (refresh["state"], refresh["next_attempt_at"]) == ("ok", None)
    (row,) = await rows(database, accounts)
    assert (row.credential_kind, row.is_fedramp, row.email) == ("pat", True, "acct-1@example.com")
    assert [one.kind for one in await rows(database, account_secrets)] == ["access"]
    assert server.token() not in json.dumps(imported)
    again = await owner.call("POST", "/upstreams/import", body)
    assert (again[0], again[1]["result"]) == (200, "updated")


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"access_token": "eyJhbGciOiJub25lIn0.e30.x"}, 422, "invalid_access_token", "/access_token"),
        ({"access_token": "at-" + "a" * 40}, 422, "access_token_refused", "/access_token"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "access_token_expired", "/access_token"),
        ({"auth_json": {}}, 422, "validation_failed", "/auth_json"),
        ({"egress_proxy": "http://127.0.0.1:9"}, 502, "egress_proxy_failed", "/access_token"),
        ({"egress_proxy": "gopher://secret@x"}, 422, "invalid_egress_proxy", None),
    ],
)
async def test_access_tokens_that_do_not_work_say_why(
    owner: Browserless, pool: Any, server: SignInServer, change: dict[str, Any], status: int, code: str, pointer: Any
) -> None:
    body = {"pool_id": pool["id"], "access_token": server.token(), **change}
    answer = await owner.call("POST", "/upstreams/import", body)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert [error["pointer"] for error in answer[1]["errors"]] == ([pointer] if pointer else [])
    assert body["access_token"] not in json.dumps(answer[1])
    assert (await owner.get("/upstreams"))["items"] == []


async def test_a_login_of_another_kind_leaves_no_old_tokens(
    owner: Browserless, pool: Any, server: SignInServer, database: Database
) -> None:
    login = server.world.auth_json(server.world.accounts["acct-1"])
    account = (await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": login}))["account"]
    path = f"/upstreams/{account['id']}/credentials"
    status, changed = await owner.call("PUT", path, {"access_token": server.token()})
    assert (status, changed["credential"]["kind"]) == (200, "pat")
    assert [one.kind for one in await rows(database, account_secrets)] == ["access"]
    status, back = await owner.call("PUT", path, {"auth_json": json.dumps(login)})
    assert (status, back["credential"]["kind"], back["label"]) == (200, "oauth", account["label"])
    assert {one.kind for one in await rows(database, account_secrets)} == {"access", "refresh", "id"}
    (row,) = await rows(database, accounts)
    assert row.credential_epoch == 3


# -- files


async def test_replacing_credentials_keeps_the_account_and_refuses_others(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, make_script: MakeScript
) -> None:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json(), "label": "Mine"}
    account = (await owner.post("/upstreams/import", body))["account"]
    path = f"/upstreams/{account['id']}/credentials"
    status, problem = await owner.call("PUT", path, {"auth_json": make_auth_json("acct-2", email="bo@example.com")})
    assert (status, problem["code"]) == (409, "identity_mismatch")
    assert "a***@example.com" in problem["detail"]
    status, kept = await owner.call("PUT", path, {"auth_json": make_auth_json(lifetime=7200)})
    assert (status, kept["label"], kept["id"]) == (200, "Mine", account["id"])
    stale = await owner.call("PUT", path, {"auth_json": make_auth_json()}, headers={"If-Match": '"1"'})
    assert stale[0] == 412
    other = await owner.post("/pools", {"name": "Other"})
    admin = await make_script("instance_admin", other["id"])
    assert (await admin.call("PUT", path, {"auth_json": make_auth_json()}))[0] == 404
    await owner.post(f"/pools/{other['id']}/assignments", {"account_id": account["id"]})
    assert (await admin.call("PUT", path, {"auth_json": make_auth_json()}))[0] == 403


async def test_many_files_are_imported_each_for_itself(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson
) -> None:
    one, two, three = (make_auth_json(f"acct-{n}", user=f"u{n}", email=f"p{n}@example.com") for n in range(3))
    documents = [
        json.dumps(one, indent=2),
        f"{json.dumps(two)}\n{json.dumps(make_auth_json(lifetime=-60))}\n",
        json.dumps([three, one]),
        "not a login",
    ]
    answer = await owner.post("/upstreams/import-many", {"pool_id": pool["id"], "documents": documents})
    told = [(item["index"], item["position"], item["result"]) for item in answer["items"]]
    assert told == [
        (0, 0, "created"),
        (1, 0, "created"),
        (1, 1, "failed"),
        (2, 0, "created"),
        (2, 1, "updated"),
        (3, 0, "failed"),
    ]
    failed = [item["problem"] for item in answer["items"] if item["problem"]]
    assert [problem["code"] for problem in failed] == ["expired_token", "invalid_auth_json"]
    assert "codex login" in failed[0]["detail"]
    assert all((item["account"] is None) == (item["result"] == "failed") for item in answer["items"])
    assert len((await owner.get("/upstreams"))["items"]) == 3
    assert "rt-secret-of-the-test" not in json.dumps(answer)


@pytest.mark.parametrize("documents", [[], ["x"] * 201, [5], "x", None])
async def test_an_upload_that_is_none_is_refused(owner: Browserless, pool: Any, documents: Any) -> None:
    status, problem = await owner.call(
        "POST", "/upstreams/import-many", {"pool_id": pool["id"], "documents": documents}
    )
    assert (status, problem["code"]) == (422, "validation_failed")


async def test_a_proxy_given_with_a_file_is_sealed_with_the_account(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database, keyring: Keyring
) -> None:
    proxy = "http://me:secret@127.0.0.1:3128"
    body = {"pool_id": pool["id"], "auth_json": make_auth_json(), "egress_proxy": proxy}
    answer = await owner.post("/upstreams/import", body)
    assert "secret" not in json.dumps(answer)
    (sealed,) = [row for row in await rows(database, account_secrets) if row.kind == "egress"]
    context = f"account_secrets:{answer['account']['id']}:egress"
    assert keyring.upstream.open(bytes(sealed.sealed), context).decode() == proxy
    assert b"secret" not in bytes(sealed.sealed)
    await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    assert "egress" in {row.kind for row in await rows(database, account_secrets)}, "without one nothing changes"
