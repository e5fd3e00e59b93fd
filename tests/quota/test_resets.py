"""A saved reset is worth spending only where it helps: policies, weeks and pools as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.quota.evidence import refusal_of
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.resets import (
    BLOCKED,
    BY_HAND,
    NO_NEWS,
    PASSED,
    RENEWED,
    STILL_USED,
    THRESHOLD,
    Credit,
    Policy,
    Rescue,
    Seat,
    Week,
    effect_of,
    first_to_spend,
    is_worth,
    is_worth_rescuing,
    policy_of,
    rescue_of,
    stored_form,
    week_of,
)
from tests.quota.statements import DAY, HOUR, NOW, head

AUTO = Policy(auto_redeem_enabled=True)
EARLY = replace(AUTO, trigger_mode=THRESHOLD)
FULL = Week(100.0, NOW + 3 * DAY, NOW)
NEARLY = Week(96.0, NOW + 3 * DAY, NOW)
ROOMY = Week(50.0, NOW + 3 * DAY, NOW)


def seat(
    n: int, week: Week | None = FULL, policy: Policy = AUTO, *, present: bool = True, refused: bool = True
) -> Seat:
    return Seat(UUID(int=n), policy, week, present, refused)


def rescue(trigger: str, *numbers: int) -> Rescue:
    return Rescue(trigger, tuple(UUID(int=n) for n in numbers))


NOTHING = None
TABLE: list[tuple[str, list[Seat], Rescue | None]] = [
    ("a pool that is used up", [seat(1)], rescue(BLOCKED, 1)),
    ("two that are used up", [seat(1), seat(2)], rescue(BLOCKED, 1, 2)),
    ("nobody may be redeemed", [seat(1, policy=BY_HAND)], NOTHING),
    ("only one of two may", [seat(1, policy=BY_HAND), seat(2)], rescue(BLOCKED, 2)),
    ("a healthy sibling", [seat(1), seat(2, ROOMY, refused=False)], NOTHING),
    ("a healthy sibling whose own policy is off", [seat(1), seat(2, ROOMY, BY_HAND, refused=False)], NOTHING),
    ("a sibling that only its short window keeps away", [seat(1), seat(2, ROOMY)], NOTHING),
    ("a sibling nothing is known of", [seat(1), seat(2, None, refused=False)], NOTHING),
    ("a sibling that goes on on credits", [seat(1), seat(2, FULL, refused=False)], NOTHING),
    ("a paused sibling", [seat(1), seat(2, ROOMY, present=False)], rescue(BLOCKED, 1)),
    ("only paused ones", [seat(1, present=False)], NOTHING),
    ("no members", [], NOTHING),
    ("the week ends soon by itself", [seat(1, replace(FULL, resets_at=NOW + HOUR - 1))], NOTHING),
    ("the week ends just late enough", [seat(1, replace(FULL, resets_at=NOW + HOUR))], rescue(BLOCKED, 1)),
    ("nobody knows when the week ends", [seat(1, replace(FULL, resets_at=None))], NOTHING),
    (
        "no buffer",
        [seat(1, replace(FULL, resets_at=NOW + 1), replace(AUTO, min_blocked_minutes=0))],
        rescue(BLOCKED, 1),
    ),
    (
        "a week that is full as it was seen long ago",
        [seat(1, replace(FULL, observed_at=NOW - DAY))],
        rescue(BLOCKED, 1),
    ),
    ("beyond the threshold, but that is not asked for", [seat(1, NEARLY, refused=False)], NOTHING),
    ("beyond the threshold", [seat(1, NEARLY, EARLY, refused=False)], rescue(THRESHOLD, 1)),
    (
        "beyond the threshold long ago",
        [seat(1, replace(NEARLY, observed_at=NOW - HOUR), EARLY, refused=False)],
        NOTHING,
    ),
    ("below the threshold", [seat(1, replace(NEARLY, used_percent=94.9), EARLY, refused=False)], NOTHING),
    ("a sibling below it", [seat(1, NEARLY, EARLY, refused=False), seat(2, ROOMY, EARLY, refused=False)], NOTHING),
    (
        "a sibling that is used up, redeemed by hand alone",
        [seat(1, NEARLY, EARLY, refused=False), seat(2, FULL, BY_HAND)],
        rescue(THRESHOLD, 1),
    ),
    ("used up with a threshold", [seat(1, FULL, EARLY)], rescue(BLOCKED, 1)),
]


@pytest.mark.parametrize(("seats", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_pool_is_rescued_only_when_nobody_in_it_has_a_week_left(seats: list[Seat], expected: Rescue | None) -> None:
    assert rescue_of(seats, NOW) == expected


SEATS = st.builds(
    Seat,
    account_id=st.uuids(),
    policy=st.builds(
        Policy,
        auto_redeem_enabled=st.booleans(),
        trigger_mode=st.sampled_from([BLOCKED, THRESHOLD]),
        quota_threshold_percent=st.integers(1, 100),
        min_blocked_minutes=st.integers(0, 200),
    ),
    week=st.none()
    | st.builds(
        Week,
        st.sampled_from([0.0, 50.0, 94.0, 96.0, 100.0]),
        st.none() | st.floats(NOW, NOW + 7 * DAY),
        st.floats(NOW - HOUR, NOW),
    ),
    present=st.booleans(),
    refused=st.booleans(),
)


@given(st.lists(SEATS, max_size=5))
def test_whatever_a_pool_looks_like_nothing_is_spent_beside_a_week_with_room(seats: list[Seat]) -> None:
    found = rescue_of(seats, NOW)
    if found is None:
        return
    chosen = [seat for seat in seats if seat.account_id in found.account_ids]
    assert all(seat.present and seat.policy.auto_redeem_enabled for seat in chosen)
    assert all(seat.week and seat.week.used_percent >= min(one.policy.quota_threshold_percent for one in chosen)
               for seat in seats if seat.present)  # fmt: skip
    for one in chosen:
        assert one.week is not None
        assert one.week.resets_at is not None
        assert one.week.resets_at - NOW >= one.policy.min_blocked_minutes * 60
    if found.trigger == BLOCKED:
        assert all(seat.refused for seat in seats if seat.present)


@pytest.mark.parametrize(
    ("left", "week", "policy", "saved"),
    [
        (2 * DAY, FULL, AUTO, False),
        (DAY, FULL, AUTO, True),
        (DAY, FULL, BY_HAND, False),
        (DAY, None, AUTO, False),
        (DAY, replace(FULL, resets_at=NOW + 600), AUTO, False),  # lost after the week has ended anyway
        (300, replace(FULL, resets_at=NOW + 600), AUTO, True),  # lost before that: the buffer does not matter
        (DAY, NEARLY, AUTO, True),
        (DAY, ROOMY, AUTO, False),
        (5_400, ROOMY, AUTO, True),
        (5_401, ROOMY, AUTO, False),
        (5_400, replace(ROOMY, used_percent=0.0), AUTO, False),
        (5_400, replace(ROOMY, resets_at=NOW + 5_000), AUTO, False),
        (5_400, replace(ROOMY, observed_at=NOW - HOUR), AUTO, False),
        (0, FULL, AUTO, False),
        (-1, FULL, AUTO, False),
    ],
)
def test_what_would_be_lost_is_used_before(left: float, week: Week | None, policy: Policy, saved: bool) -> None:
    assert is_worth_rescuing(policy, week, Credit("c", NOW + left), NOW) is saved


@pytest.mark.parametrize(
    ("trigger", "policy", "week", "worth"),
    [
        (BLOCKED, AUTO, FULL, True),
        (BLOCKED, AUTO, NEARLY, False),
        (BLOCKED, AUTO, None, False),
        (BLOCKED, BY_HAND, FULL, False),
        (BLOCKED, replace(AUTO, min_blocked_minutes=10_000), FULL, False),
        (THRESHOLD, EARLY, NEARLY, True),
        (THRESHOLD, EARLY, ROOMY, False),
        (THRESHOLD, AUTO, NEARLY, False),
        ("expiry", AUTO, FULL, True),
        ("expiry", AUTO, ROOMY, False),
        ("manual", AUTO, FULL, False),
    ],
)
def test_the_policy_as_it_is_when_something_is_spent_has_the_last_word(
    trigger: str, policy: Policy, week: Week | None, worth: bool
) -> None:
    assert is_worth(trigger, policy, week, Credit("c", NOW + DAY), NOW) is worth


def test_the_soonest_to_expire_goes_first_and_never_more_than_may() -> None:
    later, sooner, never = Credit("a", NOW + DAY), Credit("b", NOW + HOUR), Credit("c")
    gone = Credit("d", NOW - 1)
    assert first_to_spend([later, never, sooner, gone], None, 0, NOW) == sooner
    assert first_to_spend([never], None, 0, NOW) == never
    assert first_to_spend([later, sooner], None, 1, NOW) == sooner
    assert first_to_spend([later, sooner], None, 2, NOW) is None
    assert first_to_spend([later, sooner], 1, 1, NOW) is None
    assert first_to_spend([later, sooner], 0, 0, NOW) is None
    assert first_to_spend([gone], 3, 0, NOW) is None


@pytest.mark.parametrize(
    ("before", "after", "now", "effect"),
    [
        (FULL, Week(0.0, NOW + 7 * DAY, NOW + 10), NOW + 20, RENEWED),
        (FULL, Week(100.0, NOW + 3 * DAY, NOW + 10), NOW + 20, STILL_USED),
        (FULL, Week(0.0, NOW + 7 * DAY, NOW), NOW + 20, NO_NEWS),
        (FULL, None, NOW + 20, NO_NEWS),
        (FULL, Week(0.0, NOW + 7 * DAY, NOW + 10), NOW + 4 * DAY, PASSED),
        (ROOMY, Week(51.0, NOW + 3 * DAY, NOW + 10), NOW + 20, STILL_USED),
        (ROOMY, Week(1.0, NOW + 7 * DAY, NOW + 10), NOW + 20, RENEWED),
        (None, Week(1.0, NOW + 7 * DAY, NOW + 10), NOW + 20, RENEWED),
    ],
)
def test_the_effect_shows_in_newer_evidence_alone(
    before: Week | None, after: Week | None, now: float, effect: str
) -> None:
    assert effect_of(before, after, NOW, now) == effect


ACCOUNT = UUID(int=1)


def test_a_week_is_known_from_windows_or_from_a_refusal_that_only_a_week_explains() -> None:
    quotas = Quotas()
    assert week_of(quotas.record(ACCOUNT), NOW) is None
    quotas.observe(ACCOUNT, head(20, 60), NOW)
    assert week_of(quotas.record(ACCOUNT), NOW) == Week(60.0, NOW + 5 * DAY, NOW)
    for seconds, used in ((HOUR, 60.0), (2 * DAY, 100.0)):
        refusal = refusal_of("usage_limit_reached", NOW + seconds, None, "", "gpt-5.5")
        quotas.refuse(ACCOUNT, refusal, NOW + 5)
        found = week_of(quotas.record(ACCOUNT), NOW + 6)
        assert found is not None
        assert found.used_percent == used
    quotas.observe(ACCOUNT, head(0, 1, NOW + 60), NOW + 60)
    found = week_of(quotas.record(ACCOUNT), NOW + 61)
    assert found is not None
    assert found.used_percent == 1.0, "what is newer than the refusal counts"


def test_a_renewed_week_forgets_the_refusal() -> None:
    quotas = Quotas()
    quotas.refuse(ACCOUNT, refusal_of("usage_limit_reached", NOW + 2 * DAY, None, "", "gpt-5.5"), NOW)
    quotas.renewed(ACCOUNT, NOW + 1)
    record = quotas.record(ACCOUNT)
    assert record is not None
    assert week_of(record, NOW + 2) is None
    assert quotas.standing(ACCOUNT, "gpt-5.5", NOW + 2).reason is None


@pytest.mark.parametrize(
    ("stored", "policy"),
    [
        ({}, BY_HAND),
        (None, BY_HAND),
        ({"auto_redeem_enabled": True}, AUTO),
        ({"auto_redeem_enabled": True, "trigger_mode": "threshold"}, EARLY),
        ({"auto_redeem_enabled": "yes", "trigger_mode": "always", "keep_credits": -1, "more": 1}, BY_HAND),
        ({"quota_threshold_percent": 101, "min_blocked_minutes": True}, BY_HAND),
        ({"keep_credits": 2, "min_blocked_minutes": 0}, Policy(keep_credits=2, min_blocked_minutes=0)),
    ],
)
def test_a_policy_is_read_as_far_as_it_can_be(stored: Any, policy: Policy) -> None:
    assert policy_of(stored) == policy
    assert policy_of(stored_form(policy)) == policy
