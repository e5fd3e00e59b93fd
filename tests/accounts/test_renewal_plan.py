"""When logins are renewed: well ahead of their end, at most a week old, and not all in one moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from codex_pooler.accounts.renewal_plan import LoginAge, is_due, must_wait, next_attempt, refresh_state

THEN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def login(lifetime: timedelta | None, number: int = 1) -> LoginAge:
    return LoginAge(UUID(int=number), 1, THEN + lifetime if lifetime else None, THEN)


@pytest.mark.parametrize(
    ("lifetime", "earliest", "latest"),
    [
        (timedelta(hours=1), timedelta(minutes=49), timedelta(minutes=51)),
        (timedelta(hours=10), timedelta(minutes=534), timedelta(minutes=546)),
        (5 * DAY, 4.45 * DAY, 4.55 * DAY),
        (10 * DAY, 6.3 * DAY, 7 * DAY),
        (90 * DAY, 6.3 * DAY, 7 * DAY),
        (None, 6.3 * DAY, 7 * DAY),
    ],
    ids=["an hour", "ten hours", "five days", "ten days", "ninety days", "unknown"],
)
def test_the_plan_keeps_a_margin_and_a_greatest_age(
    lifetime: timedelta | None, earliest: timedelta, latest: timedelta
) -> None:
    planned = [next_attempt(login(lifetime, number)) for number in range(1, 200)]
    assert all(moment and THEN + earliest <= moment <= THEN + latest for moment in planned)
    assert len(set(planned)) > 150, "logins of one moment are renewed at different times"


def test_a_plan_holds_until_the_login_changes() -> None:
    assert next_attempt(login(5 * DAY)) == next_attempt(login(5 * DAY))
    assert next_attempt(login(5 * DAY)) != next_attempt(replace(login(5 * DAY), epoch=2))


def test_failures_are_followed_by_growing_pauses() -> None:
    pauses = []
    for failures in range(1, 60):
        planned = next_attempt(replace(login(DAY), failures=failures, failed_at=THEN))
        assert planned
        pauses.append((planned - THEN).total_seconds())
    assert 27 <= pauses[0] <= 33
    assert 54 <= pauses[1] <= 66
    assert pauses == sorted(pauses)
    assert 810 <= pauses[-1] <= 990


def test_the_state_says_what_to_expect() -> None:
    fresh = login(10 * DAY)
    failed = replace(fresh, failures=1, failed_at=THEN)
    refused = replace(failed, refused=True)
    assert [refresh_state(each, THEN) for each in (fresh, failed, refused)] == ["ok", "failed", "failed"]
    assert refresh_state(fresh, THEN + 8 * DAY) == "due"
    assert is_due(failed, THEN + DAY)
    assert must_wait(failed, THEN + timedelta(seconds=1))
    assert not must_wait(failed, THEN + timedelta(minutes=1))
    assert next_attempt(refused) is None
    assert not is_due(refused, THEN + 400 * DAY)
