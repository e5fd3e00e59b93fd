"""How evidence and refusals meet, and what follows for routing: the rules of the quota model, one by one."""

from __future__ import annotations

from math import inf
from uuid import UUID

import pytest

from codex_pooler.quota.facts import Observation
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.quota.standing import BLOCKED, KNOWN_GOOD, ON_CREDITS, UNKNOWN, Standing
from tests.quota.statements import DAY, HOUR, NOW, event, head, metered, poll, usage, window

A, B = UUID(int=1), UUID(int=2)
MODEL, SPARK = "gpt-5.5", "gpt-5.3-codex-spark"


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


def limited(quotas: Quotas, at: float = NOW, *, resets_in: float | None = 2 * HOUR, model: str = MODEL) -> None:
    """The account answers 429 ``usage_limit_reached``."""
    resets_at = None if resets_in is None else at + resets_in
    quotas.refuse(A, refusal_of("usage_limit_reached", resets_at, None, "The usage limit has been reached", model), at)


def used(quotas: Quotas, kind: str = "5h") -> float:
    record = quotas.record(A)
    assert record is not None
    return record.windows["account", kind].used_percent


# -- evidence


def test_scenario_22_every_source_updates_the_same_window_and_the_older_never_wins(quotas: Quotas) -> None:
    for step, seen in enumerate((head(10), event(20, NOW + 1), poll(30, NOW + 2), head(40, at=NOW + 3)), start=1):
        quotas.observe(A, seen, NOW + step)
        assert used(quotas) == step * 10
    quotas.observe(A, event(5, NOW + 2.5), NOW + 4)
    assert used(quotas) == 40.0
    record = quotas.record(A)
    assert record is not None
    assert list(record.windows) == [("account", "5h")]


def test_scenario_23_a_weekly_window_in_the_first_slot_is_routed_by_as_weekly(quotas: Quotas) -> None:
    body = {"rate_limit": {"allowed": True, "limit_reached": False, "primary_window": window(40, 10_080, 3 * DAY)}}
    quotas.observe(A, usage(body), NOW)
    standing = quotas.standing(A, MODEL, NOW)
    assert (standing.primary_used, standing.secondary_used) == (None, 40.0)
    assert (standing.grade, standing.remaining, standing.resets_at) == (KNOWN_GOOD, 0.6, NOW + 3 * DAY)


def test_a_statement_without_reset_keeps_the_one_that_is_known(quotas: Quotas) -> None:
    quotas.observe(A, head(100, resets_in=HOUR), NOW)
    quotas.observe(A, head(100, at=NOW + 61, resets_in=None), NOW + 61)
    assert quotas.standing(A, MODEL, NOW + 62).until == NOW + HOUR


def test_after_its_reset_a_window_counts_as_empty_until_the_next_statement(quotas: Quotas) -> None:
    quotas.observe(A, head(100, 30, resets_in=HOUR), NOW)
    assert quotas.standing(A, MODEL, NOW + HOUR - 1).grade == BLOCKED
    standing = quotas.standing(A, MODEL, NOW + HOUR)
    assert (standing.grade, standing.primary_used, standing.remaining) == (UNKNOWN, 0.0, 0.7)


def test_a_full_window_without_reset_is_believed_for_five_minutes(quotas: Quotas) -> None:
    quotas.observe(A, head(100, resets_in=None), NOW)
    standing = quotas.standing(A, MODEL, NOW)
    assert (standing.grade, standing.until, standing.valid_until) == (BLOCKED, None, NOW + 300)
    assert quotas.standing(A, MODEL, NOW + 300).grade == UNKNOWN


def test_a_window_that_is_no_longer_reported_is_forgotten(quotas: Quotas) -> None:
    month = {"allowed": False, "limit_reached": True, "primary_window": window(100, 43_200, 20 * DAY)}
    quotas.observe(A, usage({"rate_limit": month}), NOW)
    assert quotas.standing(A, MODEL, NOW).reason == "usage_limited"
    quotas.observe(A, poll(10, NOW + 901, weekly=10), NOW + 901)
    assert quotas.standing(A, MODEL, NOW + 901).grade == KNOWN_GOOD


