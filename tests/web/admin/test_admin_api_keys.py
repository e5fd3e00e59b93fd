"""Pool API keys over the admin API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.snapshot.model import Limit
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.queries_snapshot import KEYS
from codex_pooler.storage.tables import api_keys, requests, usage_hourly

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, LogTurns


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


async def change(owner: Browserless, key: Any, body: dict[str, Any]) -> Any:
    status, changed = await owner.call("PATCH", f"/api-keys/{key['id']}", body)
    assert status == 200, changed
    return changed


NO_LIMITS = {
    **{f"max_requests_per_{window}": None for window in ("minute", "day", "week", "month")},
    **{f"max_tokens_per_{window}": None for window in ("minute", "day", "week", "month")},
    **{f"max_cost_usd_per_{window}": None for window in ("day", "week", "month")},
}
NO_KEY_LIMITS = {
    **NO_LIMITS,
    "max_input_tokens_per_request": None,
    "max_output_tokens_per_request": None,
    "max_concurrent_requests": None,
}


async def test_a_new_key_is_free_of_policy_and_limits(key: Any) -> None:
    assert key["enforcement"] == {
        "model": None,
        "reasoning": {"mode": "unrestricted", "effort": None},
        "service_tier": None,
    }
    assert key["limits"] == {"default": NO_KEY_LIMITS, "per_model": {}}
    assert (key["notes"], key["allowed_networks"], key["consumption"]) == (None, None, [])


async def test_a_key_is_made_with_everything_at_once(owner: Browserless, pool: Any, database: Database) -> None:
    body = {
        "name": "ci",
        "pool_id": pool["id"],
        "notes": "nightly builds\nask Ada",
        "models": {"mode": "selected", "ids": ["gpt-a", "gpt-b", "gpt-a"]},
        "enforcement": {"model": "GPT-A", "reasoning": {"mode": "max", "effort": "high"}, "service_tier": "fast"},
        "limits": {
            "default": {"max_requests_per_minute": 5, "max_cost_usd_per_month": "12.5", "max_concurrent_requests": 3},
            "per_model": {"gpt-b": {"max_tokens_per_day": 2000000}},
        },
        "allowed_networks": ["10.0.0.0/8", "::1"],
    }
    made = await owner.post("/api-keys", body)
    assert made["models"] == {"mode": "selected", "ids": ["gpt-a", "gpt-b"]}
    assert made["enforcement"]["reasoning"] == {"mode": "max", "effort": "high"}
    assert made["enforcement"]["service_tier"] == "priority"
    assert made["limits"]["default"] == NO_KEY_LIMITS | {
        "max_requests_per_minute": 5,
        "max_cost_usd_per_month": "12.500000",
        "max_concurrent_requests": 3,
    }
    assert made["limits"]["per_model"] == {"gpt-b": NO_LIMITS | {"max_tokens_per_day": 2000000}}
    assert made["allowed_networks"] == ["10.0.0.0/8", "::1/128"]
    async with database.session() as session:
        (row,) = await session.fetch(KEYS)
    assert [Limit(**limit) for limit in row.limits] == [
        Limit("requests", "minute", 5),
        Limit("cost_micros", "month", 12_500_000),
        Limit("tokens", "day", 2000000, "gpt-b"),
    ]


async def test_a_change_leaves_everything_it_does_not_name(owner: Browserless, key: Any) -> None:
    await change(owner, key, {"enforcement": {"reasoning": {"mode": "exact", "effort": "low"}}})
    await change(owner, key, {"limits": {"default": {"max_tokens_per_day": 10}}})
    await change(owner, key, {"limits": {"per_model": {"m": {"max_tokens_per_day": 5, "max_tokens_per_week": 6}}}})
    await change(owner, key, {"enforcement": {"model": "m"}, "limits": {"default": {"max_requests_per_day": 9}}})
    changed = await change(owner, key, {"limits": {"per_model": {"M": {"max_tokens_per_day": None}, "n": None}}})
    assert changed["enforcement"]["model"] == "m"
    assert changed["enforcement"]["reasoning"] == {"mode": "exact", "effort": "low"}
    assert changed["limits"]["default"] == NO_KEY_LIMITS | {"max_tokens_per_day": 10, "max_requests_per_day": 9}
    assert changed["limits"]["per_model"] == {"m": NO_LIMITS | {"max_tokens_per_week": 6}}
    cleared = await change(owner, key, {"limits": {"default": {"max_tokens_per_day": None}, "per_model": {"m": None}}})
    assert cleared["limits"]["per_model"] == {}
    assert cleared["limits"]["default"]["max_tokens_per_day"] is None


async def test_only_one_kind_of_effort_can_hold(owner: Browserless, key: Any) -> None:
    await change(owner, key, {"enforcement": {"reasoning": {"mode": "max", "effort": "high"}}})
    exact = await change(owner, key, {"enforcement": {"reasoning": {"mode": "exact", "effort": "low"}}})
    assert exact["enforcement"]["reasoning"] == {"mode": "exact", "effort": "low"}
    free = await change(owner, key, {"enforcement": {"reasoning": {"mode": "unrestricted"}}})
    assert free["enforcement"]["reasoning"] == {"mode": "unrestricted", "effort": None}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"models": {"mode": "selected", "ids": []}}, "/models/ids"),
    ({"models": {"mode": "all", "ids": ["m"]}}, "/models/ids"),
    ({"models": {"mode": "some"}}, "/models/mode"),
    ({"models": {"mode": "none"}, "allowed_models": []}, "/allowed_models"),
    ({"allowed_models": ["a"], "enforcement": {"model": "b"}}, "/enforcement/model"),
    ({"allowed_models": [], "enforcement": {"model": "b"}}, "/enforcement/model"),
    ({"enforcement": {"reasoning": {"mode": "max"}}}, "/enforcement/reasoning/effort"),
    ({"enforcement": {"reasoning": {"mode": "unrestricted", "effort": "low"}}}, "/enforcement/reasoning/effort"),
    ({"enforcement": {"reasoning": {"mode": "exact", "effort": "most"}}}, "/enforcement/reasoning/effort"),
    ({"enforcement": {"service_tier": "gold"}}, "/enforcement/service_tier"),
    ({"limits": {"default": {"max_tokens_per_day": 0}}}, "/limits/default/max_tokens_per_day"),
    ({"limits": {"default": {"max_tokens_per_day": "5"}}}, "/limits/default/max_tokens_per_day"),
    ({"limits": {"default": {"max_tokens_per_year": 5}}}, "/limits/default/max_tokens_per_year"),
    ({"limits": {"default": {"max_cost_usd_per_month": "-1"}}}, "/limits/default/max_cost_usd_per_month"),
    ({"limits": {"default": {"max_cost_usd_per_month": "0.0000001"}}}, "/limits/default/max_cost_usd_per_month"),
    ({"limits": {"default": {"max_cost_usd_per_month": "NaN"}}}, "/limits/default/max_cost_usd_per_month"),
    ({"limits": {"default": {"max_cost_usd_per_month": "lots"}}}, "/limits/default/max_cost_usd_per_month"),
    ({"limits": {"default": {"max_cost_usd_per_month": True}}}, "/limits/default/max_cost_usd_per_month"),
    ({"limits": {"default": {"max_concurrent_requests": 20000}}}, "/limits/default/max_concurrent_requests"),
    (
        {"limits": {"per_model": {"m": {"max_concurrent_requests": 1}}}},
        "/limits/per_model/m/max_concurrent_requests",
    ),
    ({"limits": {"per_model": {"": {}}}}, "/limits/per_model/"),
    ({"limits": {"per_model": [1]}}, "/limits/per_model"),
    ({"allowed_networks": []}, "/allowed_networks"),
    ({"allowed_networks": ["10.0.0.1/8"]}, "/allowed_networks/0"),
    ({"allowed_networks": ["everywhere"]}, "/allowed_networks/0"),
    ({"notes": "x" * 2001}, "/notes"),
]


@pytest.mark.parametrize(("body", "pointer"), MISTAKES)
async def test_a_policy_that_makes_no_sense_is_refused_at_its_field(
    owner: Browserless, key: Any, body: dict[str, Any], pointer: str
) -> None:
    status, problem = await owner.call("PATCH", f"/api-keys/{key['id']}", body)
    assert (status, [error["pointer"] for error in problem["errors"]]) == (422, [pointer])


async def test_an_enforced_model_cannot_be_locked_out_later(owner: Browserless, key: Any) -> None:
    await change(owner, key, {"enforcement": {"model": "a"}})
    status, problem = await owner.call("PATCH", f"/api-keys/{key['id']}", {"allowed_models": ["b"]})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/enforcement/model")
    await change(owner, key, {"allowed_models": ["b"], "enforcement": {"model": None}})


async def test_no_model_at_all_can_be_allowed(owner: Browserless, key: Any) -> None:
    assert (await change(owner, key, {"models": {"mode": "none"}}))["models"] == {"mode": "none", "ids": []}
    assert (await change(owner, key, {"models": {"mode": "all"}}))["models"] == {"mode": "all", "ids": []}


async def epoch(database: Database) -> int:
    async with database.session() as session:
        return int((await session.one(sa.select(api_keys.c.revoked_epoch))).revoked_epoch)


async def test_scenario_41_whatever_must_end_open_sockets_raises_the_epoch(
    owner: Browserless, key: Any, database: Database
) -> None:
    path, other = f"/api-keys/{key['id']}", await owner.post("/pools", {"name": "Other"})
    seen = [await epoch(database)]
    for step in ("pause", "resume", "rotate"):
        await owner.post(f"{path}/{step}")
        seen.append(await epoch(database))
    await owner.post(f"{path}/move", {"pool_id": other["id"]})
    seen.append(await epoch(database))
    await change(owner, key, {"allowed_networks": ["10.0.0.0/8"]})
    seen.append(await epoch(database))
    await owner.post(f"{path}/revoke")
    seen.append(await epoch(database))
    assert seen == list(range(seen[0], seen[0] + 7))


async def test_a_change_of_policy_lets_open_sockets_go_on(owner: Browserless, key: Any, database: Database) -> None:
    before = await epoch(database)
    await change(owner, key, {"name": "new", "limits": {"default": {"max_tokens_per_day": 5}}})
    assert await epoch(database) == before


async def test_a_key_moves_to_another_pool_with_its_secret(owner: Browserless, key: Any) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    moved = await owner.post(f"/api-keys/{key['id']}/move", {"pool_id": other["id"]})
    assert (moved["pool"]["name"], moved["prefix"]) == ("Other", key["prefix"])
    status, problem = await owner.call("POST", f"/api-keys/{key['id']}/move", {"pool_id": key["id"]})
    assert (status, problem["errors"][0]["pointer"]) == (404, "/pool_id")
    await owner.post(f"/api-keys/{key['id']}/revoke")
    assert (await owner.call("POST", f"/api-keys/{key['id']}/move", {"pool_id": other["id"]}))[0] == 409


async def test_consumption_tells_how_far_every_limit_is_used_up(
    owner: Browserless, key: Any, log_turns: LogTurns
) -> None:
    await change(
        owner,
        key,
        {
            "limits": {
                "default": {"max_requests_per_minute": 10, "max_requests_per_day": 4, "max_cost_usd_per_month": "1"},
                "per_model": {"other": {"max_tokens_per_week": 1000}},
            }
        },
    )
    await log_turns(2, api_key_id=key["id"], model="gpt-a", admitted_at=datetime.now(UTC))
    consumed = (await owner.get(f"/api-keys/{key['id']}"))["consumption"]
    (minute,) = [each for each in consumed if each["window"] == "minute"]
    assert (minute["limit"], minute["used"], minute["percent"]) == ("max_requests_per_minute", 2, 20.0)
    assert minute["resets_at"] is not None
    assert [(each["limit"], each["model"], each["used"]) for each in consumed if each["window"] != "minute"] == [
        ("max_requests_per_day", None, 0),  # the rollup is the writer's work
        ("max_cost_usd_per_month", None, 0),
        ("max_tokens_per_week", "other", 0),
    ]


async def test_consumption_counts_the_rollup(owner: Browserless, key: Any, database: Database) -> None:
    await change(owner, key, {"limits": {"default": {"max_tokens_per_day": 200, "max_cost_usd_per_month": "1"}}})
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    row = {"hour": hour, "pool_id": uuid4(), "api_key_id": UUID(key["id"]), "account_id": uuid4(), "model": "m"}
    numbers = {"requests": 3, "rejected": 1, "input_tokens": 40, "output_tokens": 10, "cost_micros": 250_000}
    async with database.session() as session:
        await session.execute(sa.insert(usage_hourly).values(**row, service_tier="", **numbers))
    tokens, cost = (await owner.get("/api-keys"))["items"][0]["consumption"]
    assert (tokens["limit"], tokens["used"], tokens["max"], tokens["percent"]) == ("max_tokens_per_day", 50, 200, 25.0)
    assert datetime.fromisoformat(tokens["resets_at"]) > datetime.now(UTC)
    assert (cost["metric"], cost["used"], cost["max"]) == ("cost_micros", 250_000, 1_000_000)


async def test_scenario_44_deleting_a_key_keeps_its_requests_and_what_they_cost(
    owner: Browserless, key: Any, log_turns: LogTurns, database: Database
) -> None:
    (turn,) = await log_turns(1, api_key_id=key["id"], api_key_name="ci", cost_micros=1_500_000)
    row = {"hour": datetime.now(UTC), "pool_id": uuid4(), "api_key_id": UUID(key["id"]), "account_id": uuid4()}
    async with database.session() as session:
        await session.execute(
            sa.insert(usage_hourly).values(**row, model="m", service_tier="", requests=1, cost_micros=1_500_000)
        )
    await owner.post(f"/api-keys/{key['id']}/revoke")
    assert (await owner.call("DELETE", f"/api-keys/{key['id']}"))[0] == 204
    assert (await owner.get(f"/request-logs/{turn}"))["api_key"] == {"id": None, "name": "ci"}
    async with database.session() as session:
        logged = await session.one(sa.select(requests.c.cost_micros))
        rolled_up = await session.one(sa.select(usage_hourly.c.cost_micros))
    assert (logged.cost_micros, rolled_up.cost_micros) == (1_500_000, 1_500_000)
