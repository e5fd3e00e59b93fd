"""Who may serve, in which order, and why the others may not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest

from codex_pooler.quota import blocks
from codex_pooler.quota.blocks import Blocks
from codex_pooler.routing.candidates import Known, Moment, NoCandidate, choose
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.model import Account, Member, Pool

NOW = Moment(wall=1_000_000.0, monotonic=500.0)


def account(n: int) -> Account:
    return Account(UUID(int=n), f"acct-{n}", "active", f"acc-{n}", "token")


def pool(*members: Member, strategy: str = "capacity_weighted") -> Pool:
    return Pool(UUID(int=99), "p", "active", strategy, 3, members)


@pytest.fixture
def known() -> Known:
    return Known(Health(), Blocks(), Leases())


def order(chosen: Pool, known: Known, seed: str = "s") -> list[int]:
    return [m.account.id.int for m in choose(chosen, seed, known, NOW).ranked]


def test_a_session_keeps_its_account_and_sessions_spread_by_weight(known: Known) -> None:
    members = (Member(account(1), weight=3.0), Member(account(2), weight=1.0))
    assert len({tuple(order(pool(*members), known, "same")) for _ in range(20)}) == 1
    firsts = Counter(order(pool(*members), known, f"session-{n}")[0] for n in range(4000))
    assert 2800 < firsts[1] < 3200


def test_priority_goes_before_everything(known: Known) -> None:
    members = (Member(account(1), priority=0, weight=100.0), Member(account(2), priority=10))
    assert all(order(pool(*members), known, str(n))[0] == 2 for n in range(50))


def test_fill_first_uses_the_oldest_account_up(known: Known) -> None:
    members = tuple(Member(account(n)) for n in (3, 1, 2))
    assert order(pool(*members, strategy="fill_first"), known) == [1, 2, 3]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (Member(account(1), enabled=False), "membership_disabled"),
        (Member(replace(account(1), state="paused")), "paused"),
        (Member(replace(account(1), state="reauth_required")), "reauth_required"),
        (Member(replace(account(1), access_token="")), "credentials_unreadable"),
        (Member(replace(account(1), access_expires_at=NOW.wall - 1)), "token_expired"),
    ],
)
def test_unfit_members_are_left_out_with_their_reason(member: Member, reason: str, known: Known) -> None:
    choice = choose(pool(member, Member(account(2))), "s", known, NOW)
    assert [m.account.id.int for m in choice.ranked] == [2]
    assert choice.excluded == {reason: 1}


def test_a_demoted_account_goes_last_and_a_failing_one_not_at_all(known: Known) -> None:
    members = pool(Member(account(1), weight=1000.0), Member(account(2)))
    known.health.failed(UUID(int=1), "x", NOW.monotonic)
    assert order(members, known) == [2, 1]
    known.health.failed(UUID(int=1), "x", NOW.monotonic)
    known.health.failed(UUID(int=1), "x", NOW.monotonic)
    assert order(members, known) == [2]


def test_when_all_fail_the_pool_is_not_locked_out(known: Known) -> None:
    for n in (1, 2):
        for _ in range(3):
            known.health.failed(UUID(int=n), "x", NOW.monotonic + n)
    assert order(pool(Member(account(1)), Member(account(2))), known) == [1]


def test_an_exhausted_pool_names_the_earliest_return(known: Known) -> None:
    for n, resets in ((1, NOW.wall + 600), (2, NOW.wall + 300)):
        known.blocks.put(UUID(int=n), blocks.USAGE_LIMITED, NOW.wall, resets_at=resets, otherwise=1)
    with pytest.raises(NoCandidate) as caught:
        choose(pool(Member(account(1)), Member(account(2))), "s", known, NOW)
    assert caught.value.excluded == {"usage_limited": 2}
    assert caught.value.retry_at == NOW.wall + 300


def test_a_full_account_is_busy_until_a_lease_ends(known: Known) -> None:
    members = pool(Member(account(1), max_concurrency=1))
    with known.leases.hold(UUID(int=1)):
        with pytest.raises(NoCandidate) as caught:
            choose(members, "s", known, NOW)
        assert caught.value.excluded == {"busy": 1}
    assert order(members, known) == [1]
    assert known.leases.total() == 0


def test_an_empty_pool_has_nobody(known: Known) -> None:
    with pytest.raises(NoCandidate) as caught:
        choose(pool(), "s", known, NOW)
    assert (caught.value.excluded, caught.value.retry_at) == ({}, None)
