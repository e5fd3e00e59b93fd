"""An operator asks why an account would or would not be chosen, and is told by the process that would choose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from codex_pooler.process.view import ProcessView
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.routing.affinity import seed_of
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.loader import SnapshotHolder
from codex_pooler.snapshot.model import Switches
from codex_pooler.web.context import WebContext

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, MakeScript

MODEL = "gpt-5.5"


@pytest.fixture
def known() -> Known:
    return Known(Health(), Quotas(), Leases(), Bindings())


@pytest.fixture
def context(context: WebContext, known: Known) -> WebContext:
    """With a process that routes, in place of the quiet one."""
    snapshot = SnapshotHolder(context.database, context.keyring.upstream)
    return replace(context, live=ProcessView(known, snapshot), refresh_snapshot=snapshot.refresh)


@dataclass
class Team:
    """A pool with the accounts ``anna`` (who goes first) and ``bert``, and a key."""

    pool: Any
    anna: str
    bert: str
    key: str

    @property
    def path(self) -> str:
        return f"/pools/{self.pool['id']}/explain"


@pytest.fixture
async def team(owner: Browserless, pool: Any, make_auth_json: Callable[..., dict[str, Any]]) -> Team:
    ids: list[str] = []
    for name in ("anna", "bert"):
        login = make_auth_json(name, user=name, email=f"{name}@example.com")
        imported = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": login})
        ids.append(imported["account"]["id"])
    await owner.call("PATCH", f"/pools/{pool['id']}/assignments/{ids[0]}", {"priority": 5})
    key = await owner.post("/api-keys", {"name": "k", "pool_id": pool["id"]})
    return Team(pool, ids[0], ids[1], key["id"])


def told(explanation: Any) -> list[tuple[str, int | None, list[str]]]:
    return [
        (each["account"]["name"], each["rank"], [reason["code"] for reason in each["reasons"]])
        for each in explanation["candidates"]
    ]


async def test_everybody_is_listed_in_the_order_they_would_be_tried(owner: Browserless, team: Team) -> None:
    explanation = await owner.get(f"{team.path}?model={MODEL}")
    assert told(explanation) == [("anna", 1, []), ("bert", 2, [])]
    first = explanation["candidates"][0]
    assert (first["account"]["id"], first["usable"], first["priority"]) == (team.anna, True, 5)
    assert (first["quota"], first["remaining_percent"], first["in_flight"]) == ("unknown", None, 0)
    assert explanation["pool"] == {"id": team.pool["id"], "name": "Team"}
    assert (explanation["strategy"], explanation["model"]) == ("capacity_weighted", MODEL)
    assert explanation["route_class"] == "proxy_stream"
    assert explanation["affinity"] == {"kind": "none", "account": None, "reason": None}
    assert explanation["evaluated_at"].endswith("Z")


async def test_an_account_that_cannot_serve_says_why_and_until_when(
    owner: Browserless, team: Team, known: Known
) -> None:
    now = time.time()
    refusal = refusal_of("usage_limit_reached", now + 3600, None, "", MODEL)
    known.quotas.refuse(UUID(team.anna), refusal, now)
    for _ in range(3):
        known.health.failed(UUID(team.bert), "proxy_websocket", "upstream_500", time.monotonic())
    over_http = await owner.get(f"{team.path}?model={MODEL}")
    assert told(over_http) == [("bert", 1, []), ("anna", None, ["usage_limited"])]
    (reason,) = over_http["candidates"][1]["reasons"]
    assert reason["gate"] == "quota"
    assert reason["until"] > over_http["evaluated_at"]
    over_websocket = await owner.get(f"{team.path}?model={MODEL}&route_class=proxy_websocket")
    assert told(over_websocket)[0] == ("bert", 1, ["failing"]), "nobody else is left to try"
    await owner.post(f"/upstreams/{team.bert}/pause")
    assert told(await owner.get(team.path))[1] == ("bert", None, ["paused"])


async def test_a_session_of_a_key_is_found_at_its_account(
    owner: Browserless, team: Team, known: Known, context: WebContext
) -> None:
    seed = seed_of(Switches(), team.key, "thread-1", None, "t")
    digest = context.keyring.digest("session_ref", seed.value)
    known.bindings.bind(digest, "session", UUID(team.pool["id"]), UUID(team.bert), time.time())
    bound = await owner.get(f"{team.path}?model={MODEL}&session=thread-1&api_key_id={team.key}")
    assert told(bound) == [("bert", 1, []), ("anna", 2, [])]
    assert bound["affinity"] == {"kind": "owner", "account": {"id": team.bert, "name": "bert"}, "reason": None}
    await owner.post(f"/upstreams/{team.bert}/pause")
    moved = await owner.get(f"{team.path}?model={MODEL}&session=thread-1&api_key_id={team.key}")
    assert (moved["affinity"]["kind"], moved["affinity"]["reason"]) == ("owner_passed_over", "paused")
    other = await owner.get(f"{team.path}?model={MODEL}&session=thread-2&api_key_id={team.key}")
    assert other["affinity"]["kind"] == "none"


async def test_operators_see_what_an_account_failed_at(
    owner: Browserless, make_script: MakeScript, team: Team, known: Known
) -> None:
    path = f"/upstreams/{team.anna}/route-health"
    assert (await owner.get(path))["items"] == []
    for _ in range(3):
        known.health.failed(UUID(team.anna), "proxy_stream", "upstream_500", time.monotonic())
    known.health.failed(UUID(team.anna), "proxy_http", "upstream_closed", time.monotonic())
    http, stream = (await owner.get(path))["items"]
    assert (http["route_class"], http["state"], http["retry_at"]) == ("proxy_http", "demoted", None)
    assert (stream["state"], stream["failures"], stream["last_error"]) == ("open", 3, "upstream_500")
    assert stream["retry_at"] > stream["failed_at"]
    elsewhere = await owner.post("/pools", {"name": "Elsewhere"})
    assert (await (await make_script("instance_admin", elsewhere["id"])).call("GET", path))[0] == 404


async def test_only_those_who_see_the_pool_are_told(owner: Browserless, make_script: MakeScript, team: Team) -> None:
    elsewhere = await owner.post("/pools", {"name": "Elsewhere"})
    assert (await (await make_script("instance_admin", team.pool["id"])).call("GET", team.path))[0] == 200
    assert (await (await make_script("instance_viewer")).call("GET", team.path))[0] in (200, 404)
    assert (await (await make_script("instance_admin", elsewhere["id"])).call("GET", team.path))[0] == 404
    status, _ = await owner.call("GET", f"/pools/{UUID(int=5)}/explain")
    assert status == 404


@pytest.mark.parametrize("query", ["route_class=teleport", "api_key_id=x", "colour=red", "session=" + "x" * 501])
async def test_a_mistake_in_the_question_is_told(query: str, owner: Browserless, team: Team) -> None:
    status, problem = await owner.call("GET", f"{team.path}?{query}")
    assert (status, problem["code"] in ("invalid_filter", "unknown_parameter")) == (400, True)
