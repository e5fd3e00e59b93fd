"""Sessions and responses keep their account for a day, in a memory that cannot grow without end."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.routing.bindings import LIFETIME_SECONDS, REFRESH_SECONDS, Binding, Bindings

POOL, A, B = UUID(int=9), UUID(int=1), UUID(int=2)


def bound(*names: bytes, at: float = 0.0, to: UUID = A, capacity: int = 100) -> Bindings:
    bindings = Bindings(capacity)
    for name in names:
        bindings.bind(name, "session", POOL, to, at)
    return bindings


def test_a_binding_lasts_a_day_since_it_was_last_seen() -> None:
    bindings = bound(b"s")
    assert bindings.account_of(b"s", LIFETIME_SECONDS) == A
    bindings.bind(b"s", "session", POOL, A, LIFETIME_SECONDS)
    assert bindings.account_of(b"s", 2 * LIFETIME_SECONDS) == A
    assert bindings.account_of(b"s", 2 * LIFETIME_SECONDS + 1) is None
    assert len(bindings) == 0
    assert bindings.account_of(b"unknown", 0.0) is None


def test_a_session_in_use_is_written_every_five_minutes_at_most_and_at_once_when_it_moves() -> None:
    bindings = bound(b"s")
    assert len(bindings.take_changes().bound) == 1
    bindings.bind(b"s", "session", POOL, A, REFRESH_SECONDS - 1)
    assert not bindings.take_changes()
    bindings.bind(b"s", "session", POOL, A, REFRESH_SECONDS)
    assert bindings.take_changes().bound == [Binding(b"s", POOL, A, "session", REFRESH_SECONDS)]
    bindings.bind(b"s", "session", POOL, B, REFRESH_SECONDS + 1)
    assert [each.account_id for each in bindings.take_changes().bound] == [B]
    bindings.bind(b"s", "session", POOL, B, REFRESH_SECONDS - 1000)
    assert bindings.account_of(b"s", REFRESH_SECONDS) == B, "a clock that was set back changes nothing"


def test_the_least_recently_seen_is_forgotten_first() -> None:
    bindings = bound(b"1", b"2", b"3", capacity=3)
    bindings.bind(b"1", "session", POOL, A, REFRESH_SECONDS)
    bindings.bind(b"4", "session", POOL, A, REFRESH_SECONDS)
    assert [bindings.account_of(name, 1.0) for name in (b"1", b"2", b"3", b"4")] == [A, None, A, A]


def test_an_account_that_is_released_loses_its_sessions_and_only_those() -> None:
    bindings = bound(b"1", b"2")
    bindings.bind(b"3", "response", POOL, B, 0.0)
    assert bindings.release(A, 5.0) == 2
    assert [bindings.account_of(name, 6.0) for name in (b"1", b"2", b"3")] == [None, None, B]
    changes = bindings.take_changes()
    assert ([each.digest for each in changes.bound], changes.released) == ([b"3"], {A: 5.0})


def test_what_could_not_be_written_is_written_later_in_its_newest_form() -> None:
    bindings = bound(b"1", b"2")
    bindings.release(B, 1.0)
    changes = bindings.take_changes(limit=1)
    assert [each.digest for each in changes.bound] == [b"1"]
    bindings.bind(b"1", "session", POOL, B, 10.0)
    bindings.release(B, 20.0)
    bindings.give_back(changes)
    later = bindings.take_changes()
    assert ([each.digest for each in later.bound], later.released) == ([b"2"], {B: 20.0})
    assert not bindings.take_changes()


def test_what_others_wrote_is_taken_over_when_it_is_newer_and_not_written_again() -> None:
    bindings = bound(b"1", b"2", at=10.0)
    bindings.take_changes()
    bindings.restore([Binding(b"1", POOL, B, "session", 5.0), Binding(b"2", POOL, B, "session", 15.0)])
    bindings.restore([Binding(b"3", POOL, B, "session", 1.0)])
    assert [bindings.account_of(name, 20.0) for name in (b"1", b"2", b"3")] == [A, B, B]
    assert not bindings.take_changes()


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([A, B]), st.integers(0, 200)), max_size=60))
def test_memory_is_bounded_and_the_newest_word_counts(said: list[tuple[int, UUID, int]]) -> None:
    bindings, last = Bindings(10), {}
    for step, (name, account_id, _) in enumerate(said):
        bindings.bind(bytes([name]), "session", POOL, account_id, step * REFRESH_SECONDS)
        last[name] = account_id
    assert len(bindings) <= 10
    now = len(said) * REFRESH_SECONDS
    for name, account_id in last.items():
        assert bindings.account_of(bytes([name]), now) in (account_id, None)