def test_repeating_what_is_known_changes_nothing(quotas: Quotas) -> None:
    quotas.observe(A, head(10, 20), NOW)
    version, standing = quotas.version, quotas.standing(A, MODEL, NOW)
    quotas.observe(A, head(10, 20, NOW + 30), NOW + 30)
    assert quotas.version == version
    assert quotas.standing(A, MODEL, NOW + 31) is standing


# -- grades


def test_scenario_26_an_account_without_evidence_serves_its_first_request(quotas: Quotas) -> None:
    assert quotas.standing(A, MODEL, NOW) == Standing(UNKNOWN, 0.5, never_observed=True, valid_until=inf)
    quotas.served(A, MODEL, NOW)
    assert not quotas.standing(A, MODEL, NOW).never_observed


def test_fresh_evidence_is_known_good_and_old_evidence_unknown(quotas: Quotas) -> None:
    quotas.observe(A, head(10, 60), NOW)
    assert quotas.standing(A, MODEL, NOW).grade == KNOWN_GOOD
    assert quotas.standing(A, MODEL, NOW).remaining == 0.4
    assert quotas.standing(A, MODEL, NOW + 1_799).grade == KNOWN_GOOD
    assert quotas.standing(A, MODEL, NOW + 1_800).grade == UNKNOWN


def test_scenario_27_a_metered_account_is_routable_until_its_spending_limit_is_reached(quotas: Quotas) -> None:
    quotas.observe(A, metered(32), NOW)
    standing = quotas.standing(A, MODEL, NOW)
    assert (standing.grade, standing.remaining, standing.never_observed) == (UNKNOWN, 0.68, False)
    record = quotas.record(A)
    assert record is not None
    assert record.spend is not None
    assert (record.spend.used, record.spend.limit) == (8_000.0, 25_000.0)
    quotas.observe(A, metered(100, reached=True, at=NOW + 60), NOW + 60)
    standing = quotas.standing(A, MODEL, NOW + 60)
    assert (standing.grade, standing.reason, standing.until) == (BLOCKED, "spend_limited", NOW + 12 * HOUR)


CREDITS = {"has_credits": True, "unlimited": False, "balance": "12.5"}

# what the usage endpoint says -> grade and reason
JUDGEMENTS: list[tuple[str, Observation, int, str | None]] = [
    ("room in both windows", poll(20, weekly=30), KNOWN_GOOD, None),
    ("short window full", poll(100, weekly=30), BLOCKED, "usage_limited"),
    ("week full", poll(20, weekly=100), BLOCKED, "usage_limited"),
    (
        "refused although credits are left",
        poll(20, weekly=100, credits=CREDITS),
        BLOCKED,
        "usage_limited",
    ),
    ("refused although there is room", usage({"rate_limit": {"allowed": False}}), BLOCKED, "usage_limited"),
    ("limit reached although there is room", usage({"rate_limit": {"limit_reached": True}}), BLOCKED, "usage_limited"),
    ("spending limit reached", metered(100, reached=True), BLOCKED, "spend_limited"),
    (
        "overage used up",
        metered(credits={"has_credits": True, "unlimited": False, "overage_limit_reached": True}),
        BLOCKED,
        "spend_limited",
    ),
    (
        "overage used up, but the plan has room",
        poll(20, weekly=30, credits={"has_credits": True, "unlimited": False, "overage_limit_reached": True}),
        KNOWN_GOOD,
        None,
    ),
    ("a metered plan stops", metered(rate_limit_reached_type={"type": "rate_limit_reached"}), BLOCKED, "usage_limited"),
    (
        "a workspace has no credits left",
        metered(rate_limit_reached_type="workspace_member_credits_depleted"),
        BLOCKED,
        "spend_limited",
    ),
    (
        "the model is closed",
        poll(20, weekly=30, model_usage={MODEL: {"available": False, "available_at": None}}),
        BLOCKED,
        "model_unavailable",
    ),
    (
        "another model is closed",
        poll(20, weekly=30, model_usage={"gpt-6-astra": {"available": False}}),
        KNOWN_GOOD,
        None,
    ),
    (
        "code reviews are used up",
        poll(20, weekly=30, code_review_rate_limit={"allowed": False, "primary_window": window(100)}),
        KNOWN_GOOD,
        None,
    ),
    (
        "some feature is used up",
        poll(
            20,
            weekly=30,
            additional_rate_limits=[{"limit_name": "cloud", "rate_limit": {"primary_window": window(100)}}],
        ),
        KNOWN_GOOD,
        None,
    ),
]


