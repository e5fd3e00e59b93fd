"""Each strategy's order, and what all of them have in common."""

from __future__ import annotations

import statistics
from collections import Counter
from contextlib import ExitStack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.routing.affinity import seed_of
from codex_pooler.routing.candidates import Known, choose
from codex_pooler.routing.strategies import STRATEGIES
from codex_pooler.snapshot.model import Switches
from codex_pooler.storage.tables import STRATEGIES as CONFIGURABLE
from tests.routing.scene import NOW, asked, first, knowing, member, nobody, numbered, order, pool, told

HASHED = ("capacity_weighted", "bridge_ring", "quota_first", "soonest_reset", "least_recent_success")


@pytest.fixture
def known() -> Known:
    return knowing()


def seed(switches: Switches, turn: int, *, session: str | None = None, cache: str | None = None) -> str:
    return seed_of(switches, "key-1", session, cache, f"turn-{turn}").value


def test_every_strategy_that_can_be_configured_exists() -> None:
    assert set(STRATEGIES) == set(CONFIGURABLE)


def test_scenario_5_a_prompt_cache_key_keeps_its_turns_on_one_account_unless_the_pool_says_no(known: Known) -> None:
    five = pool(*numbered(5))
    on = {first(five, known, seed(Switches(), n, cache="cache-1")) for n in range(50)}
    off = {first(five, known, seed(Switches(prompt_cache_affinity=False), n, cache="cache-1")) for n in range(50)}
    assert len(on) == 1
    assert len(off) == 5


def test_a_session_goes_before_a_cache_key_and_keys_do_not_share_names() -> None:
    both = seed_of(Switches(), "key-1", "session", "cache", "t")
    assert both == seed_of(Switches(), "key-1", "session", "other", "t2")
    assert both.kind == "session"
    assert seed_of(Switches(), "key-2", "session", None, "t").value != both.value
    assert seed_of(Switches(), "key-1", None, "session", "t").value != both.value
    assert seed_of(Switches(), "key-1", None, None, "t") == ("none", "t")


@pytest.mark.parametrize("strategy", ["capacity_weighted", "bridge_ring"])
def test_scenario_6_removing_an_account_moves_only_its_own_sessions(strategy: str, known: Known) -> None:
    five, four = pool(*numbered(5), strategy=strategy), pool(*numbered(4), strategy=strategy)
    for n in range(500):
        before = first(five, known, f"session-{n}")
        assert before == 5 or before == first(four, known, f"session-{n}")


