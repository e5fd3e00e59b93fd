"""What holds for every endpoint, generated from their declarations: permission, scope, forgery, document, secrecy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import pytest
from openapi_spec_validator import validate

from codex_pooler.operators.access import CAPABILITIES
from codex_pooler.quota.resets import BY_HAND
from codex_pooler.web.admin.api import PUBLIC, SIGNED_IN, VISITOR, Endpoint
from codex_pooler.web.admin.app import ENDPOINTS, openapi
from codex_pooler.web.admin.openapi import rendered
from codex_pooler.web.clients.tools import TOOLS

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, Client, MakeScript

COMMITTED = Path(__file__).resolve().parents[3] / "frontend" / "openapi.json"
OPEN = {"get_session", "log_in", "get_bootstrap", "complete_bootstrap", "get_openapi"}
STREAMS = {"watch_events"}
BODIES: dict[str, dict[str, Any]] = {
    "create_pool": {"name": "x"},
    "create_invite": {"pool_id": str(uuid4()), "email": "a@example.com"},
    "try_smtp": {"to": "a@example.com"},
    "create_api_key": {"name": "x", "pool_id": str(uuid4())},
    "import_upstream": {"pool_id": str(uuid4()), "auth_json": {}},
    "create_assignment": {"account_id": str(uuid4())},
    "replace_credentials": {"auth_json": {}},
    "finish_oauth_flow": {"callback_url": "http://localhost:1455/auth/callback?code=a&state=b"},
    "update_upstream": {},
    "set_saved_reset_policy": asdict(BY_HAND),
    "redeem_saved_reset": {"confirm": True, "expected_available": 1},
    "change_upstreams": {"ids": [str(uuid4())], "action": "pause"},
    "export_upstreams": {"passphrase": "x" * 16, "password": "x"},
    "import_bundle": {"bundle": {}, "passphrase": "x" * 16, "password": "x"},
    "update_api_key": {},
    "move_api_key": {"pool_id": str(uuid4())},
    "log_in": {"email": "a@example.com", "password": "x"},
    "complete_bootstrap": {"email": "a@example.com", "password": "x"},
}


def filled(endpoint: Endpoint, ids: dict[str, str] | None = None) -> str:
    path = endpoint.path
    for name in endpoint.path_names:
        path = path.replace(f"{{{name}}}", (ids or {}).get(name, str(uuid4())))
    return path


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_endpoint_says_who_may_call_it(endpoint: Endpoint) -> None:
    known = CAPABILITIES["instance_owner"] | {PUBLIC, VISITOR, SIGNED_IN}
    assert endpoint.needs in known
    assert (endpoint.needs in (PUBLIC, VISITOR)) == (endpoint.name in OPEN)
    if endpoint.is_unsafe and endpoint.needs not in (PUBLIC, SIGNED_IN):
        assert endpoint.needs.endswith(":write")
    assert endpoint.handler.__doc__


async def test_strangers_get_nothing_but_the_open_endpoints(client: Client) -> None:
    for endpoint in ENDPOINTS:
        url = "/api/admin/v1" + filled(endpoint)
        async with client.request(endpoint.method, url, json=BODIES.get(endpoint.name)) as response:
            assert (response.status == 401) == (endpoint.name not in OPEN - {"log_in"}), endpoint.name


async def test_a_viewer_can_change_nothing(make_script: MakeScript) -> None:
    viewer = await make_script("instance_viewer")
    for endpoint in ENDPOINTS:
        if endpoint.name in OPEN | STREAMS | {"log_out"}:
            continue
        status, _ = await viewer.call(endpoint.method, filled(endpoint), BODIES.get(endpoint.name))
        may = endpoint.needs in CAPABILITIES["instance_viewer"] | {PUBLIC, SIGNED_IN, VISITOR}
        assert not (may and endpoint.is_unsafe), endpoint.name
        assert (status == 403) == (not may), endpoint.name


async def test_objects_of_other_pools_look_missing(
    owner: Browserless,
    make_script: MakeScript,
    make_auth_json: Callable[..., dict[str, Any]],
    log_turns: Callable[..., Any],
) -> None:
    mine, theirs = [await owner.post("/pools", {"name": name}) for name in ("Mine", "Theirs")]
    account = await owner.post("/upstreams/import", {"pool_id": theirs["id"], "auth_json": make_auth_json()})
    key = await owner.post("/api-keys", {"name": "theirs", "pool_id": theirs["id"]})
    invite = await owner.post("/invites", {"pool_id": theirs["id"], "email": "anna@example.com"})
    (turn,) = await log_turns(1, pool_id=theirs["id"])
    flow = await owner.post("/oauth-flows", {"kind": "browser", "pool_id": theirs["id"]})
    foreign = {
        "pool_id": theirs["id"],
        "upstream_id": account["account"]["id"],
        "account_id": account["account"]["id"],
        "api_key_id": key["id"],
        "invite_id": invite["id"],
        "request_id": str(turn),
        "flow_id": flow["id"],
    }
    admin = await make_script("instance_admin", mine["id"])
    for endpoint in ENDPOINTS:
        if not endpoint.path_names:
            continue
        body = BODIES.get(endpoint.name)
        seen = await admin.call(endpoint.method, filled(endpoint, foreign), body)
        missing = await admin.call(endpoint.method, filled(endpoint), body)
        allowed = endpoint.needs in CAPABILITIES["instance_admin"]
        assert seen[0] == missing[0] == (404 if allowed else 403), endpoint.name
        for _, problem in (seen, missing):
            del problem["request_id"], problem["instance"]
        assert seen == missing, endpoint.name


async def test_foreign_pools_named_in_bodies_and_queries_look_missing(
    owner: Browserless, make_script: MakeScript, make_auth_json: Callable[..., dict[str, Any]]
) -> None:
    mine, theirs = [await owner.post("/pools", {"name": name}) for name in ("Mine", "Theirs")]
    admin = await make_script("instance_admin", mine["id"])
    for pool_id in (theirs["id"], str(uuid4())):
        for method, path, body in (
            ("POST", "/api-keys", {"name": "x", "pool_id": pool_id}),
            ("POST", "/invites", {"email": "a@example.com", "pool_id": pool_id}),
            ("POST", "/upstreams/import", {"pool_id": pool_id, "auth_json": make_auth_json()}),
            ("GET", f"/traffic?pool_id={pool_id}", None),
            ("GET", f"/client-configs?pool_id={pool_id}", None),
        ):
            status, problem = await admin.call(method, path, body)
            assert (status, problem["code"]) == (404, "not_found"), path
    assert [pool["id"] for pool in (await admin.get("/pools"))["items"]] == [mine["id"]]


@pytest.mark.parametrize("status", ["disabled", "archived"])
async def test_an_admin_loses_sight_of_a_pool_that_is_not_active(
    owner: Browserless, pool: Any, make_script: MakeScript, status: str
) -> None:
    admin = await make_script("instance_admin", pool["id"])
    await owner.call("PATCH", f"/pools/{pool['id']}", {"status": status})
    assert (await admin.get("/pools"))["items"] == []
    assert (await admin.call("GET", f"/pools/{pool['id']}"))[0] == 404


def test_the_document_is_valid_and_always_the_same() -> None:
    validate(orjson.loads(openapi()))
    assert rendered(ENDPOINTS) == rendered(ENDPOINTS)


def test_the_committed_document_is_up_to_date() -> None:
    assert COMMITTED.read_text() == rendered(ENDPOINTS), "run: make openapi"


def test_every_operation_has_its_own_name() -> None:
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)


def properties(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = set(schema.get("properties", {}))
        return own.union(*(properties(value) for value in schema.values()))
    return set().union(*(properties(item) for item in schema)) if isinstance(schema, list) else set()


def test_the_only_secret_an_answer_can_hold_is_the_one_shown_once() -> None:
    schemas = orjson.loads(openapi())["components"]["schemas"]
    answers = {name: properties(schema) for name, schema in schemas.items() if not name.endswith(("Input", "Patch"))}
    forbidden = {"digest", "password", "password_hash", "access_token", "refresh_token", "id_token", "token", "sealed"}
    assert {name for name, found in answers.items() if found & forbidden} == {"SmtpSettings"}
    assert properties(schemas["SmtpSettings"]["properties"]["password"]) == {"is_set"}
    assert {name for name, found in answers.items() if "secret" in found} == {"ApiKeyWithSecret"}
    showing = [e.name for e in ENDPOINTS if e.returns is not None and e.returns.__name__ == "ApiKeyWithSecret"]
    assert sorted(showing) == ["create_api_key", "rotate_api_key"]


def test_the_link_of_an_invite_is_only_in_the_answers_that_make_it() -> None:
    showing = {e.name for e in ENDPOINTS if e.returns is not None and "url" in e.returns().fields}
    assert showing == {"create_invite", "reissue_invite", "resend_invite", "reinvite_upstream"}


async def test_the_document_is_served(client: Client) -> None:
    async with client.get("/api/admin/v1/openapi.json") as response:
        assert await response.text() == openapi()


async def test_client_configurations_hold_the_address_and_no_secret(owner: Browserless) -> None:
    items = (await owner.get("/client-configs"))["items"]
    assert [item["tool"] for item in items] == list(TOOLS)
    for item in items:
        everything = json.dumps(item)
        assert "http://localhost:" in everything
        assert "CODEX_POOLER_API_KEY" in everything
        assert "sk-cxp" not in everything
        assert "@{" not in everything


async def test_one_client_configuration_for_the_model_asked_for(owner: Browserless, pool: Any) -> None:
    query = f"/client-configs?tool=codex_cli&pool_id={pool['id']}&model=my-model"
    (item,) = (await owner.get(query))["items"]
    assert [variant["default"] for variant in item["variants"]] == [True, False]
    assert 'model = "my-model"' in item["variants"][0]["snippets"][0]["text"]
    await owner.call("PATCH", f"/pools/{pool['id']}", {"switches": {"websockets": False}})
    (item,) = (await owner.get(query))["items"]
    assert [variant["id"] for variant in item["variants"] if variant["default"]] == ["http"]
    assert (await owner.call("GET", "/client-configs?tool=word"))[0] == 400


async def test_meta_tells_version_and_address(owner: Browserless) -> None:
    meta = await owner.get("/meta")
    assert (meta["database"], meta["origin"]) == ("embedded", "http://localhost:0")