@pytest.mark.parametrize(
    ("seen", "grade", "reason"), [row[1:] for row in JUDGEMENTS], ids=[row[0] for row in JUDGEMENTS]
)
def test_what_the_usage_endpoint_says_decides(
    quotas: Quotas, seen: Observation, grade: int, reason: str | None
) -> None:
    quotas.observe(A, seen, NOW)
    standing = quotas.standing(A, MODEL, NOW + 1)
    assert (standing.grade, standing.reason) == (grade, reason)


@pytest.mark.parametrize(
    ("credits", "grade"),
    [
        (CREDITS, ON_CREDITS),
        ({"has_credits": False, "unlimited": True, "balance": None}, ON_CREDITS),
        ({"has_credits": True, "unlimited": False, "balance": None}, ON_CREDITS),
        ({"has_credits": True, "unlimited": False, "balance": "0"}, BLOCKED),
        ({"has_credits": False, "unlimited": False, "balance": None}, BLOCKED),
        (CREDITS | {"overage_limit_reached": True}, BLOCKED),
    ],
)
def test_credits_stand_in_for_a_full_week(quotas: Quotas, credits: dict[str, object], grade: int) -> None:
    rate_limit = {"primary_window": window(20), "secondary_window": window(100, 10_080, DAY)}
    quotas.observe(
        A, usage({"rate_limit": rate_limit | {"allowed": True, "limit_reached": True}, "credits": credits}), NOW
    )
    assert quotas.standing(A, MODEL, NOW).grade == grade


def test_credits_do_not_stand_in_for_a_full_five_hours(quotas: Quotas) -> None:
    rate_limit = {"primary_window": window(100), "secondary_window": window(50, 10_080, DAY)}
    quotas.observe(A, usage({"rate_limit": rate_limit | {"allowed": True}, "credits": CREDITS}), NOW)
    assert quotas.standing(A, MODEL, NOW).reason == "usage_limited"


def test_a_verdict_without_an_end_is_asked_about_again_after_half_an_hour(quotas: Quotas) -> None:
    quotas.observe(A, usage({"rate_limit": {"allowed": False}}), NOW)
    standing = quotas.standing(A, MODEL, NOW)
    assert (standing.until, standing.valid_until) == (None, NOW + 1_800)
    assert quotas.standing(A, MODEL, NOW + 1_800).grade == UNKNOWN


def test_the_end_of_the_longest_obstacle_is_what_counts(quotas: Quotas) -> None:
    quotas.observe(A, poll(100, weekly=100), NOW)
    limited(quotas, NOW + 1, resets_in=HOUR)
    assert quotas.standing(A, MODEL, NOW + 2).until == NOW + 5 * DAY


# -- refusals


def test_scenario_24_a_usage_limit_blocks_until_its_reset_and_fresh_evidence_unblocks(quotas: Quotas) -> None:
    quotas.observe(A, poll(97, NOW - 60, weekly=50), NOW - 60)
    limited(quotas)
    assert quotas.standing(A, MODEL, NOW + 1).until == NOW + 2 * HOUR
    assert quotas.standing(A, MODEL, NOW + 2 * HOUR - 1).grade == BLOCKED
    quotas.observe(A, poll(5, NOW + 20, weekly=50), NOW + 20)
    assert quotas.standing(A, MODEL, NOW + 20).grade == BLOCKED, "the usage endpoint lags behind for 30 seconds"
    quotas.observe(A, poll(5, NOW + 31, weekly=50), NOW + 31)
    assert quotas.standing(A, MODEL, NOW + 31).grade == KNOWN_GOOD


