"""Turns in flight are counted before anything is awaited, and given back on every way out."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from uuid import UUID

import pytest

from codex_pooler.routing.leases import SLOW_SECONDS, Leases
from tests.routing.scene import POOL_ID, member

A = UUID(int=1)


def test_a_lease_ends_with_its_block_even_when_that_fails() -> None:
    leases = Leases()
    with contextlib.suppress(ValueError), leases.hold(A, POOL_ID):
        assert (leases.held(A), leases.total()) == (1, 1)
        raise ValueError
    assert (leases.held(A), leases.total()) == (0, 0)
    assert not leases.running
    assert not leases.full(member(1, max_concurrency=1), POOL_ID, 0.0)


def test_somebody_waiting_is_told_when_a_turn_has_ended() -> None:
    leases, seen = Leases(), []
    leases.on_free = lambda: seen.append(leases.total())
    with leases.hold(A), leases.hold(A):
        assert seen == []
    assert seen == [1, 0]


@pytest.mark.parametrize(
    ("running", "cap", "left"), [(8, None, 4), (3, None, 1), (1, None, 1), (0, None, 1), (8, 4, 2)]
)
def test_a_rate_limit_halves_what_the_account_serves_at_once(running: int, cap: int | None, left: int) -> None:
    leases = Leases()
    with ExitStack() as held:
        for _ in range(running):
            held.enter_context(leases.hold(A))
        leases.rate_limited(A, 100.0, cap)
        slow = leases.slow(A, 100.0)
        assert slow is not None
        assert slow.turns == left
        assert leases.full(member(1), POOL_ID, 100.0) is (running >= left)
        assert not leases.full(member(1), POOL_ID, 100.0 + SLOW_SECONDS)
    assert not leases.slowed