@given(st.text(max_size=20), st.sets(st.integers(1, 30), min_size=2, max_size=12), st.sampled_from(HASHED))
def test_removing_any_member_leaves_the_order_of_the_others(name: str, ids: set[int], strategy: str) -> None:
    known, every = knowing(), [member(n) for n in sorted(ids)]
    ranked = order(pool(*every, strategy=strategy, attempts=20), known, name)
    assert sorted(ranked) == sorted(ids)
    gone = ranked[len(ranked) // 2]
    left = pool(*(each for each in every if each.account.id.int != gone), strategy=strategy, attempts=20)
    assert order(left, known, name) == [n for n in ranked if n != gone]


@pytest.mark.parametrize(("attempts", "ranked"), [(1, 1), (3, 3), (9, 5)])
def test_scenario_7_the_pool_says_how_many_accounts_a_turn_may_try(attempts: int, ranked: int, known: Known) -> None:
    assert len(order(pool(*numbered(5), attempts=attempts), known)) == ranked


def test_scenario_21_plans_share_traffic_by_their_capacity(known: Known) -> None:
    two = pool(member(1, account_plan_type="plus"), member(2, account_plan_type="pro"))
    firsts = Counter(first(two, known, f"session-{n}") for n in range(1000))
    assert firsts[2] / firsts[1] == pytest.approx(6.67, rel=0.15)


def test_weight_and_what_is_left_count_as_well(known: Known) -> None:
    two = pool(member(1, weight=3.0), member(2))
    firsts = Counter(first(two, known, f"session-{n}") for n in range(2000))
    assert firsts[1] / firsts[2] == pytest.approx(3.0, rel=0.15)
    told(known).tell(1, remaining=0.1)
    firsts = Counter(first(two, known, f"session-{n}") for n in range(2000))
    assert firsts[1] / firsts[2] == pytest.approx(0.6, rel=0.15)
    told(known).tell(1, remaining=0.0)
    assert {first(two, known, f"session-{n}") for n in range(500)} == {1, 2}, "a little goes there still"


def test_a_burst_does_not_herd_on_one_account(known: Known) -> None:
    """Each choice sees the leases of those before it, because they are taken before anything is awaited."""
    four = pool(*numbered(4))
    with ExitStack() as held:
        served = Counter[int]()
        for n in range(200):
            chosen = first(four, known, f"session-{n}")
            held.enter_context(known.leases.hold(UUID(int=chosen)))
            served[chosen] += 1
    assert max(served.values()) - min(served.values()) <= 20
    idle = Counter(first(four, known, f"session-{n}") for n in range(200))
    assert statistics.pstdev(served.values()) < statistics.pstdev(idle.values())


def test_bridge_ring_spreads_evenly_whatever_the_plan(known: Known) -> None:
    two = pool(member(1, account_plan_type="pro", weight=50.0), member(2), strategy="bridge_ring")
    firsts = Counter(first(two, known, f"session-{n}") for n in range(2000))
    assert firsts[1] / firsts[2] == pytest.approx(1.0, rel=0.15)


def test_quota_first_takes_the_account_with_the_largest_part_left(known: Known) -> None:
    for n, remaining in ((1, 0.2), (2, 0.9), (3, 0.6)):
        told(known).tell(n, remaining=remaining)
    assert order(pool(*numbered(3), strategy="quota_first"), known) == [2, 3, 1]


def test_soonest_reset_uses_what_expires_first(known: Known) -> None:
    four = pool(*numbered(4), strategy="soonest_reset")
    for n, hours in ((1, 100.0), (2, 2.0), (3, 2.2)):
        told(known).tell(n, resets_at=NOW.wall + hours * 3600, remaining=n / 10)
    assert order(four, known) == [3, 2, 1, 4], "of the same hour the one with more left; without a reset last"


def test_least_recent_success_takes_turns(known: Known) -> None:
    three = pool(*numbered(3), strategy="least_recent_success")
    known.health.succeeded(UUID(int=1), "proxy_stream", NOW.wall - 10)
    known.health.succeeded(UUID(int=2), "proxy_stream", NOW.wall - 60)
    assert order(three, known) == [3, 2, 1]
    with known.leases.hold(UUID(int=3)):
        assert order(three, known) == [2, 1, 3]


def test_deterministic_rotation_goes_round_and_round(known: Known) -> None:
    three = pool(*numbered(3), strategy="deterministic_rotation")
    assert [first(three, known, "same") for _ in range(6)] == [1, 2, 3, 1, 2, 3]
    assert order(three, known) == [1, 2, 3]
    assert order(three, known) == [2, 3, 1]


def test_a_rotation_moves_on_only_when_somebody_was_chosen(known: Known) -> None:
    three = pool(*numbered(3), strategy="deterministic_rotation")
    assert first(three, known) == 1
    for n in (1, 2, 3):
        told(known).block(n, "usage_limited", NOW.wall + 60)
    nobody(three, known)
    for n in (1, 2, 3):
        told(known).tell(n, grade=0)
    assert first(three, known) == 2


def test_fill_first_uses_the_oldest_account_up(known: Known) -> None:
    three = pool(*(member(n) for n in (3, 1, 2)), strategy="fill_first")
    assert order(three, known) == [1, 2, 3]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2]), st.floats(0, 1)), min_size=1, max_size=12),
    st.sampled_from(sorted(STRATEGIES)),
    st.text(max_size=8),
)
def test_whatever_the_strategy_priority_and_grade_come_first(
    facts: list[tuple[int, int, float]], strategy: str, name: str
) -> None:
    known = knowing()
    members = [member(n, priority=priority) for n, (priority, _, _) in enumerate(facts, 1)]
    for n, (_, grade, remaining) in enumerate(facts, 1):
        told(known).tell(n, grade=grade, remaining=remaining)
    ranked = choose(asked(pool(*members, strategy=strategy, attempts=20), name), known, NOW).ranked
    assert {each.account.id.int for each in ranked} == set(range(1, len(facts) + 1))
    keys = [(-facts[each.account.id.int - 1][0], facts[each.account.id.int - 1][1]) for each in ranked]
    assert keys == sorted(keys)