def test_an_empty_window_with_the_old_reset_is_ignored_for_thirty_seconds_after_a_refusal(quotas: Quotas) -> None:
    quotas.observe(A, poll(97, NOW - 60), NOW - 60)
    limited(quotas)
    quotas.observe(A, poll(0, NOW + 29), NOW + 29)
    assert used(quotas) == 97.0
    quotas.observe(A, poll(0, NOW + 31), NOW + 31)
    assert used(quotas) == 0.0
    assert quotas.standing(A, MODEL, NOW + 31).grade == KNOWN_GOOD


def test_what_came_with_a_refusal_cannot_contradict_it(quotas: Quotas) -> None:
    limited(quotas)
    quotas.observe(A, head(25, 30, NOW + 0.01), NOW + 0.01)
    assert quotas.standing(A, MODEL, NOW + 1).grade == BLOCKED
    quotas.observe(A, head(26, 30, NOW + 5), NOW + 5)
    assert quotas.standing(A, MODEL, NOW + 5).grade == KNOWN_GOOD


@pytest.mark.parametrize(
    "seen",
    [
        poll(100, NOW + 60, weekly=5),
        poll(5, NOW + 60, rate_limit={"allowed": False, "primary_window": window(5)}),
        usage({"plan_type": "plus"}, NOW + 60),
        usage(
            {"additional_rate_limits": [{"limit_id": "spark", "model": "x", "rate_limit": {"allowed": True}}]}, NOW + 60
        ),
    ],
    ids=["a window is full", "the backend refuses", "nothing is said", "another limit has room"],
)
def test_only_evidence_of_room_in_the_same_limit_unblocks(quotas: Quotas, seen: Observation) -> None:
    limited(quotas)
    quotas.observe(A, seen, NOW + 60)
    assert quotas.standing(A, MODEL, NOW + 61).grade == BLOCKED


def test_a_metered_account_is_unblocked_by_money(quotas: Quotas) -> None:
    limited(quotas, resets_in=7 * DAY)
    quotas.observe(A, metered(at=NOW + 60), NOW + 60)
    assert quotas.standing(A, MODEL, NOW + 61).grade == UNKNOWN


def test_scenario_25_a_refused_spark_turn_blocks_spark_alone(quotas: Quotas) -> None:
    limited(quotas, model=SPARK)
    assert quotas.standing(A, SPARK, NOW + 1).reason == "usage_limited"
    assert quotas.standing(A, MODEL, NOW + 1).grade == UNKNOWN


def test_a_full_spark_window_blocks_spark_alone(quotas: Quotas) -> None:
    limits = [{"metered_feature": "codex_bengalfox", "rate_limit": {"primary_window": window(100)}}]
    quotas.observe(A, poll(10, weekly=10, additional_rate_limits=limits), NOW)
    assert quotas.standing(A, SPARK, NOW).grade == BLOCKED
    assert quotas.standing(A, MODEL, NOW).grade == KNOWN_GOOD


def test_a_limit_for_a_model_is_learned_from_evidence(quotas: Quotas) -> None:
    limits = [{"limit_id": "vision", "model": "gpt-9", "rate_limit": {"primary_window": window(10)}}]
    quotas.observe(A, poll(10, weekly=10, additional_rate_limits=limits), NOW)
    limited(quotas, NOW + 1, model="gpt-9")
    assert quotas.standing(A, "gpt-9", NOW + 2).grade == BLOCKED
    assert quotas.standing(A, MODEL, NOW + 2).grade == KNOWN_GOOD


@pytest.mark.parametrize("resets_in", [None, -5.0, 9 * DAY])
def test_a_reset_that_is_missing_or_cannot_be_true_means_five_minutes(quotas: Quotas, resets_in: float | None) -> None:
    limited(quotas, resets_in=resets_in)
    assert quotas.standing(A, MODEL, NOW).until == NOW + 300


def test_a_reset_within_a_month_is_believed_of_a_monthly_window(quotas: Quotas) -> None:
    quotas.observe(A, usage({"rate_limit": {"primary_window": window(99, 43_200, 20 * DAY)}}), NOW - 5)
    limited(quotas, resets_in=20 * DAY)
    assert quotas.standing(A, MODEL, NOW).until == NOW + 20 * DAY


