"""One cell per account: demote, exclude, probe, recover."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.routing.health import OPEN_SECONDS, Health

A = UUID(int=1)


def failing(times: int, at: float = 100.0) -> Health:
    health = Health()
    for _ in range(times):
        health.failed(A, "upstream_500", at)
    return health


def test_one_failure_demotes_for_a_while() -> None:
    health = failing(1)
    assert health.demoted(A, 114.0)
    assert not health.demoted(A, 115.1)
    assert not health.excluded(A, 100.0)


def test_three_failures_exclude_and_then_one_turn_probes() -> None:
    health = failing(3)
    after = 100.0 + OPEN_SECONDS
    assert health.excluded(A, after - 0.1)
    assert not health.excluded(A, after)
    health.begin_probe(A, after)
    assert health.excluded(A, after), "while one turn probes, others wait"
    health.succeeded(A)
    assert not health.excluded(A, after)
    assert health.cell(A) is None


def test_a_failed_probe_excludes_for_longer() -> None:
    health = failing(3)
    after = 100.0 + OPEN_SECONDS
    health.begin_probe(A, after)
    health.failed(A, "x", after)
    assert health.excluded(A, after + 2 * OPEN_SECONDS - 0.1)
    assert not health.excluded(A, after + 2 * OPEN_SECONDS)


def test_a_probe_that_says_nothing_frees_the_cell() -> None:
    health = failing(3)
    after = 100.0 + OPEN_SECONDS
    health.begin_probe(A, after)
    health.probe_ended(A)
    assert not health.excluded(A, after)


def test_old_failures_do_not_add_up() -> None:
    health = failing(2)
    health.failed(A, "x", 100.0 + 301)
    assert not health.excluded(A, 401.0)
