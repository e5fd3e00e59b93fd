"""Forecasts follow the burn, are not misled by resets and lag, and never promise too much."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.quota.forecast import (
    NOTHING_KNOWN,
    Outlook,
    Point,
    burn_of,
    exhausts_at,
    lookback_seconds,
    outlook,
    running_cycle,
)
from codex_pooler.quota.runway import Tank, runs_dry_at, runway
from codex_pooler.quota.windows import ACCOUNT, Window
from tests.quota.statements import DAY, HOUR, NOW

WINDOW_SECONDS = 5 * HOUR
MINUTE = 60.0


def window(used: float, resets_in: float | None = 4 * HOUR, minutes: int = 300, seen_ago: float = 0.0) -> Window:
    reset_at = None if resets_in is None else NOW + resets_in
    return Window(ACCOUNT, minutes, used, NOW - seen_ago, "usage", reset_at)


def line(
    burn: float, until: float, *, used: float, hours: float = 1.0, every: float = 300.0, reset_at: float | None = None
) -> list[Point]:
    """Points on a straight line that reaches ``used`` at ``until``."""
    steps = int(hours * HOUR // every)
    ages = [step * every for step in range(steps, -1, -1)]
    return [Point(until - age, max(0.0, used - burn * age / HOUR), reset_at) for age in ages]


def test_a_steady_burn_is_found_and_carried_on() -> None:
    points = line(12.0, NOW, used=52.0, reset_at=NOW + 4 * HOUR)
    found = outlook(window(52.0), points, NOW)
    assert found.burn == pytest.approx(12.0)
    assert outlook(window(60.0), line(20.0, NOW, used=60.0), NOW).exhausts_at == pytest.approx(NOW + 2 * HOUR)


def test_nothing_is_said_when_the_reset_comes_first_or_nothing_burns() -> None:
    soon = outlook(window(60.0, HOUR), line(20.0, NOW, used=60.0), NOW)
    assert soon.burn == pytest.approx(20.0)
    assert soon.exhausts_at is None
    assert outlook(window(60.0), line(0.0, NOW, used=60.0), NOW) == Outlook(0.0)
    assert outlook(window(100.0), line(40.0, NOW, used=100.0), NOW).exhausts_at is None


def test_without_a_known_reset_the_windows_own_length_is_the_limit() -> None:
    assert exhausts_at(window(50.0, None), 20.0, NOW) == NOW + 2.5 * HOUR
    assert exhausts_at(window(50.0, None), 9.0, NOW) is None


def test_too_little_to_go_by_is_no_burn() -> None:
    assert outlook(window(60.0), [], NOW).burn is None
    assert outlook(window(60.0), [Point(NOW - 100, 50.0)], NOW).burn is None
    assert outlook(window(60.0, seen_ago=2 * HOUR), line(5.0, NOW - 2 * HOUR, used=60.0), NOW).burn is None


def test_a_window_that_is_over_has_no_outlook() -> None:
    assert outlook(window(60.0, -1.0), line(20.0, NOW, used=60.0), NOW) == NOTHING_KNOWN


def test_only_what_came_after_the_reset_counts() -> None:
    before = line(30.0, NOW - 30 * MINUTE, used=95.0, reset_at=NOW - 30 * MINUTE)
    after = line(10.0, NOW, used=5.0, hours=0.5, reset_at=NOW + 4.5 * HOUR)
    assert outlook(window(5.0, 4.5 * HOUR), [*before, *after], NOW).burn == pytest.approx(10.0)


def test_an_early_reset_counts_as_one() -> None:
    before = line(30.0, NOW - 30 * MINUTE, used=95.0, reset_at=NOW + 2 * HOUR)
    after = line(10.0, NOW, used=5.0, hours=0.5, reset_at=NOW + 5 * HOUR)
    assert outlook(window(5.0, 5 * HOUR), [*before, *after], NOW).burn == pytest.approx(10.0, rel=0.1)


def test_stale_answers_do_not_mislead() -> None:
    true = line(12.0, NOW, used=52.0, reset_at=NOW + 4 * HOUR)
    stale = [Point(NOW - 17 * MINUTE, 0.0, NOW + 4 * HOUR), Point(NOW - 16 * MINUTE, 30.0, NOW + 4 * HOUR)]
    assert burn_of(sorted([*true, *stale], key=lambda point: point.at), HOUR, NOW) == pytest.approx(12.0)


def test_figures_that_stay_low_are_believed_in_the_end() -> None:
    high = line(0.0, NOW - 20 * MINUTE, used=90.0, reset_at=NOW + HOUR)
    low = [Point(NOW - minutes * MINUTE, 20.0, NOW + HOUR) for minutes in (15, 10, 5)]
    assert [point.used_percent for point in running_cycle([*high, *low[:2]])][-1] == 90.0
    assert {point.used_percent for point in running_cycle([*high, *low])} == {20.0}


def test_a_busy_minute_with_many_reports_does_not_outweigh_a_quiet_hour() -> None:
    quiet = [Point(NOW - HOUR + step * 300, 10.0) for step in range(12)]
    busy = [Point(NOW - 60 + step, 10.0 + step / 30) for step in range(61)]
    burn = burn_of([*quiet, *busy], HOUR, NOW)
    assert burn is not None
    assert burn < 3.0


@pytest.mark.parametrize(("minutes", "seconds"), [(300, HOUR), (10_080, DAY), (30, 900.0)])
def test_short_windows_are_measured_over_less_time(minutes: int, seconds: float) -> None:
    assert lookback_seconds(minutes) == seconds


burns = st.floats(0.5, 60.0)
fills = st.floats(1.0, 99.0)
points_of_anything = st.lists(
    st.tuples(st.floats(-2 * HOUR, 600.0), st.floats(0.0, 100.0), st.none() | st.floats(-HOUR, 5 * HOUR)), max_size=60
)


@given(burns, fills, st.integers(0, 1_000))
def test_whole_percents_and_uneven_reports_give_the_burn_within_a_point_an_hour(
    burn: float, used: float, seed: int
) -> None:
    chance = random.Random(seed)
    ages = sorted({0.0, HOUR, *(chance.uniform(0, HOUR) for _ in range(30))}, reverse=True)
    exact = [(NOW - age, used + burn * (1 - age / HOUR)) for age in ages]
    found = burn_of([Point(at, float(int(level))) for at, level in exact], HOUR, NOW)
    assert found is not None
    assert abs(found - burn) <= 2.0


@given(points_of_anything, fills, st.none() | st.floats(1.0, 5 * HOUR))
def test_whatever_was_seen_a_forecast_is_a_time_ahead_and_before_the_reset(
    seen: list[tuple[float, float, float | None]], used: float, resets_in: float | None
) -> None:
    points = [Point(NOW + at, level, None if reset is None else NOW + reset) for at, level, reset in seen]
    running = window(used, resets_in)
    found = outlook(running, points, NOW)
    assert found.burn is None or found.burn >= 0
    if found.exhausts_at is not None:
        assert found.burn
        assert NOW <= found.exhausts_at < (running.reset_at or NOW + WINDOW_SECONDS)


@given(points_of_anything)
def test_the_running_cycle_never_falls_by_more_than_the_slack(
    seen: list[tuple[float, float, float | None]],
) -> None:
    unsorted = [Point(NOW + at, level, None if reset is None else NOW + reset) for at, level, reset in seen]
    points = sorted(unsorted, key=lambda point: point.at)
    cycle = running_cycle(points)
    assert set(cycle) <= set(points)
    if len(cycle) > 3:
        assert cycle[-1].used_percent >= cycle[-2].used_percent - 1.0


# -- pools


def tank(number: int, used: float, burn: float = 0.0, capacity: float = 100.0, resets_in: float | None = None) -> Tank:
    return Tank(UUID(int=number), capacity, used, burn, None if resets_in is None else NOW + resets_in)


def test_a_pool_lasts_as_long_as_its_accounts_together() -> None:
    found = runway([tank(1, 50, burn=10), tank(2, 0)], NOW, DAY)
    assert found.remaining == pytest.approx(75.0)
    assert found.burn == pytest.approx(5.0)
    assert found.exhausts_at == pytest.approx(NOW + 15 * HOUR)
    assert found.without == {UUID(int=1): pytest.approx(NOW + 10 * HOUR), UUID(int=2): pytest.approx(NOW + 5 * HOUR)}


def test_a_bigger_plan_weighs_more() -> None:
    found = runway([tank(1, 90, burn=10, capacity=100), tank(2, 50, capacity=700)], NOW, 7 * DAY)
    assert found.remaining == pytest.approx(45.0)
    assert found.exhausts_at == pytest.approx(NOW + 36 * HOUR)
    assert found.without[UUID(int=2)] == pytest.approx(NOW + HOUR)


def test_resets_in_time_keep_a_pool_going() -> None:
    assert runway([tank(1, 90, burn=10, resets_in=HOUR / 2)], NOW, 5 * HOUR).exhausts_at is None
    late = runway([tank(1, 90, burn=10, resets_in=2 * HOUR)], NOW, 5 * HOUR)
    assert late.exhausts_at == pytest.approx(NOW + HOUR)


def test_without_its_only_account_a_pool_is_empty_at_once() -> None:
    assert runway([tank(1, 10, burn=10)], NOW, DAY).without == {UUID(int=1): NOW}
    assert runway([tank(1, 10)], NOW, DAY).without == {UUID(int=1): None}
    assert runway([], NOW, DAY) == (0.0, 0.0, None, {})


tanks = st.lists(
    st.builds(
        Tank,
        account_id=st.uuids(),
        capacity=st.floats(1.0, 1e5),
        used_percent=st.floats(0.0, 100.0),
        burn=st.floats(0.0, 100.0),
        reset_at=st.none() | st.floats(NOW + 1.0, NOW + WINDOW_SECONDS),
    ),
    max_size=8,
    unique_by=lambda each: each.account_id,
)


@given(tanks)
@settings(max_examples=200)
def test_a_pool_without_one_of_its_accounts_never_lasts_longer(pool: list[Tank]) -> None:
    found = runway(pool, NOW, WINDOW_SECONDS)
    for at in found.without.values():
        if found.exhausts_at is not None:
            assert at is not None
            assert at <= found.exhausts_at + 1.0


@given(tanks, st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_a_higher_demand_never_lasts_longer(pool: list[Tank], one: float, other: float) -> None:
    low, high = sorted((one, other))
    soon, late = (runs_dry_at(pool, demand, NOW, WINDOW_SECONDS) for demand in (high, low))
    if late is not None:
        assert soon is not None
        assert NOW <= soon <= late + 1.0
