"""A pool's quota is that of its accounts together, each counting as much as its plan may use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

import pytest

from codex_pooler.quota.evidence import from_event, from_headers, from_usage
from codex_pooler.quota.pool_view import PoolQuota
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.quota.wire import limit_event, limit_headers, usage_document
from tests.quota.statements import DAY, HOUR, NOW, head, poll, usage, window

MODEL = "gpt-5.5"


@dataclass(frozen=True)
class Login:
    """As much of an account as a view needs."""

    id: UUID
    plan_type: str | None


PLUS, PRO, FREE = Login(UUID(int=1), "plus"), Login(UUID(int=2), "pro"), Login(UUID(int=3), "free")


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


def view(quotas: Quotas, *accounts: Login, now: float = NOW) -> PoolQuota:
    return quotas.pool_view(accounts, None, now)


def test_percentages_are_weighted_by_what_plans_may_use(quotas: Quotas) -> None:
    quotas.observe(PLUS.id, poll(100, weekly=80), NOW)
    quotas.observe(PRO.id, poll(10, weekly=20), NOW)
    seen = view(quotas, PLUS, PRO).account
    assert seen.primary is not None
    assert seen.secondary is not None
    assert seen.primary.used_percent == pytest.approx((225 * 100 + 1_500 * 10) / 1_725)
    assert seen.secondary.used_percent == pytest.approx((7_560 * 80 + 50_400 * 20) / 57_960)


def test_the_earliest_reset_counts_and_passed_ones_count_as_empty(quotas: Quotas) -> None:
    quotas.observe(PLUS.id, head(80, resets_in=HOUR), NOW)
    quotas.observe(PRO.id, head(50, resets_in=2 * HOUR), NOW)
    seen = view(quotas, PLUS, PRO).account.primary
    assert seen is not None
    assert seen.reset_at == NOW + HOUR
    later = view(quotas, PLUS, PRO, now=NOW + HOUR).account.primary
    assert later is not None
    assert later.reset_at == NOW + 2 * HOUR
    assert later.used_percent == pytest.approx(1_500 * 50 / 1_725)


def test_a_pool_is_exhausted_when_every_account_is(quotas: Quotas) -> None:
    quotas.observe(PLUS.id, poll(100), NOW)
    quotas.observe(PRO.id, poll(10), NOW)
    assert (view(quotas, PLUS, PRO).allowed, view(quotas, PLUS, PRO).limit_reached) == (True, False)
    quotas.refuse(PRO.id, refusal_of("usage_limit_reached", NOW + HOUR, None, "", MODEL), NOW)
    assert (view(quotas, PLUS, PRO).allowed, view(quotas, PLUS, PRO).limit_reached) == (False, True)


def test_accounts_that_cannot_be_used_at_all_count_for_nothing(quotas: Quotas) -> None:
    quotas.observe(PLUS.id, poll(40), NOW)
    quotas.observe(PRO.id, poll(10), NOW)
    quotas.refuse(PRO.id, refusal_of("token_revoked", None, None, "", MODEL), NOW)
    seen = view(quotas, PLUS, PRO)
    assert seen.account.primary is not None
    assert (seen.account.primary.used_percent, seen.plan_type) == (40.0, "plus")


def test_the_plan_is_that_of_the_biggest_account_and_credits_add_up(quotas: Quotas) -> None:
    credits = {"has_credits": True, "unlimited": False, "balance": "12.5"}
    quotas.observe(PLUS.id, poll(1, credits=credits), NOW)
    quotas.observe(PRO.id, poll(1, credits=credits | {"balance": 30}), NOW)
    quotas.observe(FREE.id, poll(1, credits={"has_credits": False, "unlimited": False}), NOW)
    seen = view(quotas, FREE, PLUS, PRO)
    assert seen.plan_type == "pro"
    assert seen.credits is not None
    assert (seen.credits.has_credits, seen.credits.unlimited, seen.credits.balance) == (True, False, 42.5)


def test_nothing_known_is_told_as_nothing(quotas: Quotas) -> None:
    seen = view(quotas, PLUS)
    assert (seen.observed, seen.allowed, seen.account.primary, seen.credits) == (False, True, None, None)
    assert limit_headers(seen) == []
    assert view(quotas).plan_type is None


def test_a_view_by_key_is_made_once_a_second(quotas: Quotas) -> None:
    quotas.observe(PLUS.id, poll(10), NOW)
    first = quotas.pool_view([PLUS], None, NOW, key="pool")
    assert quotas.pool_view([PLUS], None, NOW + 0.9, key="pool") is first
    assert quotas.pool_view([PLUS], MODEL, NOW + 0.9, key="pool") is not first
    assert quotas.pool_view([PLUS], None, NOW + 1.0, key="pool") is not first


def known(quotas: Quotas) -> PoolQuota:
    limits = [
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_bengalfox",
            "rate_limit": {"primary_window": window(100)},
        }
    ]
    credits = {"has_credits": True, "unlimited": False, "balance": "12.5"}
    quotas.observe(PRO.id, poll(42.6, weekly=7, additional_rate_limits=limits, credits=credits), NOW)
    return view(quotas, PRO)


def test_the_usage_document_has_the_shape_that_codex_reads(quotas: Quotas) -> None:
    assert usage_document(known(quotas), NOW) == {
        "plan_type": "pro",
        "rate_limit": {
            "allowed": True,
            "limit_reached": False,
            "primary_window": {
                "used_percent": 42,
                "limit_window_seconds": 18_000,
                "reset_after_seconds": 3_600,
                "reset_at": int(NOW + HOUR),
            },
            "secondary_window": {
                "used_percent": 7,
                "limit_window_seconds": 604_800,
                "reset_after_seconds": 432_000,
                "reset_at": int(NOW + 5 * DAY),
            },
        },
        "additional_rate_limits": [
            {
                "quota_key": "codex_spark",
                "limit_name": "GPT-5.3-Codex-Spark",
                "display_label": "GPT-5.3-Codex-Spark",
                "metered_feature": "codex_spark",
                "rate_limit": {
                    "allowed": False,
                    "limit_reached": True,
                    "primary_window": {
                        "used_percent": 100,
                        "limit_window_seconds": 18_000,
                        "reset_after_seconds": 3_600,
                        "reset_at": int(NOW + HOUR),
                    },
                    "secondary_window": None,
                },
            }
        ],
        "credits": {"has_credits": True, "unlimited": False, "balance": "12"},
    }


def test_what_is_told_reads_back_as_what_was_meant(quotas: Quotas) -> None:
    told = known(quotas)
    by_usage = from_usage(json.dumps(usage_document(told, NOW)).encode(), NOW)
    by_head = from_headers(limit_headers(told), NOW)
    by_event = from_event(limit_event(told, NOW), NOW)
    for seen in (by_usage, by_head, by_event):
        assert seen is not None
        account = [(w.kind, int(w.used_percent), w.reset_at) for w in seen.windows if w.limit_key == "account"]
        assert account == [("5h", 42, NOW + HOUR), ("7d", 7, NOW + 5 * DAY)]
        assert seen.credits is not None
        assert seen.credits.balance == 12.0


def test_weekly_only_plans_are_told_in_the_weekly_slot(quotas: Quotas) -> None:
    quotas.observe(FREE.id, usage({"rate_limit": {"primary_window": window(30, 10_080, DAY)}}), NOW)
    names = [name for name, _ in limit_headers(view(quotas, FREE))]
    assert names == [
        "x-codex-secondary-used-percent",
        "x-codex-secondary-window-minutes",
        "x-codex-secondary-reset-at",
    ]
