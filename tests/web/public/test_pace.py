"""A steady pace with a little haste: who is too fast waits, and nobody else does."""

from __future__ import annotations

import pytest

from codex_pooler.web.public import pace
from codex_pooler.web.public.pace import Limit, Pace, TooFast


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def steps(paced: Pace, name: str, count: int) -> int:
    """How many of so many steps are let through."""
    taken = 0
    for _ in range(count):
        try:
            paced.step(name)
            taken += 1
        except TooFast:
            pass
    return taken


def test_so_many_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    paced = Pace(Limit(per_minute=60, at_once=5), clock)
    assert steps(paced, "a", 10) == 5
    assert steps(paced, "b", 1) == 1
    clock.now += 1
    assert steps(paced, "a", 10) == 1
    clock.now += 3600
    assert steps(paced, "a", 10) == 5


def test_who_is_refused_is_told_when_to_come_back_and_is_not_punished() -> None:
    clock = Clock()
    paced = Pace(Limit(per_minute=6, at_once=1), clock)
    paced.step("a")
    for _ in range(20):
        with pytest.raises(TooFast) as refused:
            paced.step("a")
        assert refused.value.retry_after_seconds == 10
    clock.now += 10
    paced.step("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_NAMES", 100)
    paced = Pace(Limit(60, 1), Clock())
    for number in range(1000):
        paced.step(number)
    assert len(paced._paid_until) == 100
