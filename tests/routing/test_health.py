"""One cell per account and route class: demote, exclude, probe, recover."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.routing.candidates import Known, Moment, NoCandidate, choose
from codex_pooler.routing.health import OPEN_LIMIT, PROBE_SECONDS, Cell, Health, Rules, Trouble
from tests.routing.scene import NOW, STREAM, asked, knowing, member, numbers, pool

A = UUID(int=1)
OPEN_SECONDS = Rules().open_seconds


def failing(times: int, at: float = 100.0, health: Health | None = None) -> Health:
    health = Health() if health is None else health
    for _ in range(times):
        health.failed(A, STREAM, "upstream_500", at)
    return health


def cell(health: Health) -> Cell:
    return health.lane(STREAM)[A]


def test_one_failure_demotes_for_a_while_and_each_more_for_longer() -> None:
    health = failing(1)
    assert cell(health).demoted(114.0)
    assert not cell(health).demoted(115.1)
    assert not cell(health).excluded(100.0)
    assert cell(failing(2)).soft_until == 130.0
    assert cell(failing(9)).soft_until == 160.0


def test_scenario_16_three_failures_exclude_then_exactly_one_of_ten_probes_and_success_closes() -> None:
    known, two = knowing(), pool(member(1, priority=1), member(2))
    failing(3, NOW.monotonic, known.health)
    assert _tried(known, NOW) == [2]
    after = Moment(NOW.wall + OPEN_SECONDS, NOW.monotonic + OPEN_SECONDS)
    firsts = []
    for _ in range(10):
        firsts.append(numbers(choose(asked(two), known, after))[0])
        known.health.begin_probe(UUID(int=firsts[-1]), STREAM, after.monotonic)
    assert firsts == [1] + [2] * 9
    known.health.succeeded(A, STREAM, after.wall)
    assert _tried(known, after) == [1, 2]
    assert not known.health


def _tried(known: Known, moment: Moment) -> list[int]:
    try:
        return numbers(choose(asked(pool(member(1, priority=1), member(2))), known, moment))
    except NoCandidate:
        return []


def test_failed_probes_wait_twice_as_long_each_up_to_ten_minutes() -> None:
    health, at = failing(3), 100.0
    waits = []
    for _ in range(6):
        at = cell(health).open_until
        health.begin_probe(A, STREAM, at)
        assert cell(health).excluded(at), "while one turn probes, others wait"
        health.failed(A, STREAM, "x", at)
        waits.append(cell(health).open_until - at)
    assert waits == [120.0, 240.0, 480.0, OPEN_LIMIT, OPEN_LIMIT, OPEN_LIMIT]


def test_a_turn_sent_although_all_are_open_starts_the_time_anew_but_does_not_lengthen_it() -> None:
    health = failing(3)
    health.failed(A, STREAM, "x", 110.0)
    assert (cell(health).opened_at, cell(health).open_until) == (110.0, 110.0 + OPEN_SECONDS)


def test_a_probe_that_says_nothing_frees_the_cell_and_one_that_never_returns_too() -> None:
    health = failing(3)
    after = 100.0 + OPEN_SECONDS
    health.begin_probe(A, STREAM, after)
    health.probe_ended(A, STREAM)
    assert not cell(health).excluded(after)
    health.begin_probe(A, STREAM, after)
    assert not cell(health).excluded(after + PROBE_SECONDS)


def test_old_failures_do_not_add_up() -> None:
    health = failing(2)
    health.failed(A, STREAM, "x", 100.0 + 301)
    assert not cell(health).excluded(401.0)


def test_the_thresholds_are_asked_at_every_failure() -> None:
    rules = [Rules(failure_threshold=1, open_seconds=5.0)]
    health = failing(1, health=Health(lambda: rules[0]))
    assert cell(health).open_until == 105.0
    rules[0] = Rules(failure_threshold=2)
    health.succeeded(A, STREAM, 0.0)
    assert not cell(failing(1, health=health)).excluded(100.0)


def test_operators_see_what_an_account_failed_at() -> None:
    health = failing(3)
    health.failed(A, "proxy_http", "upstream_closed", 110.0)
    assert health.troubles(A, Moment(1_020.0, 120.0)) == [
        Trouble("proxy_http", "demoted", 1, "upstream_closed", 1_010.0, None),
        Trouble(STREAM, "open", 3, "upstream_500", 1_000.0, 1_000.0 + OPEN_SECONDS),
    ]
    assert [each.state for each in health.troubles(A, Moment(1_200.0, 300.0))] == ["closed", "half_open"]
    assert health.troubles(UUID(int=2), NOW) == []
    assert health.open_until(A) == 100.0 + OPEN_SECONDS
    assert health.open_until(UUID(int=2)) is None


def test_what_is_long_past_is_forgotten() -> None:
    health = failing(3)
    health.failed(UUID(int=2), STREAM, "x", 100.0 + OPEN_SECONDS + 3600)
    assert set(health.lane(STREAM)) == {A, UUID(int=2)}
    health.failed(UUID(int=2), STREAM, "x", 100.0 + OPEN_SECONDS + 3601)
    assert set(health.lane(STREAM)) == {UUID(int=2)}
