"""Limits hold at every moment, whatever the order in which requests begin, end and are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_pooler.keys.ledger import Stored
from codex_pooler.keys.limits import FREE, Clock, Estimate, KeyLimitReached, Limits, Reservation, estimate
from codex_pooler.keys.tally import StoredSum
from codex_pooler.keys.windows import SPANS
from codex_pooler.protocol.requests import read_fields
from codex_pooler.snapshot.model import Key, Limit
from tests.keys.examples import key_with

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
SMALL = Estimate(100, 100)  # reserves 200 tokens


@dataclass
class Desk:
    """Limits under a clock that the test moves."""

    seconds: float = 0.0
    begun: float = NOON
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.limits = Limits(self.now)

    def now(self) -> Clock:
        return Clock(self.begun + self.seconds, 1000.0 + self.seconds)

    def reserve(self, key: Key, model: str = "m", size: Estimate = SMALL) -> Reservation:
        return self.limits.reserve(key, model, size, self.now())

    def refused(self, key: Key, model: str = "m", size: Estimate = SMALL) -> KeyLimitReached:
        with pytest.raises(KeyLimitReached) as caught:
            self.reserve(key, model, size)
        return caught.value

    def used(self, key: Key) -> list[int]:
        return [each.used for each in self.limits.usage(key, self.now())]

    def headers(self, key: Key, model: str = "m") -> dict[str, str]:
        return dict(self.limits.headers(key, model, self.now()))

    def load(self, key: Key, by_model: dict[str, tuple[int, int, int]], as_of: float, oldest: float = NOON) -> None:
        """The database has these sums, the same in every window, as of that many seconds."""
        sums = {m: dict.fromkeys(SPANS, StoredSum(amounts, oldest)) for m, amounts in by_model.items()}
        starts = {name: span(self.now().wall).counts_from for name, span in SPANS.items()}
        self.limits.load(Stored({key.id: sums}, starts, 1000.0 + as_of), [key])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_key_without_limits_costs_nothing(desk: Desk) -> None:
    key = key_with()
    assert desk.reserve(key) is FREE
    FREE.settle(10, 10)
    FREE.release()
    assert desk.headers(key) == {}
    assert desk.used(key) == []


def test_scenario_39_the_third_request_in_a_minute_waits_for_the_first_to_leave(desk: Desk) -> None:
    key = key_with(Limit("requests", "minute", 2))
    desk.reserve(key).settle(5, None)
    desk.seconds = 20
    desk.reserve(key)
    assert desk.headers(key) == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
    }
    desk.seconds = 30.5
    refused = desk.refused(key)
    assert (refused.code, refused.used, refused.retry_after) == ("rate_limit_exceeded", 2, 29.5)
    assert refused.kind == "rate_limit_error"
    assert refused.message == "the key 'ci' has used 2 of its 2 requests per minute; try again in 30s"
    desk.seconds = 60
    desk.reserve(key)
    desk.refused(key)


def test_scenario_39_a_models_own_limits_replace_the_general_ones(desk: Desk) -> None:
    key = key_with(Limit("requests", "minute", 2), Limit("requests", "minute", 3, "Big"))
    for _ in range(3):
        desk.reserve(key, "big")
    assert desk.refused(key, "BIG").limit.model == "Big"
    for _ in range(2):
        desk.reserve(key, "small")
    assert desk.refused(key, "small").limit.model is None
    assert desk.used(key) == [2, 3]


def test_scenario_40_tokens_count_as_reserved_in_flight_and_as_used_afterwards(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000))
    first, second = desk.reserve(key), desk.reserve(key)
    assert desk.used(key) == [400]
    first.settle(50, None)
    assert desk.used(key) == [250]
    second.settle(None, None)
    assert desk.used(key) == [50]


def test_unknown_usage_counts_no_tokens_but_the_request(desk: Desk) -> None:
    key = key_with(Limit("requests", "day", 10), Limit("tokens", "day", 1000), Limit("cost_micros", "month", 1000))
    desk.reserve(key).settle(None, None)
    assert desk.used(key) == [1, 0, 0]


def test_a_released_request_counts_for_nothing(desk: Desk) -> None:
    key = key_with(Limit("requests", "minute", 1), Limit("requests", "day", 1), Limit("tokens", "minute", 200))
    desk.reserve(key).release()
    assert desk.used(key) == [0, 0, 0]
    desk.reserve(key)


def test_requests_that_came_before_others_but_are_judged_after_them_leave_nothing_behind() -> None:
    midnight = NOON + 12 * 3600
    desk, key = Desk(begun=midnight), key_with(Limit("tokens", "minute", 10_000), Limit("tokens", "day", 10_000))
    desk.load(key, {"m": (1, 500, 0)}, as_of=0)
    second = desk.reserve(key)
    slow = Clock(midnight - 3, 997.0)  # its body took its time, over midnight
    first = desk.limits.reserve(key, "m", SMALL, slow)
    assert desk.used(key) == [400, 700]
    desk.seconds = 1
    first.settle(7, None)
    second.settle(9, None)
    assert desk.used(key) == [16, 509]
    desk.seconds = 60
    assert desk.used(key) == [0, 509]


def test_a_reservation_ends_once(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000), max_concurrency=1)
    reservation = desk.reserve(key)
    reservation.settle(50, None)
    reservation.settle(70, None)
    reservation.release()
    assert desk.used(key) == [50]
    desk.reserve(key)
    assert desk.refused(key).code == "rate_limit_exceeded"


def test_all_limits_must_leave_room(desk: Desk) -> None:
    key = key_with(Limit("requests", "minute", 10), Limit("tokens", "day", 300))
    desk.reserve(key)
    refused = desk.refused(key)
    assert (refused.limit.metric, refused.code, refused.kind) == ("tokens", "key_limit_reached", "usage_limit_reached")
    assert desk.used(key) == [1, 200]


def test_requests_in_flight_are_bounded(desk: Desk) -> None:
    key = key_with(max_concurrency=2)
    first = desk.reserve(key)
    desk.reserve(key)
    refused = desk.refused(key)
    assert (refused.code, refused.retry_after, refused.used) == ("rate_limit_exceeded", 1.0, 2)
    assert "2 requests in flight" in refused.message
    first.release()
    desk.reserve(key)


def test_a_days_budget_returns_at_midnight_utc(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 200))
    desk.reserve(key).settle(200, None)
    refused = desk.refused(key)
    assert refused.retry_after == 12 * 3600
    assert refused.message == (
        "the key 'ci' has used 200 of its 200 tokens per day (UTC), and this request needs about 200;"
        " wait until 2026-11-21 00:00 UTC, or ask an operator to raise the limit"
    )
    desk.seconds = 12 * 3600
    assert desk.used(key) == [0]
    desk.reserve(key)


def test_a_request_over_midnight_counts_for_the_day_it_began(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000), Limit("tokens", "month", 1000))
    reservation = desk.reserve(key)
    desk.seconds = 13 * 3600
    reservation.settle(300, None)
    assert desk.used(key) == [0, 300]


def test_a_request_that_never_fits_says_so(desk: Desk) -> None:
    refused = desk.refused(key_with(Limit("tokens", "minute", 150)))
    assert "this request alone needs about 200; shorten it" in refused.message


def test_a_months_budget_of_money(desk: Desk) -> None:
    key = key_with(Limit("cost_micros", "month", 2_000_000))
    desk.reserve(key).settle(200, 1_500_000)
    refused = desk.refused(key)  # what a token cost has been learned: the next one is expected to cost as much
    assert "has used 1.50 of its 2.00 US dollars per month (UTC), and this request needs about 1.50" in refused.message
    assert datetime.fromtimestamp(refused.resets_at, UTC) == datetime(2026, 12, 1, tzinfo=UTC)


def test_answers_are_reserved_by_what_they_were_like_and_never_by_a_ceiling(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 10**9), max_output_tokens=128_000)
    desk.reserve(key, size=Estimate(100))
    assert desk.used(key) == [612]
    for _ in range(300):
        desk.reserve(key, size=Estimate(100)).settle(2_100, None)
    before = desk.used(key)[0]
    desk.reserve(key, size=Estimate(100))
    assert 1_500 < desk.used(key)[0] - before < 2_800
    desk.reserve(key_with(Limit("tokens", "day", 10**9), max_output_tokens=10, number=2), size=Estimate(100))
    assert desk.used(key_with(Limit("tokens", "day", 10**9), number=2)) == [110]


def test_other_processes_count_through_the_database(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000), Limit("tokens", "week", 5000, "big"))
    desk.load(key, {"m": (3, 500, 0), "x": (1, 200, 0), "big": (9, 4000, 0)}, as_of=0)
    assert desk.used(key) == [700, 4000]
    desk.reserve(key)
    assert desk.refused(key).used == 900


def test_what_ended_before_the_sum_was_taken_is_not_counted_twice(desk: Desk) -> None:
    key = key_with(Limit("requests", "day", 100), Limit("tokens", "week", 10_000))
    early, late, running = desk.reserve(key), desk.reserve(key), desk.reserve(key)
    desk.seconds = 1
    early.settle(10, None)
    desk.seconds = 3
    late.settle(20, None)
    assert desk.used(key) == [3, 230]
    desk.load(key, {"m": (1, 10, 0)}, as_of=2)
    assert desk.used(key) == [3, 230]
    desk.load(key, {"m": (2, 30, 0)}, as_of=3)
    assert desk.used(key) == [3, 230]
    desk.seconds = 4
    running.settle(5, None)
    desk.load(key, {"m": (7, 1000, 0)}, as_of=3)
    assert desk.used(key) == [8, 1005]


def test_a_sum_that_was_taken_of_yesterday_is_not_taken_for_today(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000))
    yesterday = {name: span(desk.now().wall).counts_from for name, span in SPANS.items()}
    reservation = desk.reserve(key)
    desk.seconds = 12 * 3600
    sums = {key.id: {"m": dict.fromkeys(SPANS, StoredSum((9, 900, 0), NOON))}}
    desk.limits.load(Stored(sums, yesterday, 1000.0 + desk.seconds), [key])
    assert desk.used(key) == [0]
    reservation.release()


def test_a_weeks_budget_returns_when_the_oldest_hour_leaves(desk: Desk) -> None:
    key = key_with(Limit("tokens", "week", 1000))
    desk.load(key, {"m": (3, 1000, 0)}, as_of=0, oldest=NOON - 6 * 86400)
    assert desk.refused(key).retry_after == 86400 + 3600


def test_changed_limits_keep_what_was_counted(desk: Desk) -> None:
    key = key_with(Limit("requests", "minute", 10), Limit("tokens", "day", 10_000))
    desk.reserve(key).settle(10, None)
    running = desk.reserve(key, "big")
    changed = key_with(
        Limit("tokens", "day", 9_000), Limit("requests", "minute", 5, "big"), Limit("tokens", "day", 7_000, "big")
    )
    assert desk.used(changed) == [10, 1, 200]
    running.settle(30, None)
    assert desk.used(changed) == [10, 1, 30]
    desk.seconds = 61
    assert desk.used(changed) == [10, 0, 30]


def test_keys_that_are_gone_are_forgotten(desk: Desk) -> None:
    key = key_with(Limit("tokens", "day", 1000))
    reservation = desk.reserve(key)
    desk.limits.load(Stored(), [])
    reservation.settle(5, None)
    assert desk.used(key) == [5]
    desk.limits.load(Stored(), [])
    assert desk.used(key) == [0]


def test_headers_tell_the_limit_with_the_least_left(desk: Desk) -> None:
    key = key_with(Limit("tokens", "minute", 50_000), Limit("tokens", "day", 1_000), Limit("cost_micros", "day", 5))
    desk.reserve(key).settle(90, None)
    assert desk.headers(key) == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "910",
        "x-ratelimit-reset-tokens": "12h0m0s",
    }


def test_the_estimate_is_a_quarter_of_the_bytes_and_the_clients_own_cap() -> None:
    assert estimate(read_fields(b'{"model":"m","max_output_tokens":64}'), 401) == Estimate(101, 64)
    assert estimate(read_fields(b'{"model":"m","max_output_tokens":"x"}'), 400) == Estimate(100, None)


def test_a_long_absence_of_the_database_costs_little_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_pooler.keys.tally.MOST_UNSTORED", 10)
    key = key_with(Limit("tokens", "day", 10**6), Limit("tokens", "month", 10**6))
    for number in range(100):
        desk.seconds = number * 600
        desk.reserve(key).settle(1, None)
    assert desk.used(key) == [100 - 72, 100]
    tally = desk.limits._ledgers[key.id].tally_of("m")
    assert len(tally._unstored) <= 11
    desk.load(key, {"m": (100, 100, 0)}, as_of=desk.seconds)
    assert desk.used(key) == [100, 100]


@dataclass
class Remembered:
    """One request as the plain model of the property test sees it."""

    reservation: Reservation
    model: str
    admitted: float
    amounts: Sequence[int]
    ended: float | None = None
    stored: bool = False


STEP = st.one_of(
    st.tuples(st.just("reserve"), st.sampled_from(["m", "Big", "x"]), st.integers(0, 300)),
    st.tuples(st.just("settle"), st.integers(0, 50), st.one_of(st.none(), st.integers(0, 500))),
    st.tuples(st.just("release"), st.integers(0, 50), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 7.0, 31.0, 61.0, 1800.0, 30_000.0]), st.none()),
    st.tuples(st.just("store"), st.integers(0, 5), st.none()),
    st.tuples(st.just("change"), st.booleans(), st.none()),
)
GENERAL = tuple(Limit(metric, window, 10**9) for metric in ("requests", "tokens") for window in ("minute", *SPANS))
OWN = (Limit("requests", "minute", 10**9, "big"), Limit("tokens", "day", 10**9, "big"))
BOTH = key_with(*GENERAL, *OWN)
ONE = key_with(*GENERAL)


def expected(limit: Limit, key: Key, all_of: list[Remembered], now: Clock) -> int:
    """What the plain model counts: every request of the limit's models that was admitted in its window."""
    wall = NOON + now.monotonic - 1000.0
    since = wall - 60.0 if limit.window == "minute" else SPANS[limit.window](wall).counts_from
    index = ("requests", "tokens").index(limit.metric)
    own = {each.model for each in key.limits if each.model}
    counted = [
        each.amounts[index]
        for each in all_of
        if (limit.model == each.model.lower() if limit.model else each.model.lower() not in own)
        and (each.admitted > since if limit.window == "minute" else each.admitted >= since)
    ]
    return sum(counted)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_any_interleaving_leaves_the_counters_exact_and_never_negative(steps: list[tuple[str, object, object]]) -> None:
    desk, key, everything = Desk(), BOTH, list[Remembered]()
    for name, first, second in steps:
        if name == "wait":
            desk.seconds += float(str(first))
            store(desk, key, everything, len(everything))
        elif name == "reserve":
            size = Estimate(int(str(second)), 0)
            reservation = desk.reserve(key, str(first), size)
            everything.append(Remembered(reservation, str(first), desk.now().wall, (1, size.input_tokens)))
        elif name in ("settle", "release") and everything:
            desk.seconds += 0.001
            tokens = None if second is None else int(str(second))
            end(everything[int(str(first)) % len(everything)], desk.seconds, tokens, settled=name == "settle")
        elif name == "store":
            store(desk, key, everything, int(str(first)))
        elif name == "change":
            key = BOTH if first else ONE
        running = [each for each in everything if each.ended is None]
        assert len(running) == (desk.limits._ledgers[key.id].in_flight if everything else 0)
        for consumed in desk.limits.usage(key, desk.now()):
            assert consumed.used == expected(consumed.limit, key, everything, desk.now()) >= 0


