"""Heads, events and usage answers are understood in every shape they come in, and nothing in them can do harm."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.quota.evidence import from_event, from_headers, from_usage
from codex_pooler.quota.windows import kind_of, limit_key_of
from tests.quota.statements import DAY, HOUR, NOW, head, metered, usage, window

# as a ChatGPT backend sent them with a turn
REAL_HEAD = [
    ("x-codex-plan-type", "pro"),
    ("x-codex-active-limit", "premium"),
    ("x-codex-credits-has-credits", "False"),
    ("x-codex-credits-unlimited", "False"),
    ("x-codex-credits-balance", ""),
    ("x-codex-primary-over-secondary-limit-percent", "0"),
    ("x-codex-primary-used-percent", "3"),
    ("x-codex-primary-window-minutes", "300"),
    ("x-codex-primary-reset-at", "1795244936"),
    ("x-codex-primary-reset-after-seconds", "17997"),
    ("x-codex-secondary-used-percent", "1"),
    ("x-codex-secondary-window-minutes", "10080"),
    ("x-codex-secondary-reset-at", "1795831736"),
    ("x-codex-secondary-reset-after-seconds", "604797"),
    ("x-request-id", "f29e402f"),
]
REAL_EVENT = (
    b'{"type":"codex.rate_limits","plan_type":"pro","metered_limit_name":null,"limit_name":null,"rate_limits":{'
    b'"allowed":true,"limit_reached":false,"primary":{"used_percent":0.0,"window_minutes":300,"reset_at":1795244936,'
    b'"reset_after_seconds":17997},"secondary":{"used_percent":0.0,"window_minutes":10080,"reset_at":1795831736,'
    b'"reset_after_seconds":604797}},"code_review_rate_limits":null,"credits":{"has_credits":false,"unlimited":false,'
    b'"balance":null},"promo":null}'
)
SEEN_AT = 1795226939.0


def test_a_real_head_names_both_windows_plan_and_credits() -> None:
    seen = from_headers(REAL_HEAD, SEEN_AT)
    assert seen is not None
    assert [(w.limit_key, w.kind, w.used_percent, w.reset_at) for w in seen.windows] == [
        ("account", "5h", 3.0, 1795244936.0),
        ("account", "7d", 1.0, 1795831736.0),
    ]
    assert seen.plan_type == "pro"
    assert seen.credits is not None
    assert not seen.credits.cover


def test_a_real_event_says_the_same_and_the_verdict() -> None:
    seen = from_event(REAL_EVENT, SEEN_AT)
    assert seen is not None
    assert [w.kind for w in seen.windows] == ["5h", "7d"]
    (verdict,) = seen.verdicts
    assert (verdict.allowed, verdict.reached) == (True, False)


def test_other_events_and_other_heads_say_nothing() -> None:
    assert from_event(b'{"type":"response.created"}', NOW) is None
    assert from_event(b"not JSON", NOW) is None
    assert from_headers([("content-type", "text/event-stream"), ("x-request-id", "1")], NOW) is None


def test_a_head_without_the_duration_of_a_window_says_nothing_of_it() -> None:
    assert from_headers([("x-codex-primary-used-percent", "50")], NOW) is None


@pytest.mark.parametrize(
    ("minutes", "kind"),
    [
        (300, "5h"),
        (299, "5h"),
        (10_080, "7d"),
        (43_200, "30d"),
        (44_640, "30d"),
        (90, "90m"),
        (120, "2h"),
        (2_880, "2d"),
    ],
)
def test_windows_are_told_apart_by_duration(minutes: int, kind: str) -> None:
    assert kind_of(minutes) == kind


def test_scenario_23_a_weekly_window_in_the_first_slot_is_weekly() -> None:
    seen = usage({"rate_limit": {"allowed": True, "primary_window": window(40, 10_080, 3 * DAY)}})
    (weekly,) = seen.windows
    assert (weekly.kind, weekly.is_long, weekly.used_percent) == ("7d", True, 40.0)


def test_the_same_kind_in_both_slots_counts_once_with_the_fuller_figure() -> None:
    rate_limit = {"primary_window": window(40, 10_080, DAY), "secondary_window": window(60, 10_080, DAY)}
    (weekly,) = usage({"rate_limit": rate_limit}).windows
    assert weekly.used_percent == 60.0


def test_numbers_may_be_strings_and_times_iso() -> None:
    stated = {"used_percent": "42.5", "limit_window_seconds": "18000", "reset_at": "2026-11-18T07:06:40Z"}
    (found,) = usage({"rate_limit": {"allowed": "true", "primary_window": stated}}, 1_794_980_000.0).windows
    assert (found.kind, found.used_percent, found.reset_at) == ("5h", 42.5, 1_794_985_600.0)


def test_missing_durations_are_those_of_the_slots() -> None:
    rate_limit = {"primary_window": {"used_percent": 1}, "secondary_window": {"used_percent": 2}}
    assert [w.kind for w in usage({"rate_limit": rate_limit}).windows] == ["5h", "7d"]


def test_used_is_kept_between_0_and_100() -> None:
    rate_limit = {"primary_window": window(130), "secondary_window": window(-5, 10_080, DAY)}
    assert [w.used_percent for w in usage({"rate_limit": rate_limit}).windows] == [100.0, 0.0]


@pytest.mark.parametrize(
    ("minutes", "ahead", "believed"),
    [
        (300, HOUR, True),
        (300, -1.0, False),
        (10_080, 7.9 * DAY, True),
        (10_080, 8.1 * DAY, False),
        (43_200, 31.0 * DAY, True),
        (43_200, 33.0 * DAY, False),
    ],
)
def test_resets_in_the_past_or_too_far_ahead_are_flagged_and_not_believed(
    minutes: int, ahead: float, believed: bool
) -> None:
    (found,) = usage({"rate_limit": {"primary_window": window(50, minutes, ahead)}}).windows
    assert (found.reset_at is not None, found.flagged) == (believed, not believed)


def test_where_the_clocks_differ_the_remaining_time_is_what_counts() -> None:
    stated = window(50) | {"reset_at": int(NOW + HOUR - 600), "reset_after_seconds": 3_600}
    (found,) = usage({"rate_limit": {"primary_window": stated}}).windows
    assert found.reset_at == NOW + HOUR


@pytest.mark.parametrize("prefix", ["x-codex-spark", "x-codex-bengalfox", "x-gpt-5-3-codex-spark", "X-Codex-Other"])
def test_every_name_of_the_spark_limit_is_one_family_bound_to_its_model(prefix: str) -> None:
    fields = [(f"{prefix}-primary-used-percent", "7"), (f"{prefix}-primary-window-minutes", "300")]
    seen = from_headers([*fields, (f"{prefix}-limit-name", "GPT-5.3-Codex-Spark")], NOW)
    assert seen is not None
    (found,) = seen.windows
    assert (found.limit_key, found.model) == ("codex_spark", "gpt-5.3-codex-spark")
    assert found.label == "GPT-5.3-Codex-Spark"


def test_additional_limits_are_families_of_their_own() -> None:
    limits = [
        {"limit_name": "Spark", "metered_feature": "codex_bengalfox", "rate_limit": {"primary_window": window(10)}},
        {"limit_id": "vision-1", "model": "gpt-9-vision", "rate_limit": {"primary_window": window(20)}},
        {"limit_name": "Cloud tasks", "rate_limit": {"allowed": False, "primary_window": window(100)}},
        {"limit_name": "codex", "rate_limit": {"primary_window": window(99)}},
        "nonsense",
    ]
    seen = usage({"rate_limit": None, "code_review_rate_limit": {"allowed": False}, "additional_rate_limits": limits})
    assert [(w.limit_key, w.model) for w in seen.windows] == [
        ("codex_spark", "gpt-5.3-codex-spark"),
        ("vision_1", "gpt-9-vision"),
        ("cloud_tasks", None),
    ]
    assert {verdict.limit_key for verdict in seen.verdicts} == {"code_review", "cloud_tasks"}


def test_scenario_27_a_metered_plan_has_a_spending_limit_instead_of_windows() -> None:
    seen = metered()
    assert seen.windows == ()
    assert seen.spend is not None
    assert (seen.spend.used, seen.spend.limit, seen.spend.used_percent) == (8_000.0, 25_000.0, 32.0)
    assert not seen.spend.reached


def test_models_that_may_not_be_used_are_listed() -> None:
    stated = {
        "gpt-6-astra": {"available": False, "available_at": NOW + HOUR, "credits_would_enable": False},
        "gpt-5.5": {"available": True, "available_at": None},
    }
    seen = usage({"model_usage": stated})
    assert seen.gates is not None
    assert [(gate.model, gate.available_at) for gate in seen.gates] == [("gpt-6-astra", NOW + HOUR)]
    assert usage({}).gates is None


@pytest.mark.parametrize("stated", ["rate_limit_reached", {"type": "rate_limit_reached"}])
def test_the_kind_of_limit_reached_is_a_word_or_an_object(stated: Any) -> None:
    reached = usage({"rate_limit_reached_type": stated}).reached
    assert reached is not None
    assert reached.kind == "rate_limit_reached"


@pytest.mark.parametrize(
    ("names", "limit_key"),
    [
        ((None,), "account"),
        (("codex",), "account"),
        (("Big Model.v2",), "big_model_v2"),
        ((None, "codex_spark"), "codex_spark"),
    ],
)
def test_limits_are_known_by_plain_names(names: tuple[str | None, ...], limit_key: str) -> None:
    assert limit_key_of(*names) == limit_key


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"rate_limit":', b"\xff\xfe"])
def test_a_usage_answer_that_is_no_object_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        from_usage(body, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
WORDS = """
    type plan_type rate_limit rate_limits primary secondary primary_window secondary_window allowed limit_reached
    used_percent window_minutes limit_window_seconds reset_at reset_after_seconds additional_rate_limits limit_name
    metered_feature metered_limit_name model credits has_credits unlimited balance overage_limit_reached spend_control
    reached individual_limit model_usage available available_at rate_limit_reached_type rate_limit_reset_credits
    available_count code_review_rate_limit