def test_remaining_seconds_serve_where_no_instant_is_named(quotas: Quotas) -> None:
    quotas.refuse(A, refusal_of("usage_limit_reached", None, None, "", MODEL, resets_in=7_200), NOW)
    assert quotas.standing(A, MODEL, NOW).until == NOW + 7_200


def test_usage_limits_without_a_reset_double_from_five_minutes_to_an_hour(quotas: Quotas) -> None:
    now, waits = NOW, []
    for _ in range(6):
        limited(quotas, now, resets_in=None)
        until = quotas.standing(A, MODEL, now).until
        assert until is not None
        waits.append(until - now)
        now = until + 1
    assert waits == [300, 600, 1_200, 2_400, 3_600, 3_600]


def test_an_undated_refusal_does_not_shorten_an_announced_block(quotas: Quotas) -> None:
    limited(quotas, resets_in=HOUR)
    limited(quotas, NOW + 5, resets_in=None)
    assert quotas.standing(A, MODEL, NOW + 6).until == NOW + HOUR


@pytest.mark.parametrize(
    ("code", "reason", "seconds"),
    [
        ("insufficient_quota", "not_included", 3_600),
        ("usage_not_included", "not_included", 3_600),
        ("quota_exceeded", "not_included", 3_600),
        ("workspace_owner_credits_depleted", "spend_limited", 3_600),
        ("workspace_member_usage_limit_reached", "usage_limited", 300),
        ("token_revoked", "login_refused", 300),
        ("account_deactivated", "login_refused", 3_600),
        ("model_not_found", "model_unavailable", 600),
        ("rate_limit_exceeded", "rate_limited", 1),
        ("", "rate_limited", 1),
        ("something_new", "rate_limited", 1),
    ],
)
def test_codes_say_why_and_for_how_long(quotas: Quotas, code: str, reason: str, seconds: float) -> None:
    quotas.refuse(A, refusal_of(code, None, None, "", MODEL), NOW)
    standing = quotas.standing(A, MODEL, NOW)
    assert (standing.reason, standing.until) == (reason, NOW + seconds)


@pytest.mark.parametrize(
    ("retry_after", "message", "seconds"),
    [
        (7.0, "Please try again in 1.5s.", 7.0),
        (None, "Rate limit reached. Please try again in 1.5s.", 1.5),
        (None, "try again in 250ms", 0.25),
        (None, "Try again in 2 minutes.", 120.0),
        (None, "slow down", 1.0),
        (1e9, "", 3_600.0),
    ],
)
def test_bursts_wait_as_long_as_they_are_asked_to(
    quotas: Quotas, retry_after: float | None, message: str, seconds: float
) -> None:
    quotas.refuse(A, refusal_of("rate_limit_exceeded", None, retry_after, message, MODEL), NOW)
    assert quotas.standing(A, MODEL, NOW).until == NOW + seconds


def test_bursts_without_a_wait_double_up_to_thirty_seconds_and_count_once_when_they_come_together(
    quotas: Quotas,
) -> None:
    now, waits = NOW, []
    for _ in range(7):
        for _ in range(10):
            quotas.refuse(A, refusal_of("", None, None, "", MODEL), now)
        until = quotas.standing(A, MODEL, now).until
        assert until is not None
        waits.append(until - now)
        now = until
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    quotas.served(A, MODEL, now - 1)
    quotas.refuse(A, refusal_of("", None, None, "", MODEL), now)
    assert quotas.standing(A, MODEL, now).until == now + 1


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "token_revoked", "insufficient_quota", "model_not_found"])
def test_a_served_turn_lifts_what_passes_by_itself(quotas: Quotas, code: str) -> None:
    quotas.refuse(A, refusal_of(code, None, 60.0, "", MODEL), NOW)
    quotas.served(A, MODEL, NOW + 1)
    assert quotas.standing(A, MODEL, NOW + 1).grade == UNKNOWN


