"""What operators see of saved resets, and what they may set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.tables import quota_states, saved_reset_checks, saved_reset_claims, saved_resets
from tests.web.admin.conftest import Browserless, MakeScript

DEFAULTS = {
    "auto_redeem_enabled": False,
    "trigger_mode": "blocked",
    "quota_threshold_percent": 95,
    "min_blocked_minutes": 60,
    "keep_credits": 0,
}


@pytest.fixture
async def account(owner: Browserless, pool: Any, make_auth_json: Callable[..., dict[str, Any]]) -> str:
    body = {"pool_id": pool["id"], "auth_json": make_auth_json(), "label": "one"}
    return str((await owner.post("/upstreams/import", body))["account"]["id"])


async def insert(database: Database, table: sa.Table, **values: Any) -> None:
    async with database.session() as session:
        await session.execute(sa.insert(table).values(**values))


async def test_an_account_that_never_reported_any_says_so(owner: Browserless, account: str) -> None:
    shown = await owner.get(f"/upstreams/{account}/saved-resets")
    assert (shown["available"], shown["next_expires_at"], shown["items"], shown["redemptions"]) == (None, None, [], [])
    assert shown["policy"] == DEFAULTS
    assert shown["redeem_refusal"] == "The backend has not told how many there are."
    brief = (await owner.get(f"/upstreams/{account}"))["saved_resets"]
    assert brief == {name: shown[name] for name in ("available", "next_expires_at", "policy", "awaiting_confirmation")}


async def test_a_reported_count_is_shown_until_the_list_is_read(
    owner: Browserless, account: str, database: Database
) -> None:
    now = datetime.now(UTC)
    identity = UUID(account)
    await insert(database, quota_states, account_id=identity, state={"saved_resets": 3}, observed_at=now)
    assert (await owner.get(f"/upstreams/{account}/saved-resets"))["available"] == 3
    await insert(database, saved_reset_checks, account_id=identity, claimed_at=now, checked_at=now, available=1)
    shown = await owner.get(f"/upstreams/{account}/saved-resets")
    assert (shown["available"], shown["redeem_refusal"]) == (1, None)


async def test_each_saved_reset_and_each_redemption_has_its_state(
    owner: Browserless, account: str, database: Database
) -> None:
    now, identity = datetime.now(UTC), UUID(account)
    listed = {
        "c1": ("available", 1, "awaiting_confirmation"),
        "c2": ("available", 2, "available"),
        "c3": ("available", -1, "expired"),
        "c4": ("redeemed", 4, "consumed"),
        "c5": ("gone", 5, "consumed"),
        "c6": ("gone", -2, "expired"),
    }
    for name, (status, days, _) in listed.items():
        row = {"credit_id": name, "status": status, "expires_at": now + timedelta(days=days)}
        await insert(database, saved_resets, account_id=identity, **row)
    phases = {"expired": "confirmation_expired", "noop": "not_applied", "confirmed": "confirmed"}
    for age, phase in enumerate([*phases, "unknown"]):
        row = {"credit_id": "c1", "phase": phase, "created_at": now - timedelta(hours=9 - age), "trigger": "blocked"}
        await insert(database, saved_reset_claims, id=uuid7(), account_id=identity, **row)
    shown = await owner.get(f"/upstreams/{account}/saved-resets")
    assert {each["id"]: each["state"] for each in shown["items"]} == {name: each[2] for name, each in listed.items()}
    assert [each["state"] for each in shown["redemptions"]] == [
        "awaiting_confirmation",
        *reversed(list(phases.values())),
    ]
    assert shown["awaiting_confirmation"]
    assert shown["redeem_refusal"] == "One of them is being spent right now."
    assert shown["next_expires_at"] == shown["items"][2]["expires_at"], "c1, of those that have not expired"


async def test_a_policy_is_kept_and_its_change_is_written_down(owner: Browserless, account: str) -> None:
    wanted = DEFAULTS | {"auto_redeem_enabled": True, "trigger_mode": "threshold", "keep_credits": 2}
    path = f"/upstreams/{account}/saved-reset-policy"
    assert await owner.get(path) == DEFAULTS
    assert await owner.call("PUT", path, wanted) == (200, wanted)
    assert await owner.get(path) == wanted
    assert (await owner.get(f"/upstreams/{account}"))["saved_resets"]["policy"] == wanted
    [event] = (await owner.get("/audit-logs?action=upstream_account.saved_reset_policy_update"))["items"]
    [change] = event["changes"]
    assert (change["before"], change["after"]) == (DEFAULTS, wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"trigger_mode": "always"},
        {"quota_threshold_percent": 0},
        {"quota_threshold_percent": 101},
        {"min_blocked_minutes": -1},
        {"keep_credits": -1},
        {"keep_credits": "1"},
        {"auto_redeem_enabled": "yes"},
        {"more": 1},
    ],
)
async def test_a_policy_that_cannot_be_is_refused(owner: Browserless, account: str, change: dict[str, Any]) -> None:
    status, problem = await owner.call("PUT", f"/upstreams/{account}/saved-reset-policy", DEFAULTS | change)
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}" for name in change]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"confirm": False, "expected_available": 1}, 422, "validation_failed"),
        ({"expected_available": 1}, 422, "validation_failed"),
        ({"confirm": True, "expected_available": 0}, 422, "validation_failed"),
        ({"confirm": True, "expected_available": 1}, 409, "login_needed"),
    ],
)
async def test_spending_one_needs_a_persons_word_and_a_login(
    owner: Browserless, account: str, body: dict[str, Any], status: int, code: str
) -> None:
    answered, problem = await owner.call("POST", f"/upstreams/{account}/saved-resets/redeem", body)
    assert (answered, problem["code"]) == (status, code)


async def test_who_may_only_look_changes_and_spends_nothing(make_script: MakeScript, pool: Any, account: str) -> None:
    viewer, stranger = await make_script("instance_viewer"), await make_script("instance_admin")
    body = {"confirm": True, "expected_available": 1}
    for method, path, sent in (
        ("PUT", "saved-reset-policy", DEFAULTS),
        ("POST", "saved-resets/redeem", body),
    ):
        assert (await viewer.call(method, f"/upstreams/{account}/{path}", sent))[0] == 403
        assert (await stranger.call(method, f"/upstreams/{account}/{path}", sent))[0] == 404
    assert (await stranger.call("GET", f"/upstreams/{account}/saved-resets"))[0] == 404
