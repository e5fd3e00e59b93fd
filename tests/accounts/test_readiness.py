"""Verdicts about accounts and pools, and what an operator may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from codex_pooler.accounts.identity import account_ref, identity_key, masked_email, plan_of
from codex_pooler.accounts.readiness import READINESS_STATES, AccountFacts, pool_health, readiness
from codex_pooler.accounts.states import AccountActionRefused, after, refusals
from codex_pooler.storage.tables import ACCOUNT_STATES

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)
GOOD = AccountFacts("active", LATER, None, None, True)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "ready"),
        ({"access_expires_at": None}, "ready"),
        ({"cooling_until": EARLIER, "blocked_until": EARLIER}, "ready"),
        ({"cooling_until": LATER}, "cooling_down"),
        ({"blocked_until": LATER, "cooling_until": LATER}, "quota_blocked"),
        ({"access_expires_at": NOW}, "token_expired"),
        ({"in_a_pool": False}, "no_pool"),
        ({"is_probed": True, "is_renewing": True}, "recovering"),
        ({"is_renewing": True}, "ready_refreshing"),
        ({"state": "paused", "blocked_until": LATER}, "paused"),
        ({"state": "reauth_required"}, "reauth_required"),
        ({"state": "pending"}, "reauth_required"),
        ({"state": "disabled"}, "disabled"),
    ],
)
def test_the_first_obstacle_is_the_verdict(facts: dict[str, Any], state: str) -> None:
    found = readiness(replace(GOOD, **facts), NOW)
    assert found.state == state
    assert found.state in READINESS_STATES
    assert found.can_serve is (found.state in ("ready", "ready_refreshing", "recovering"))
    assert (found.until is not None) == (state in ("cooling_down", "quota_blocked"))


@pytest.mark.parametrize(
    ("status", "members", "verdict"),
    [
        ("active", [True, True], "ok"),
        ("active", [True, False], "degraded"),
        ("active", [False], "down"),
        ("active", [], "empty"),
        ("disabled", [True], "down"),
        ("archived", [], "down"),
    ],
)
def test_a_pool_is_as_well_as_its_accounts(status: str, members: list[bool], verdict: str) -> None:
    health = pool_health(status, members)
    assert health.verdict == verdict
    assert bool(health.reasons) == (verdict != "ok")


@pytest.mark.parametrize("state", ACCOUNT_STATES)
def test_an_action_works_exactly_where_it_is_offered(state: str) -> None:
    for action in ("pause", "reactivate"):
        if refusals(state)[action] is None:
            assert after(action, state) in ACCOUNT_STATES
        else:
            with pytest.raises(AccountActionRefused):
                after(action, state)


def test_a_needed_login_cannot_be_wished_away() -> None:
    assert refusals("reauth_required")["reactivate"]


@pytest.mark.parametrize(
    ("claim", "family", "label"),
    [
        ("plus", "plus", "Plus"),
        ("ChatGPT_Pro", "pro", "Pro"),
        (None, None, "Unknown"),
        ("", None, "Unknown"),
        ("self serve-x", "self_serve_x", "Self serve x"),
    ],
)
def test_plans_are_named(claim: str | None, family: str | None, label: str) -> None:
    assert (plan_of(claim).family, plan_of(claim).label) == (family, label)


def test_references_do_not_tell_who_it_is() -> None:
    assert masked_email("anna@example.com") == "a***@example.com"
    assert masked_email(None) is None
    assert len(account_ref("acct-1")) == 12
    assert "acct" not in account_ref("acct-1")
    assert identity_key("a", None, "u") == "a||u"


@pytest.mark.parametrize(
    ("state", "login_refused", "possible"),
    [
        ("active", False, True),
        ("paused", False, True),
        ("disabled", False, False),
        ("pending", False, False),
        ("reauth_required", False, False),
        ("active", True, False),
        ("paused", True, False),
    ],
)
def test_a_login_can_be_renewed_unless_it_is_refused_or_missing(
    state: str, login_refused: bool, possible: bool
) -> None:
    assert (refusals(state, login_refused=login_refused)["refresh"] is None) == possible


@pytest.mark.parametrize(
    ("state", "login_refused", "possible"),
    [("reauth_required", False, True), ("paused", True, True), ("active", False, False), ("disabled", False, False)],
)
def test_only_who_has_to_log_in_again_is_invited_to(state: str, login_refused: bool, possible: bool) -> None:
    assert (refusals(state, login_refused=login_refused)["reinvite"] is None) == possible


def test_reactivating_without_a_good_login_leads_to_the_need_for_one() -> None:
    assert after("reactivate", "paused") == "active"
    assert after("reactivate", "paused", login_refused=True) == "reauth_required"
    assert after("pause", "reauth_required", login_refused=True) == "paused"


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("usage_limited", "Usage limit reached"),
        ("spend_limited", "Spending limit reached"),
        ("not_included", "Plan does not include Codex"),
        ("login_refused", "Login refused for the moment"),
        (None, "Usage limit reached"),
    ],
)
def test_the_label_says_which_limit_it_is(reason: str | None, label: str) -> None:
    found = readiness(replace(GOOD, blocked_until=LATER, blocked_reason=reason), NOW)
    assert (found.state, found.label, found.until) == ("quota_blocked", label, LATER)