def test_a_served_turn_lifts_an_assumed_usage_block_but_never_an_announced_one(quotas: Quotas) -> None:
    limited(quotas, resets_in=None)
    quotas.served(A, MODEL, NOW + 1)
    assert quotas.standing(A, MODEL, NOW + 1).grade == UNKNOWN
    limited(quotas, NOW + 2)
    quotas.served(A, MODEL, NOW + 3)
    assert quotas.standing(A, MODEL, NOW + 3).grade == BLOCKED


def test_new_credentials_lift_a_refused_login_alone(quotas: Quotas) -> None:
    quotas.refuse(A, refusal_of("token_revoked", None, None, "", MODEL), NOW)
    quotas.relogin(A, NOW + 1)
    assert quotas.standing(A, MODEL, NOW + 1).grade == UNKNOWN
    limited(quotas, NOW + 2)
    quotas.relogin(A, NOW + 3)
    assert quotas.standing(A, MODEL, NOW + 3).reason == "usage_limited"


def test_another_plan_may_include_what_the_old_one_did_not(quotas: Quotas) -> None:
    quotas.observe(A, usage({"plan_type": "free"}), NOW)
    quotas.refuse(A, refusal_of("usage_not_included", None, None, "", MODEL), NOW + 1)
    quotas.observe(A, usage({"plan_type": "free"}, NOW + 60), NOW + 60)
    assert quotas.standing(A, MODEL, NOW + 60).reason == "not_included"
    quotas.observe(A, usage({"plan_type": "plus"}, NOW + 120), NOW + 120)
    assert quotas.standing(A, MODEL, NOW + 120).grade == UNKNOWN


def test_refused_models_are_remembered_one_by_one_and_not_without_end(quotas: Quotas) -> None:
    for number in range(100):
        quotas.refuse(A, refusal_of("model_not_found", None, None, "", f"model-{number}"), NOW)
    record = quotas.record(A)
    assert record is not None
    assert len(record.blocks) == 32
    assert quotas.standing(A, "model-99", NOW).reason == "model_unavailable"
    assert quotas.standing(A, MODEL, NOW).grade == UNKNOWN


# -- the process


def test_accounts_know_nothing_of_each_other(quotas: Quotas) -> None:
    limited(quotas)
    assert quotas.standing(B, MODEL, NOW).never_observed


def test_model_names_of_clients_do_not_fill_the_memory(quotas: Quotas) -> None:
    for number in range(1_000):
        quotas.standing(A, f"model-{number}", NOW)
    assert len(quotas._standings[A.int]) <= 64


@pytest.mark.parametrize("jump", [600.0, -600.0, 86_400.0])
def test_a_clock_that_is_set_ends_nothing_early_and_nothing_late(quotas: Quotas, jump: float) -> None:
    quotas.observe(A, head(10, 20), NOW)
    limited(quotas, NOW + 1, resets_in=HOUR)
    quotas.shift(jump)
    now = NOW + jump
    assert quotas.standing(A, MODEL, now + HOUR).grade == BLOCKED
    assert quotas.standing(A, MODEL, now + HOUR + 1).grade != BLOCKED
    quotas.observe(A, event(30, now + 5), now + 5)
    assert used(quotas) == 30.0


def test_evidence_is_taken_although_the_last_came_from_the_future(quotas: Quotas) -> None:
    quotas.observe(A, head(10, at=NOW), NOW)
    quotas.observe(A, head(20, at=NOW - 600), NOW - 600)
    assert used(quotas) == 20.0


@pytest.mark.parametrize(
    ("plan", "weight"),
    [
        ("plus", 1.0),
        ("pro", 50_400 / 7_560),
        ("free", 0.15),
        ("prolite", 5.0),
        ("Team", 1.0),
        ("new", 0.15),
        (None, 0.15),
    ],
)
def test_plans_weigh_as_much_as_they_may_use_in_a_week(quotas: Quotas, plan: str | None, weight: float) -> None:
    assert quotas.weight(plan) == pytest.approx(weight)


def test_what_comes_with_every_turn_is_looked_at_now_and_then(quotas: Quotas) -> None:
    asked = [quotas.is_due(A, NOW + second, 2.0) for second in (0.0, 0.5, 1.9, 2.0, 2.1)]
    assert asked == [True, False, False, True, False]
    assert quotas.is_due(B, NOW + 2.1, 2.0)