"""
NAMES = st.sampled_from(re.findall(r"\w+", WORDS))
DOCUMENTS = st.recursive(
    JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=8) | st.lists(inner, max_size=3), max_leaves=20
)
TIMES = st.floats(min_value=0, max_value=4e9)


@given(DOCUMENTS, TIMES)
def test_no_usage_answer_breaks_the_reading(document: Any, at: float) -> None:
    with contextlib.suppress(ValueError):
        from_usage(json.dumps(document).encode(), at)
    from_event(json.dumps({"type": "codex.rate_limits", "rate_limits": document}).encode(), at)


@given(st.binary(max_size=200), TIMES)
def test_no_bytes_break_the_reading(data: bytes, at: float) -> None:
    with contextlib.suppress(ValueError):
        from_usage(data, at)
    from_event(data, at)


HEADER_NAMES = st.sampled_from([name for name, _ in REAL_HEAD]) | st.from_regex(
    r"\A[xX]-[a-z-]{0,20}(primary|secondary)?-(used-percent|window-minutes|reset-at|limit-name)?\Z"
)


@given(st.lists(st.tuples(HEADER_NAMES | st.text(max_size=30), st.text(max_size=20)), max_size=20), TIMES)
def test_no_headers_break_the_reading(items: list[tuple[str, str]], at: float) -> None:
    seen = from_headers(items, at)
    for found in seen.windows if seen else ():
        assert 0 <= found.used_percent <= 100
        assert found.reset_at is None or found.reset_at > at


def test_statements_for_other_tests_are_what_they_say() -> None:
    assert [w.kind for w in head(10, 20).windows] == ["5h", "7d"]