def end(chosen: Remembered, seconds: float, tokens: int | None, *, settled: bool) -> None:
    """Settle or release a request, perhaps for the second time: then nothing may change."""
    if settled:
        chosen.reservation.settle(tokens, None)
    else:
        chosen.reservation.release()
    if chosen.ended is None:
        chosen.ended, chosen.amounts = seconds, (1, tokens or 0) if settled else (0, 0)


def store(desk: Desk, key: Key, everything: list[Remembered], behind: int) -> None:
    """The writer has stored all but the last ``behind`` of the requests that ended, and the sums are taken."""
    ended = sorted((each for each in everything if each.ended is not None), key=lambda each: each.ended or 0.0)
    for each in ended[: max(0, len(ended) - behind)]:
        each.stored = True
    done = [each for each in ended if each.stored]
    as_of = max((each.ended or 0.0 for each in done), default=0.0)
    starts = {name: span(desk.now().wall).counts_from for name, span in SPANS.items()}
    sums: dict[str, dict[str, StoredSum]] = {}
    for each in done:
        windows = sums.setdefault(each.model.lower(), {})
        for window, since in starts.items():
            if each.admitted >= since:
                windows[window] = windows.get(window, StoredSum()) + StoredSum((*each.amounts, 0))
    desk.limits.load(Stored({UUID(int=1): sums}, starts, 1000.0 + as_of), [key])
