"""The audit trail: every change is in it, with who and what, and nothing that must not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
import sqlalchemy as sa

from codex_pooler.operators.commands import create_first_owner
from codex_pooler.storage.audit import DETAILS, Event, FieldChange, field_changes, record, record_account_event
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import audit_events
from codex_pooler.web.admin.api import UNCHANGING, Endpoint
from codex_pooler.web.admin.app import ENDPOINTS

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, Client, MakeScript

MakeAuthJson = Callable[..., dict[str, Any]]
PREFIX = "/api/admin/v1"
PASSWORD = "correct horse battery"


async def trail(owner: Browserless, query: str = "") -> list[Any]:
    found: list[Any] = (await owner.get(f"/audit-logs{query}"))["items"]
    return found


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_changing_endpoint_says_what_it_is_written_down_as(endpoint: Endpoint) -> None:
    if not endpoint.is_unsafe:
        assert endpoint.audit is None
        return
    assert endpoint.audit, "give the endpoint audit=<target>.<verb>, or UNCHANGING if it only asks"
    assert endpoint.audit == UNCHANGING or endpoint.audit.count(".") == 1


async def test_a_change_is_written_with_who_what_and_where_to(owner: Browserless) -> None:
    pool = await owner.post("/pools", {"name": "Team"})
    await owner.call("PATCH", f"/pools/{pool['id']}", {"name": "Crew"}, headers={"X-Request-Id": "my-request"})
    renamed, created = await trail(owner, "?target_type=pool")
    assert (created["action"], renamed["action"]) == ("pool.create", "pool.update")
    assert renamed["actor"]["type"] == "api_token"
    assert renamed["actor"]["label"] == "Ada L (token test)"
    assert renamed["target"] == {"type": "pool", "id": pool["id"], "label": "Crew"}
    assert renamed["pools"] == [{"id": pool["id"], "name": "Crew"}]
    assert renamed["changes"] == [{"field": "name", "shown": True, "before": "Team", "after": "Crew"}]
    assert (renamed["outcome"], renamed["request_id"]) == ("success", "my-request")
    assert renamed["client_ip"] == "127.0.0.1"


async def test_a_change_that_fails_leaves_no_trace(owner: Browserless, pool: Any) -> None:
    before = await trail(owner)
    assert (await owner.call("DELETE", f"/pools/{pool['id']}"))[0] == 409
    assert await trail(owner) == before


async def test_addresses_are_kept_only_if_wanted(owner: Browserless, database: Database, context: Any) -> None:
    await owner.call("PATCH", "/settings/privacy", {"values": {"store_client_ip": False}})
    (event, *_) = await trail(owner, "?action=instance_settings.update")
    assert event["target"]["label"] == "privacy"
    assert event["changes"] == [{"field": "store_client_ip", "shown": True, "before": True, "after": False}]


async def test_scenario_38_accounts_and_keys_leave_their_lines_and_no_secret(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database
) -> None:
    file = make_auth_json()
    account = (await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": file}))["account"]
    for action in ("pause", "reactivate"):
        await owner.post(f"/upstreams/{account['id']}/{action}")
    key = await owner.post("/api-keys", {"name": "ci", "pool_id": pool["id"], "notes": "the notes stay private"})
    rotated = await owner.post(f"/api-keys/{key['id']}/rotate")
    await owner.post(f"/api-keys/{key['id']}/revoke")
    await owner.call("DELETE", f"/api-keys/{key['id']}")
    await owner.call("DELETE", f"/upstreams/{account['id']}")
    events = await trail(owner, f"?target_id={account['id']}&target_id={key['id']}")
    assert [event["action"] for event in reversed(events)] == [
        "upstream_account.import",
        "upstream_account.pause",
        "upstream_account.reactivate",
        "api_key.create",
        "api_key.rotate",
        "api_key.revoke",
        "api_key.delete",
        "upstream_account.delete",
    ]
    assert {event["target"]["label"] for event in events} == {account["label"], "ci"}
    written = orjson.dumps(events).decode()
    assert {"field": "notes", "shown": False, "before": None, "after": None} in events[4]["changes"]
    tokens = [file["tokens"][name] for name in ("access_token", "refresh_token", "id_token")]
    for secret in (*tokens, key["secret"], rotated["secret"], "the notes stay private"):
        assert secret not in written


async def test_sign_ins_are_written_down_the_failed_ones_too(
    client: Client, database: Database, keyring: Keyring, make_script: MakeScript
) -> None:
    await create_first_owner(database, keyring, "me@example.com", "Me", PASSWORD)
    for email, password in (("me@example.com", "wrong wrong wrong"), ("my password", "me@example.com")):
        async with client.post(f"{PREFIX}/auth/login", json={"email": email, "password": password}) as response:
            assert response.status in (401, 422)
    async with client.post(f"{PREFIX}/auth/login", json={"email": "me@example.com", "password": PASSWORD}) as response:
        csrf = (await response.json())["csrf_token"]
    headers = {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}
    async with client.post(f"{PREFIX}/auth/logout", headers=headers) as response:
        assert response.status == 204
    events = [event for event in await trail(await make_script()) if event["action"].startswith("auth.")]
    seen = [(event["action"], event["outcome"], event["target"]["label"]) for event in reversed(events)]
    assert seen[0] == ("auth.bootstrap", "success", "me@example.com")
    assert seen[1] == ("auth.login", "failure", "me@example.com")
    assert seen[-2:] == [("auth.login", "success", "me@example.com"), ("auth.logout", "success", "me@example.com")]
    assert events[0]["actor"] == {"type": "user", "id": events[0]["target"]["id"], "label": "Me"}
    assert "my password" not in orjson.dumps(events).decode()


async def test_admins_see_their_pools_events_and_viewers_none(
    owner: Browserless, make_script: MakeScript, make_auth_json: MakeAuthJson
) -> None:
    mine, theirs = [await owner.post("/pools", {"name": name}) for name in ("Mine", "Theirs")]
    account = await owner.post("/upstreams/import", {"pool_id": mine["id"], "auth_json": make_auth_json()})
    await owner.post(f"/pools/{theirs['id']}/assignments", {"account_id": account["account"]["id"]})
    await owner.post(f"/upstreams/{account['account']['id']}/pause")
    await owner.call("PATCH", "/settings/privacy", {"values": {"store_client_ip": False}})
    admin = await make_script("instance_admin", mine["id"])
    events = await trail(admin)
    assert [event["action"] for event in events] == [
        "upstream_account.pause",
        "upstream_account.import",
        "pool.create",
    ]
    assert {pool["name"] for event in events for pool in event["pools"]} == {"Mine"}
    viewer = await make_script("instance_viewer", mine["id"])
    assert (await viewer.call("GET", "/audit-logs"))[0] == 403


async def test_the_trail_is_read_page_by_page_and_under_filters(owner: Browserless) -> None:
    for number in range(5):
        await owner.post("/pools", {"name": f"Pool {number}"})
    seen, cursor = [], ""
    while cursor is not None:
        answer = await owner.get(f"/audit-logs?limit=2&action=pool.create{cursor and '&cursor='}{cursor}")
        seen += [event["target"]["label"] for event in answer["items"]]
        cursor = answer["page"]["next_cursor"]
    assert seen == [f"Pool {number}" for number in (4, 3, 2, 1, 0)]
    assert [event["target"]["label"] for event in await trail(owner, "?q=pool%203")] == ["Pool 3"]
    assert await trail(owner, "?outcome=failure") == []
    assert (await owner.call("GET", "/audit-logs?cursor=nonsense"))[1]["code"] == "invalid_cursor"


async def test_what_looks_like_a_secret_or_has_no_known_name_is_left_out(database: Database) -> None:
    token = "sk-cxp-" + "0" * 12 + "-" + "x" * 43
    changes = (FieldChange("label", "old", f"new {token}"), FieldChange("notes", shown=False))
    event = Event("pool.update", "pool", target_label=token, details={"refresh_token": "rt", "code": token})
    async with database.transaction() as session:
        await record(session, replace(event, changes=changes))
    async with database.session() as session:
        row = await session.one(sa.select(audit_events))
    assert "refresh_token" not in DETAILS
    assert row.target_label == "[redacted]"
    assert row.details == {
        "code": "[redacted]",
        "changes": [{"field": "label", "before": "old", "after": "new [redacted]"}, {"field": "notes"}],
    }


def test_values_of_unknown_fields_are_not_told() -> None:
    told = field_changes(
        {"label": "a", "egress_proxy": None, "same": 1}, {"label": "b", "egress_proxy": "x", "same": 1}
    )
    assert told == (FieldChange("egress_proxy", shown=False), FieldChange("label", "a", "b"))


async def test_what_happens_to_an_account_by_itself_names_its_pools(
    owner: Browserless, pool: Any, make_auth_json: MakeAuthJson, database: Database
) -> None:
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    identity = imported["account"]["id"]
    async with database.transaction() as session:
        await record_account_event(session, "account.reauth_required", UUID(identity), reason="invalid_grant")
    (event,) = await trail(owner, "?actor_type=system&target_type=upstream_account")
    assert event["target"] == {"type": "upstream_account", "id": identity, "label": imported["account"]["label"]}
    assert event["pools"] == [{"id": pool["id"], "name": "Team"}]
    assert event["reason"] == "invalid_grant"
