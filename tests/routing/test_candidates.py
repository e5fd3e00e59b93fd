"""Who may serve, in which order, and why the others may not."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import UUID

import pytest

from codex_pooler.quota.standing import ON_CREDITS, UNKNOWN
from codex_pooler.routing.candidates import Known, Moment, choose
from codex_pooler.routing.leases import SLOW_SECONDS
from codex_pooler.snapshot.model import Member, Switches
from tests.routing.scene import NOW, POOL_ID, STREAM, asked, first, knowing, member, nobody, numbered, order, pool, told


@pytest.fixture
def known() -> Known:
    return knowing()


def fail(known: Known, n: int, times: int = 3, at: float = NOW.monotonic, route_class: str = STREAM) -> None:
    for _ in range(times):
        known.health.failed(UUID(int=n), route_class, "upstream_500", at)


def later(seconds: float) -> Moment:
    return Moment(NOW.wall + seconds, NOW.monotonic + seconds)


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        (member(1, enabled=False), "membership_disabled"),
        (member(1, account_state="paused"), "paused"),
        (member(1, account_state="reauth_required"), "reauth_required"),
        (member(1, account_access_token=""), "credentials_unreadable"),
        (member(1, account_access_expires_at=NOW.wall - 1), "token_expired"),
        (member(1, account_models=frozenset({"other"})), "model_not_offered"),
    ],
)
def test_unfit_members_are_left_out_with_their_reason(out: Member, reason: str, known: Known) -> None:
    choice = choose(asked(pool(out, member(2))), known, NOW)
    assert [each.account.id.int for each in choice.ranked] == [2]
    assert choice.excluded == {reason: 1}
    assert nobody(pool(out), known).excluded == {reason: 1}


def test_an_expiring_token_is_noticed_without_any_change(known: Known) -> None:
    two = pool(member(1, account_access_expires_at=NOW.wall + 10), member(2))
    assert sorted(order(two, known)) == [1, 2]
    assert order(two, known, moment=later(11)) == [2]


@pytest.mark.parametrize("reason", ["usage_limited", "rate_limited", "login_refused", "spend_limited", "not_included"])
def test_a_blocked_account_is_left_out_at_once_and_comes_back_at_once(reason: str, known: Known) -> None:
    two = pool(*numbered(2))
    told(known).block(1, reason, NOW.wall + 60)
    choice = choose(asked(two), known, NOW)
    assert (order(two, known), choice.excluded) == ([2], {reason: 1})
    told(known).tell(1, grade=UNKNOWN)
    assert sorted(order(two, known)) == [1, 2]


def test_scenario_20_the_higher_priority_is_used_until_it_is_exhausted(known: Known) -> None:
    two = pool(member(1, weight=100.0), member(2, priority=10))
    assert all(order(two, known, str(n)) == [2, 1] for n in range(50))
    told(known).block(2, "usage_limited", NOW.wall + 600)
    assert order(two, known) == [1]


def test_confirmed_quota_goes_before_unknown_and_unknown_before_credits(known: Known) -> None:
    three = pool(member(1, weight=1000.0), member(2, weight=100.0), member(3))
    told(known).tell(1, grade=ON_CREDITS)
    told(known).tell(2, grade=UNKNOWN)
    assert order(three, known) == [3, 2, 1]


def test_an_exhausted_pool_names_the_earliest_return_and_the_biggest_plan(known: Known) -> None:
    three = pool(member(1, account_plan_type="pro"), member(2), member(3))
    told(known).block(1, "usage_limited", NOW.wall + 600)
    told(known).block(2, "usage_limited", NOW.wall + 300)
    told(known).block(3, "rate_limited", NOW.wall + 20)
    none = nobody(three, known)
    assert none.excluded == {"usage_limited": 2, "rate_limited": 1}
    assert (none.retry_at, none.resets_at, none.plan_type) == (NOW.wall + 20, NOW.wall + 300, "pro")


def test_without_a_known_end_nobody_is_promised_one(known: Known) -> None:
    told(known).block(1, "usage_limited")
    none = nobody(pool(member(1, account_plan_type=None)), known)
    assert (none.retry_at, none.resets_at, none.plan_type) == (None, None, None)


def test_headroom_keeps_what_the_owner_of_the_account_wants_to_keep(known: Known) -> None:
    two = pool(member(1, max_primary_percent=80, max_secondary_percent=50), member(2))
    told(known).tell(1, primary_used=79.9, secondary_used=49.0)
    assert sorted(order(two, known)) == [1, 2]
    for primary, secondary in ((80.0, 49.0), (10.0, 50.0)):
        told(known).tell(1, primary_used=primary, secondary_used=secondary)
        assert order(two, known) == [2]
        assert choose(asked(two), known, NOW).excluded == {"headroom_reserved": 1}


def test_what_spends_no_quota_may_go_to_an_exhausted_account_but_after_all_others(known: Known) -> None:
    three = pool(member(1, priority=5, max_primary_percent=10), member(2), member(3))
    told(known).block(2, "usage_limited", NOW.wall + 60)
    told(known).block(3, "login_refused", NOW.wall + 60)
    told(known).tell(1, primary_used=99.0)
    assert nobody(three, known).excluded == {"headroom_reserved": 1, "usage_limited": 1, "login_refused": 1}
    assert order(three, known, route_class="file_upload") == [1, 2]
    assert order(three, known, route_class="proxy_control", model="") == [1, 2]


def test_a_model_that_no_catalogue_has_is_unknown(known: Known) -> None:
    other = frozenset({"other"})
    none = nobody(pool(member(1, account_models=other), member(2, account_models=other, enabled=False)), known)
    assert none.excluded == {"model_not_offered": 1}


def test_a_model_that_somebody_has_who_cannot_serve_is_not_unknown(known: Known) -> None:
    lacking = member(1, account_models=frozenset({"other"}))
    paused = member(2, account_models=frozenset({"gpt-5.5"}), account_state="paused")
    assert nobody(pool(lacking, paused), known).excluded == {"model_not_offered": 1, "paused": 1}
    told(known).block(3, "usage_limited", NOW.wall + 60)
    assert nobody(pool(lacking, member(3)), known).excluded == {"model_not_offered": 1, "usage_limited": 1}


def test_a_request_without_a_model_needs_no_catalogue(known: Known) -> None:
    assert order(pool(member(1, account_models=frozenset())), known, model="") == [1]


def test_a_demoted_account_goes_last_even_with_priority_and_a_failing_one_not_at_all(known: Known) -> None:
    two = pool(member(1, priority=10), member(2))
    fail(known, 1, times=1)
    assert order(two, known) == [2, 1]
    fail(known, 1, times=2)
    assert order(two, known) == [2]
    assert choose(asked(two), known, NOW).excluded == {"failing": 1}


def test_trouble_on_one_route_class_says_nothing_about_others(known: Known) -> None:
    fail(known, 1)
    assert order(pool(member(1, priority=1), member(2)), known, route_class="proxy_websocket") == [1, 2]


def test_scenario_17_when_all_are_open_the_least_recently_opened_is_still_tried(known: Known) -> None:
    for n, seconds in ((1, 3), (2, 1), (3, 2)):
        fail(known, n, at=NOW.monotonic + seconds)
    assert order(pool(*numbered(3)), known, moment=later(5)) == [2, 3, 1]


def test_an_open_account_is_not_tried_while_a_healthy_one_is_merely_busy(known: Known) -> None:
    fail(known, 1)
    with known.leases.hold(UUID(int=2)):
        none = nobody(pool(member(1), member(2, account_max_concurrency=1)), known)
    assert none.excluded == {"failing": 1, "busy": 1}


def test_scenario_19_a_full_account_is_passed_over_and_a_full_pool_is_busy(known: Known) -> None:
    two = pool(member(1, account_max_concurrency=1, priority=1), member(2, account_max_concurrency=1))
    assert first(two, known) == 1
    with known.leases.hold(UUID(int=1)):
        assert order(two, known) == [2]
        with known.leases.hold(UUID(int=2)):
            assert nobody(two, known).excluded == {"busy": 2}
    assert order(two, known) == [1, 2]


def test_a_membership_counts_only_its_own_pool(known: Known) -> None:
    one = pool(member(1, max_concurrency=1))
    with known.leases.hold(UUID(int=1), UUID(int=7)):
        assert order(one, known) == [1]
        with known.leases.hold(UUID(int=1), POOL_ID):
            assert nobody(one, known).excluded == {"busy": 1}


def test_a_rate_limited_account_serves_half_as_many_turns_for_a_minute(known: Known) -> None:
    two = pool(member(1, priority=1), member(2))
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(known.leases.hold(UUID(int=1)))
        known.leases.rate_limited(UUID(int=1), NOW.monotonic)
        assert order(two, known) == [2]
        assert order(two, known, moment=later(SLOW_SECONDS)) == [1, 2]
    assert order(two, known) == [1, 2]


def test_an_account_nothing_is_known_about_takes_two_turns_while_others_can_serve(known: Known) -> None:
    two = pool(member(1, priority=1), member(2))
    told(known).tell(1, grade=UNKNOWN, never_observed=True)
    with known.leases.hold(UUID(int=1)):
        assert order(two, known) == [1, 2]
        with known.leases.hold(UUID(int=1)):
            assert order(two, known) == [2, 1]
            told(known).tell(1, never_observed=False)
            assert order(two, known) == [1, 2]


def test_an_empty_pool_has_nobody(known: Known) -> None:
    none = nobody(pool(), known)
    assert (none.excluded, none.retry_at) == ({}, None)


def test_no_more_are_ranked_than_may_be_tried(known: Known) -> None:
    ten = pool(*numbered(10), attempts=3)
    assert len(order(ten, known)) == 3
    assert order(ten, known) == order(pool(*numbered(10), attempts=10), known)[:3]


def test_a_pinned_request_has_one_account_or_none(known: Known) -> None:
    three = pool(*numbered(3))
    choice = choose(asked(three, pinned=UUID(int=2)), known, NOW)
    assert [each.account.id.int for each in choice.ranked] == [2]
    assert choice.excluded == {"not_the_owner": 2}
    assert order(three, known, pinned=UUID(int=2), owner=UUID(int=1)) == [2]
    fail(known, 2)
    assert order(three, known, pinned=UUID(int=2)) == [2], "nobody else could serve it"
    told(known).block(2, "usage_limited", NOW.wall + 60)
    none = nobody(three, known, pinned=UUID(int=2))
    assert (none.excluded, none.resets_at) == ({"not_the_owner": 2, "usage_limited": 1}, NOW.wall + 60)
    assert nobody(three, known, pinned=UUID(int=9)).excluded == {"not_the_owner": 3}


def test_a_session_stays_with_its_owner_although_a_better_account_has_recovered(known: Known) -> None:
    two = pool(member(1), member(2, priority=10))
    assert order(two, known, owner=UUID(int=1)) == [1, 2]


def test_trouble_that_passes_leaves_the_session_with_its_owner(known: Known) -> None:
    fail(known, 1, times=1)
    assert order(pool(*numbered(2)), known, owner=UUID(int=1)) == [1, 2]
    fail(known, 1, times=2)
    assert order(pool(*numbered(2)), known, owner=UUID(int=1)) == [2]


@pytest.mark.parametrize("percent", [95.0, 99.0])
def test_a_new_turn_leaves_an_owner_that_is_near_its_limit(percent: float, known: Known) -> None:
    two = pool(member(1), member(2, priority=10))
    told(known).tell(1, primary_used=percent)
    assert order(two, known, owner=UUID(int=1)) == [2, 1]


def test_an_owner_that_is_blocked_or_gone_is_replaced(known: Known) -> None:
    told(known).block(1, "usage_limited", NOW.wall + 60)
    assert order(pool(*numbered(2)), known, owner=UUID(int=1)) == [2]
    assert order(pool(member(2)), known, owner=UUID(int=1)) == [2]


def test_a_pool_without_sticky_sessions_asks_for_no_owner(known: Known) -> None:
    def ranked(route_class: str, switches: Switches) -> int:
        two = pool(member(1), member(2, priority=10), switches=switches)
        return first(two, known, owner=UUID(int=1), route_class=route_class)

    assert ranked("proxy_stream", Switches(sticky_http_sessions=False)) == 2
    assert ranked("proxy_websocket", Switches(sticky_http_sessions=False)) == 1
    assert ranked("proxy_websocket", Switches(sticky_websocket_sessions=False)) == 2


def test_nothing_is_worked_out_again_while_nothing_changes(known: Known) -> None:
    ten = pool(*numbered(10))
    for n in range(20):
        order(ten, known, str(n))
    assert told(known).asked == 10
    told(known).tell(3, remaining=0.1)
    order(ten, known)
    assert told(known).asked < 10 + 2 * 10


def test_models_that_clients_make_up_do_not_fill_the_memory(known: Known) -> None:
    for n in range(2000):
        order(pool(*numbered(1)), known, model=f"made-up-{n}")
    assert len(known.shortlists) <= 512
