"""What operators see of an account's quota beside its windows."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from codex_pooler.quota.forecast import Outlook
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.record import Record
from codex_pooler.web.admin.evidence import all_windows, quota_view
from tests.quota.statements import HOUR, NOW, metered, poll

A = UUID(int=1)


def record_of(*seen: object) -> Record:
    quotas = Quotas()
    for observation in seen:
        quotas.observe(A, observation, NOW)  # type: ignore[arg-type]
    record = quotas.record(A)
    assert record is not None
    return record


def test_scenario_27_a_metered_account_shows_what_it_spent_of_its_limit() -> None:
    record = record_of(metered(32))
    shown = quota_view(record, NOW + 60, {("spend", "30d"): Outlook(2.0, NOW + 11 * HOUR)})
    spend = shown["spend"]
    assert (spend["used"], spend["limit"], spend["remaining"]) == (8_000, 25_000, 17_000)
    assert (spend["used_percent"], spend["reached"]) == (32, False)
    assert spend["resets_at"] == datetime.fromtimestamp(NOW + 12 * HOUR, UTC)
    assert spend["exhausts_at"] == datetime.fromtimestamp(NOW + 11 * HOUR, UTC)
    assert (shown["freshness"], shown["provider_status"]) == ("fresh", None)
    assert [window.limit_key for window in all_windows(record)] == ["spend"]
    assert quota_view(record_of(metered(100, reached=True)), NOW)["spend"]["reached"] is True


def test_a_spending_limit_whose_month_is_over_is_unspent() -> None:
    spend = quota_view(record_of(metered(100, reached=True)), NOW + 13 * HOUR)["spend"]
    assert (spend["used"], spend["remaining"], spend["used_percent"], spend["reached"]) == (0, 25_000, 0, False)


def test_the_backends_own_verdict_is_shown() -> None:
    assert quota_view(record_of(poll(40)), NOW)["provider_status"] == {
        "allowed": True,
        "limit_reached": False,
        "reached_type": None,
    }
    reached = record_of(poll(100, rate_limit_reached_type={"type": "workspace_owner_credits_depleted"}))
    assert quota_view(reached, NOW)["provider_status"] == {
        "allowed": False,
        "limit_reached": True,
        "reached_type": "workspace_owner_credits_depleted",
    }


def test_credits_are_shown_with_whether_they_are_being_spent() -> None:
    held = {"has_credits": True, "unlimited": False, "balance": "12.5"}
    assert quota_view(record_of(poll(40, credits=held)), NOW)["credits"] == {
        "has_credits": True,
        "unlimited": False,
        "balance": 12.5,
        "overage_reached": None,
        "burning": False,
    }
    full = record_of(poll(40, weekly=100, credits=held))
    assert quota_view(full, NOW)["credits"]["balance"] == 12.5


def test_nothing_known_is_told_as_unknown_and_old_figures_as_stale() -> None:
    assert quota_view(None, NOW)["freshness"] == "unknown"
    assert quota_view(record_of(poll(40)), NOW + 2 * HOUR)["freshness"] == "stale"
