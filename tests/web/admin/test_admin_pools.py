"""Pools and their members over the admin API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from codex_pooler.snapshot.model import Switches
from codex_pooler.storage.database import Database
from codex_pooler.storage.tables import STRATEGIES, pools
from codex_pooler.web.admin.pools import slug_from

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, LogTurns


async def test_a_name_is_enough_for_a_pool(owner: Browserless) -> None:
    pool = await owner.post("/pools", {"name": "  Zürich Team  "})
    assert (pool["name"], pool["slug"], pool["status"]) == ("Zürich Team", "zurich-team", "active")
    assert (pool["strategy"], pool["max_attempts"]) == ("capacity_weighted", 4)
    assert pool["switches"] == asdict(Switches())
    assert pool["health"] == {
        "verdict": "empty",
        "reasons": [{"code": "no_accounts", "text": "No account is assigned."}],
    }
    assert pool["usage"]["tokens_hourly"] == [0] * 24
    assert pool["created_at"].endswith("Z")


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_every_strategy_can_be_chosen(owner: Browserless, pool: Any, strategy: str) -> None:
    _, changed = await owner.call("PATCH", f"/pools/{pool['id']}", {"strategy": strategy})
    assert changed["strategy"] == strategy


async def test_switches_are_turned_one_by_one_and_only_what_is_unusual_is_stored(
    owner: Browserless, database: Database
) -> None:
    pool = await owner.post("/pools", {"name": "x", "switches": {"websockets": False, "allow_search": True}})
    path = f"/pools/{pool['id']}"
    _, changed = await owner.call("PATCH", path, {"switches": {"show_routing_headers": True}})
    assert changed["switches"] == {**asdict(Switches()), "websockets": False, "show_routing_headers": True}
    _, changed = await owner.call("PATCH", path, {"switches": {"websockets": True}})
    _, changed = await owner.call("PATCH", path, {"name": "y"})
    assert changed["switches"] == {**asdict(Switches()), "show_routing_headers": True}
    async with database.session() as session:
        assert (await session.one(sa.select(pools.c.switches))).switches == {"show_routing_headers": True}


async def test_pools_with_the_same_name_get_different_slugs(owner: Browserless) -> None:
    made = [await owner.post("/pools", {"name": "Team"}) for _ in range(3)]
    assert [pool["slug"] for pool in made] == ["team", "team-2", "team-3"]
    assert (await owner.call("POST", "/pools", {"name": "x", "slug": "team"}))[1]["code"] == "slug_taken"
    status, problem = await owner.call("PATCH", f"/pools/{made[1]['id']}", {"slug": "team"})
    assert (status, problem["errors"][0]["pointer"]) == (409, "/slug")


@pytest.mark.parametrize(("name", "slug"), [("!!!", "pool"), ("a" * 90, "a" * 48), ("日本", "pool"), ("A & B", "a-b")])
def test_any_name_makes_a_slug(name: str, slug: str) -> None:
    assert slug_from(name) == slug


async def test_an_edit_of_something_older_is_refused(owner: Browserless, pool: Any) -> None:
    path = f"/pools/{pool['id']}"
    status, changed = await owner.call("PATCH", path, {"name": "New"}, headers={"If-Match": '"1"'})
    assert (status, changed["version"], changed["name"]) == (200, 2, "New")
    status, problem = await owner.call("PATCH", path, {"name": "Newer"}, headers={"If-Match": '"1"'})
    assert (status, problem["code"]) == (412, "version_conflict")
    assert (await owner.call("PATCH", path, {"name": "Newest"}, headers={"If-Match": "*"}))[0] == 200
    assert (await owner.call("PATCH", path, {}, headers={"If-Match": "x"}))[0] == 400


async def test_only_an_archived_pool_can_be_deleted(owner: Browserless, pool: Any) -> None:
    path = f"/pools/{pool['id']}"
    assert (await owner.call("DELETE", path))[1]["code"] == "pool_not_archived"
    assert (await owner.call("PATCH", path, {"status": "archived"}))[0] == 200
    assert (await owner.call("DELETE", path))[0] == 204
    assert (await owner.call("GET", path))[0] == 404


async def test_an_account_takes_part_as_it_is_told_to(
    owner: Browserless, pool: Any, make_auth_json: Callable[..., dict[str, Any]]
) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()})
    account = imported["account"]["id"]
    path = f"/pools/{other['id']}/assignments"
    joined = await owner.post(
        path, {"account_id": account, "priority": -1, "weight": 2.5, "max_concurrency": 3, "max_primary_percent": 80}
    )
    assert joined["members"] == [
        {
            "account": {"id": account, "name": "anna"},
            "state": "active",
            "enabled": True,
            "priority": -1,
            "weight": 2.5,
            "max_concurrency": 3,
            "max_primary_percent": 80,
            "max_secondary_percent": None,
        }
    ]
    assert joined["health"]["verdict"] == "ok"
    assert (await owner.call("POST", path, {"account_id": account}))[1]["code"] == "already_assigned"
    _, changed = await owner.call(
        "PATCH", f"{path}/{account}", {"enabled": False, "max_concurrency": None, "max_secondary_percent": 95}
    )
    assert changed["members"][0]["priority"] == -1
    assert [changed["members"][0][f"max_{kind}_percent"] for kind in ("primary", "secondary")] == [80, 95]
    assert changed["members"][0]["max_concurrency"] is None
    assert (changed["health"]["verdict"], changed["counts"]["usable_accounts"]) == ("down", 0)
    status, left = await owner.call("DELETE", f"{path}/{account}")
    assert (status, left["members"]) == (200, [])
    assert (await owner.call("DELETE", f"{path}/{account}"))[0] == 404


async def test_a_paused_account_degrades_its_pool(
    owner: Browserless, pool: Any, make_auth_json: Callable[..., dict[str, Any]]
) -> None:
    first = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json("a")})
    await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json("b")})
    await owner.post(f"/upstreams/{first['account']['id']}/pause")
    seen = (await owner.get("/pools"))["items"][0]
    assert seen["health"] == {
        "verdict": "degraded",
        "reasons": [{"code": "low_usable_accounts", "text": "1 of 2 accounts can serve."}],
    }


async def test_deleting_a_pool_keeps_its_history(owner: Browserless, pool: Any, log_turns: LogTurns) -> None:
    (turn,) = await log_turns(1, pool_id=pool["id"], pool_name="Team")
    await owner.call("PATCH", f"/pools/{pool['id']}", {"status": "archived"})
    assert (await owner.call("DELETE", f"/pools/{pool['id']}"))[0] == 204
    assert (await owner.get(f"/request-logs/{turn}"))["pool"] == {"id": None, "name": "Team"}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "/name"),
    ({"name": ""}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"name": 5}, "/name"),
    ({"name": "x", "max_attempts": "3"}, "/max_attempts"),
    ({"name": "x", "strategy": "random"}, "/strategy"),
    ({"name": "x", "slug": "Not a slug"}, "/slug"),
    ({"name": "x", "colour": "red"}, "/colour"),
    ({"name": "x", "switches": {"flux": True}}, "/switches/flux"),
    ({"name": "x", "switches": {"websockets": "no"}}, "/switches/websockets"),
]


async def test_a_mistake_is_told_at_its_field(owner: Browserless) -> None:
    for body, pointer in MISTAKES:
        status, problem = await owner.call("POST", "/pools", body)
        assert (status, problem["code"]) == (422, "validation_failed")
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
