"""An account's page, its charts, and how long pools last, over the admin API."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.quota.facts import Observation
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.record import Record
from codex_pooler.quota.windows import ACCOUNT, Window
from codex_pooler.routing.health import Trouble
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.tables import audit_events, quota_samples, usage_hourly
from codex_pooler.web.context import WebContext
from tests.conftest import QuietLive

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, LogTurns, MakeScript

MakeAuthJson = Callable[..., dict[str, Any]]
HOUR = 3_600.0


class Knowing(QuietLive):
    """What the tests let the process know."""

    def __init__(self) -> None:
        self.quotas = Quotas()
        self.failing: list[Trouble] = []

    def record(self, account_id: UUID) -> Record | None:
        return self.quotas.record(account_id)

    def windows(self, account_id: UUID) -> list[Window]:
        record = self.quotas.record(account_id)
        return record.shown_windows() if record else []

    def troubles(self, account_id: UUID) -> list[Trouble]:
        return self.failing

    def saw(self, account_id: str, used: float, *, minutes: int = 300, resets_in: float = 4 * HOUR) -> None:
        now = time.time()
        window = Window(ACCOUNT, minutes, used, now, "usage", now + resets_in)
        self.quotas.observe(UUID(account_id), Observation("usage", now, windows=(window,)), now)


@pytest.fixture
def live() -> Knowing:
    return Knowing()


@pytest.fixture
def context(context: WebContext, live: Knowing) -> WebContext:
    return replace(context, live=live)


@pytest.fixture
async def account(owner: Browserless, pool: Any, make_auth_json: MakeAuthJson) -> Any:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json()}
    return (await owner.post("/upstreams/import", body))["account"]


async def remember(database: Database, account_id: str, *samples: tuple[float, float], kind: str = "5h") -> None:
    """Samples as (hours ago, percent), all of one cycle."""
    now = datetime.now(UTC)
    rows = [
        {
            "account_id": UUID(account_id),
            "limit_key": "account",
            "kind": kind,
            "observed_at": now - timedelta(hours=ago),
            "used_percent": used,
            "reset_at": now + timedelta(hours=4),
        }
        for ago, used in samples
    ]
    async with database.transaction() as session:
        for row in rows:
            await session.execute(sa.insert(quota_samples).values(**row))


async def test_a_window_says_when_it_will_be_full(
    owner: Browserless, account: Any, database: Database, live: Knowing
) -> None:
    await remember(database, account["id"], *((1 - step / 10, 20 + 4 * step) for step in range(10)))
    live.saw(account["id"], 60)
    [shown] = (await owner.get("/upstreams"))["items"]
    [window] = shown["windows"]
    assert window["burn_percent_per_hour"] == pytest.approx(40, abs=1)
    ahead = datetime.fromisoformat(window["exhausts_at"]) - datetime.now(UTC)
    assert ahead.total_seconds() == pytest.approx(HOUR, rel=0.05)
    assert shown["quota"]["freshness"] == "fresh"


async def test_a_window_that_starts_anew_before_it_is_full_says_nothing(
    owner: Browserless, account: Any, database: Database, live: Knowing
) -> None:
    await remember(database, account["id"], (0.9, 50), (0.5, 52))
    live.saw(account["id"], 54)
    [window] = (await owner.get(f"/upstreams/{account['id']}"))["windows"]
    assert window["burn_percent_per_hour"] > 0
    assert window["exhausts_at"] is None


async def test_burn_compares_the_last_minutes_with_the_hour_before(
    owner: Browserless, account: Any, pool: Any, log_turns: LogTurns
) -> None:
    now = datetime.now(UTC)
    serving = {"account_id": UUID(account["id"]), "pool_id": UUID(pool["id"])}
    await log_turns(3, **serving, input_tokens=900, output_tokens=100, admitted_at=now - timedelta(minutes=2))
    await log_turns(12, **serving, input_tokens=400, output_tokens=100, admitted_at=now - timedelta(minutes=30))
    await log_turns(5, **serving, input_tokens=9_000, admitted_at=now - timedelta(minutes=80))
    shown = await owner.get(f"/upstreams/{account['id']}")
    assert shown["burn"] == {"tokens_5m": 3_000, "baseline_5m": 500, "factor": 6.0}


async def test_an_account_without_turns_burns_nothing(owner: Browserless, account: Any) -> None:
    shown = await owner.get(f"/upstreams/{account['id']}")
    assert shown["burn"] == {"tokens_5m": 0, "baseline_5m": 0, "factor": None}
    assert shown["quota"] == {
        "freshness": "unknown",
        "observed_at": None,
        "provider_status": None,
        "credits": None,
        "spend": None,
    }


async def test_the_page_of_a_new_account_has_everything_and_knows_nothing(
    owner: Browserless, account: Any, pool: Any
) -> None:
    page = await owner.get(f"/upstreams/{account['id']}/cockpit")
    assert [vital["key"] for vital in page["vitals"]] == [
        "access_token",
        "renewal",
        "workspace_check",
        "quota_evidence",
        "quota_question",
        "last_turn",
    ]
    [lane] = page["lanes"]
    assert (lane["pool"], lane["verdict"], lane["success_rate_7d"]) == (
        {"id": pool["id"], "name": "Team"},
        "ready",
        None,
    )
    assert [(gate["gate"], gate["state"]) for gate in lane["gates"]] == [
        ("assignment", "pass"),
        ("health", "pass"),
        ("quota", "warn"),
        ("circuit", "pass"),
    ]
    assert (page["health"]["requests_24h"], page["health"]["p95_ms"]) == (0, None)
    assert page["recent"]["requests"] == []
    assert page["quota_history"]["series"] == []


async def test_failures_show_at_the_gates(owner: Browserless, account: Any, live: Knowing) -> None:
    now = time.time()
    live.saw(account["id"], 100)
    live.failing = [
        Trouble("proxy_stream", "open", 4, "upstream_5xx", now, now + 60),
        Trouble("proxy_http", "demoted", 1, "connect", now - 5, None),
    ]
    [lane] = (await owner.get(f"/upstreams/{account['id']}/cockpit"))["lanes"]
    gates = {gate["gate"]: (gate["state"], gate["reason"]) for gate in lane["gates"]}
    assert gates == {
        "assignment": ("pass", None),
        "health": ("warn", "upstream_5xx"),
        "quota": ("fail", "usage_limited"),
        "circuit": ("fail", "upstream_5xx"),
    }


async def test_health_adds_up_hours_and_names_errors(
    owner: Browserless, account: Any, pool: Any, database: Database, log_turns: LogTurns
) -> None:
    identity, home = UUID(account["id"]), UUID(pool["id"])
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    base = {"pool_id": home, "api_key_id": UUID(int=0), "account_id": identity, "model": "m", "service_tier": ""}
    counted = [(0, 10, 9, 1), (20, 5, 4, 1), (30, 4, 4, 0), (24 * 8, 100, 100, 0)]
    async with database.transaction() as session:
        for ago, requests, succeeded, failed in counted:
            row = {"hour": hour - timedelta(hours=ago), "requests": requests, "succeeded": succeeded, "failed": failed}
            await session.execute(sa.insert(usage_hourly).values(**base, **row))
    serving = {"account_id": identity, "pool_id": home}
    await log_turns(19, **serving, duration_ms=1_000, ttft_ms=200)
    await log_turns(1, **serving, duration_ms=9_000, ttft_ms=900)
    await log_turns(2, **serving, status="failed", error_code="upstream_5xx", duration_ms=60_000)
    health = await owner.get(f"/upstreams/{account['id']}/health")
    assert (health["requests_24h"], health["failed_24h"], health["failure_rate_24h"]) == (15, 2, 13.3)
    assert (health["requests_7d"], health["failed_7d"]) == (19, 2)
    assert (health["p50_ms"], health["p95_ttft_ms"]) == (1_000, 235)
    assert health["errors_24h"] == [{"code": "upstream_5xx", "turns": 2}]
    assert sum(day["ok"] for day in health["daily"]) == 17
    page = await owner.get(f"/upstreams/{account['id']}/cockpit")
    assert page["lanes"][0]["success_rate_7d"] == 89.5
    assert len(page["recent"]["requests"]) == 5


async def test_what_was_done_to_the_account_is_on_its_page(
    owner: Browserless, account: Any, database: Database, make_script: MakeScript, pool: Any
) -> None:
    event = {
        "id": uuid7(),
        "actor_type": "system",
        "action": "account.reauth_required",
        "target_type": "upstream_account",
        "target_id": UUID(account["id"]),
        "reason": "token_revoked",
        "occurred_at": datetime.now(UTC) + timedelta(minutes=1),
    }
    async with database.session() as session:
        await session.execute(sa.insert(audit_events).values(**event))
    newest = (await owner.get(f"/upstreams/{account['id']}/cockpit"))["recent"]["events"][0]
    assert (newest["actor"], newest["action"], newest["reason"]) == (
        "system",
        "account.reauth_required",
        "token_revoked",
    )
    viewer = await make_script("instance_viewer", pool["id"])
    assert (await viewer.get(f"/upstreams/{account['id']}/cockpit"))["recent"]["events"] == []


async def test_history_has_columns_of_at_most_120_steps_and_marks_resets(
    owner: Browserless, account: Any, database: Database
) -> None:
    identity, now = UUID(account["id"]), datetime.now(UTC)
    async with database.transaction() as session:
        for minutes in range(0, 48 * 60, 10):
            at = now - timedelta(minutes=minutes)
            cycle = int(at.timestamp()) // 18_000
            row = {
                "account_id": identity,
                "limit_key": "account",
                "kind": "5h",
                "observed_at": at,
                "used_percent": (at.timestamp() % 18_000) / 200,
                "reset_at": datetime.fromtimestamp((cycle + 1) * 18_000, UTC),
            }
            await session.execute(sa.insert(quota_samples).values(**row))
    for window, step in (("24h", 720), ("7d", 5_040), ("30d", 21_600)):
        history = await owner.get(f"/upstreams/{account['id']}/quota-history?window={window}")
        [series] = history["series"]
        assert (history["window"], history["bucket_seconds"]) == (window, step)
        assert (series["key"], series["label"]) == ("account:5h", "5 h")
        assert 0 < len(series["t"]) == len(series["used_percent"]) <= 120
        assert series["t"] == sorted(series["t"])
        assert all(at % step == 0 for at in series["t"])
    day = await owner.get(f"/upstreams/{account['id']}/quota-history?window=24h")
    resets = day["series"][0]["resets"]
    assert 4 <= len(resets) <= 5
    assert all(at % 18_000 <= 600 for at in resets)
    status, problem = await owner.call("GET", f"/upstreams/{account['id']}/quota-history?window=1y")
    assert status in (400, 422), problem


async def test_only_who_sees_the_account_sees_its_page(
    owner: Browserless, account: Any, make_script: MakeScript
) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    stranger = await make_script("instance_admin", other["id"])
    for path in ("cockpit", "health", "quota-history"):
        assert (await stranger.call("GET", f"/upstreams/{account['id']}/{path}"))[0] == 404


async def test_a_pools_forecast_is_told_with_and_without_each_account(
    owner: Browserless, account: Any, pool: Any, database: Database, live: Knowing, make_auth_json: MakeAuthJson
) -> None:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json("acct-2", user="user-2", email="bob@example.com")}
    second = (await owner.post("/upstreams/import", body))["account"]
    await remember(database, account["id"], *((1 - step / 10, 10 + 4 * step) for step in range(10)))
    live.saw(account["id"], 50)
    live.saw(second["id"], 50)
    [shown] = (await owner.get(f"/stats/quota-forecast?pool_id={pool['id']}"))["items"]
    [window] = shown["windows"]
    assert (window["key"], window["remaining_percent"]) == ("account:5h", 50.0)
    assert window["burn_percent_per_hour"] == pytest.approx(20, abs=1)
    hours = _hours_ahead(window["exhausts_at"])
    assert hours == pytest.approx(2.5, rel=0.05)
    assert _hours_ahead(shown["exhausts_at"]) == hours
    for part in window["accounts"]:
        assert _hours_ahead(part["pool_exhausts_at_without"]) == pytest.approx(1.25, rel=0.05)
    assert shown["unknown_accounts"] == 0


def _hours_ahead(text: str) -> float:
    return round((datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() / HOUR, 2)


async def test_a_pool_with_an_account_that_nothing_is_known_of_does_not_end(
    owner: Browserless, account: Any, pool: Any, database: Database, live: Knowing, make_auth_json: MakeAuthJson
) -> None:
    await remember(database, account["id"], (1.0, 10), (0.5, 50))
    live.saw(account["id"], 90)
    assert (await owner.get("/stats/quota-forecast"))["items"][0]["exhausts_at"]
    body = {"pool_id": pool["id"], "auth_json": make_auth_json("acct-2", user="user-2", email="bob@example.com")}
    await owner.post("/upstreams/import", body)
    [shown] = (await owner.get("/stats/quota-forecast"))["items"]
    assert (shown["exhausts_at"], shown["unknown_accounts"]) == (None, 1)


async def test_an_empty_pool_has_an_empty_forecast_and_others_are_not_shown(
    owner: Browserless, account: Any, pool: Any, make_script: MakeScript
) -> None:
    other = await owner.post("/pools", {"name": "Other"})
    admin = await make_script("instance_admin", other["id"])
    [shown] = (await admin.get("/stats/quota-forecast"))["items"]
    assert (shown["pool"]["name"], shown["windows"], shown["exhausts_at"]) == ("Other", [], None)
    assert (await admin.call("GET", f"/stats/quota-forecast?pool_id={pool['id']}"))[0] == 404
