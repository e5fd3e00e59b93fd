"""What a turn costs: by model, tier, length and kind of token, in whole millionths of a dollar."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.accounting import prices
from codex_pooler.accounting.prices import Cost, PriceBook, Prices, bundled, bundled_document, identifiers
from codex_pooler.protocol.pricing import BATCH, STANDARD
from codex_pooler.protocol.usage import Usage

PRICES: dict[str, Any] = {
    "gpt-5.5": {
        "standard": {
            "default": {"input": 5, "cached_input": 0.5, "output": 30},
            "long_context": {"input": 10, "cached_input": 1, "output": 45},
        },
        "flex": {"default": {"input": 2.5, "cached_input": 0.25, "output": 15}},
        "fast": {"default": {"input": 12.5, "cached_input": 1.25, "output": 75}, "long_context": {"available": False}},
        "batch": {"default": {"available": False}},
    },
    "gpt-5.6-sol": {"standard": {"default": {"input": 4, "cached_input": 0.4, "cache_write": 5, "output": 20}}},
    "thinker": {"standard": {"default": {"input": 1, "output": 2, "reasoning": 3, "base": 7}}},
    "gone": {"standard": {"default": {"available": False}}},
    "bulk": {"batch": {"default": {"input": 1, "output": 2}}},
    "penny": {"standard": {"default": {"input": 0.05, "cached_input": 0.005, "output": 0.4}}},
}


def document(prices: dict[str, Any]) -> bytes:
    return orjson.dumps({"models": {name: {"model": name, "prices": tiers} for name, tiers in prices.items()}})


BOOK = PriceBook.read(document(PRICES))
ONE = Usage(1000, 0, 100, 0)
LONG = Usage(300_000, 0, 1000, 0)


def cost(
    model: str | None = "gpt-5.5", usage: Usage | None = ONE, requested: str | None = None, actual: str | None = None
) -> tuple[int | None, str | None]:
    found = BOOK.cost([model], requested, actual, usage)
    return found.micros, found.status


def test_scenario_42_long_context_tiers_and_missing_models() -> None:
    assert cost(usage=LONG) == (300_000 * 10 + 1000 * 45, "priced")
    assert cost(usage=Usage(272_000, 0, 0, 0)) == (272_000 * 5, "priced"), "the threshold itself is short"
    assert cost(usage=Usage(272_001, 0, 0, 0)) == (272_001 * 10, "priced")
    assert cost(requested="auto", actual="flex") == (1000 * 2.5 + 100 * 15, "priced")
    assert cost("nobody-knows-it-at-all") == (None, "unpriced_missing_model")
    assert cost(None) == (None, "unpriced_missing_model")


def test_each_kind_of_token_has_its_price() -> None:
    assert cost(usage=Usage(1000, 400, 100, 50)) == (600 * 5 + 400 * 0.5 + 100 * 30, "priced")
    assert cost("gpt-5.6-sol", Usage(1000, 400, 0, 0, cache_write=100)) == (500 * 4 + 400 * 0.4 + 100 * 5, "priced")
    assert cost("thinker", Usage(10, 0, 10, 4)) == (10 + 6 * 2 + 4 * 3 + 7, "priced")


def test_scenario_43_parts_beyond_the_whole_are_clamped() -> None:
    assert cost(usage=Usage(10, 99, 5, 99)) == (10 * 0.5 + 5 * 30, "priced")
    assert cost("gpt-5.6-sol", Usage(10, 8, 0, 0, cache_write=99)) == (round(8 * 0.4 + 2 * 5), "priced")


def test_unknown_usage_is_an_unknown_cost() -> None:
    assert cost(usage=None) == (None, "usage_unknown")
    assert cost(usage=Usage(0, 0, 0, 0)) == (0, "priced")


@pytest.mark.parametrize(
    ("requested", "actual", "expected"),
    [
        (None, None, "priced"),
        ("", "default", "priced"),
        ("priority", "default", "priced"),
        ("AUTO", "Default", "priced"),
        ("flex", "auto", "priced"),
        ("auto", None, "unpriced_auto_tier"),
        (None, "auto", "unpriced_auto_tier"),
        ("batch", None, "unpriced_batch_tier"),
        ("scale", None, "unpriced_unsupported_tier"),
        (None, "turbo", "unpriced_unsupported_tier"),
    ],
)
def test_the_tier_that_was_served_counts(requested: str | None, actual: str | None, expected: str) -> None:
    assert cost(requested=requested, actual=actual)[1] == expected


def test_fast_and_priority_are_one_tier() -> None:
    assert cost(actual="fast") == cost(actual="priority") == (1000 * 12.5 + 100 * 75, "priced")


def test_a_tier_or_length_that_is_not_sold_has_no_price() -> None:
    assert cost(usage=LONG, actual="fast") == (None, "unpriced_unavailable_price_bucket")
    assert cost("gone") == (None, "unpriced_unavailable_price_bucket")
    assert cost("gpt-5.6-sol", actual="flex") == (None, "unpriced_missing_tier")
    assert cost("bulk", actual="batch") == (1000 + 200, "priced")
    assert cost("bulk") == (None, "unpriced_missing_tier")


def test_a_long_turn_costs_like_a_short_one_where_only_that_is_listed() -> None:
    assert cost(usage=LONG, actual="flex") == (300_000 * 2.5 + 1000 * 15, "priced")


def test_cache_writes_need_a_price_of_their_own() -> None:
    assert cost(usage=Usage(10, 0, 0, 0, cache_write=1)) == (None, "unpriced_missing_cache_write_rate")
    assert cost(usage=Usage(10, 10, 0, 0, cache_write=1)) == (5, "priced"), "clamped to nothing"


def test_fractions_of_a_millionth_are_rounded_once_at_the_end() -> None:
    assert cost("penny", Usage(9, 0, 0, 0)) == (0, "priced")
    assert cost("penny", Usage(10, 0, 0, 0)) == (1, "priced")
    assert cost("penny", Usage(3, 3, 1, 0)) == (0, "priced")
    assert cost("penny", Usage(3, 0, 1, 0)) == (1, "priced")


@pytest.mark.parametrize(
    "name",
    [
        "GPT-5.5",
        "gpt-5.5-2026-04-23",
        "gpt-5.5-20260423",
        "gpt-5.5-latest",
        "gpt-5.5-v2-2026-04-23",
        "gpt-5.5@2026-04-23",
        "gpt-5.5-experiment",
        "gpt-5.5-experiment-2026-04-23",
    ],
)
def test_dates_versions_and_one_more_segment_are_dropped(name: str) -> None:
    assert cost(name) == cost("gpt-5.5")


def test_no_more_than_one_segment_is_dropped() -> None:
    assert cost("gpt-5.5-very-special") == (None, "unpriced_missing_model")
    assert cost("gpt") == (None, "unpriced_missing_model")


def test_names_are_tried_in_order_and_whole_before_shortened() -> None:
    assert BOOK.cost(["gpt-5.5-x", "gpt-5.6-sol"], None, None, ONE) == BOOK.cost(["gpt-5.6-sol"], None, None, ONE)
    assert BOOK.cost([None, "", "gpt-5.5"], None, None, ONE).status == "priced"
    assert list(identifiers(["A-b-2026-01-01", "c"])) == ["a-b-2026-01-01", "c", "a-b", "c", "a"]


tokens = st.integers(-(10**12), 10**12)
tiers = st.none() | st.sampled_from(["auto", "default", "flex", "priority", "fast", "batch", "scale", ""])


@given(st.sampled_from([*PRICES, "x"]), tiers, tiers, st.builds(Usage, tokens, tokens, tokens, tokens, tokens))
def test_a_cost_is_never_negative_and_null_exactly_when_unpriced(
    model: str, requested: str | None, actual: str | None, usage: Usage
) -> None:
    found = BOOK.cost([model], requested, actual, usage)
    assert (found.micros is None) == (found.status != "priced")
    assert found.micros is None or found.micros >= 0


@given(st.builds(Usage, *[st.integers(0, 10**7)] * 5), st.integers(0, 10**6))
def test_more_output_never_costs_less(usage: Usage, more: int) -> None:
    longer = Usage(usage.input, usage.cached, usage.output + more, usage.reasoning, usage.cache_write)
    before, after = (BOOK.cost(["gpt-5.6-sol"], None, None, each).micros for each in (usage, longer))
    assert before is not None
    assert after is not None
    assert after >= before


def test_names_that_clients_invent_do_not_fill_memory() -> None:
    book = PriceBook.read(document(PRICES))
    for number in range(3000):
        book.cost([f"invented-{number}"], None, None, ONE)
    assert len(book._found) <= 1024


def test_the_bundled_prices_are_sound() -> None:
    book = Prices().current
    assert book is bundled()
    listed = orjson.loads(bundled_document())
    assert listed["models_count"] == len(listed["models"]) == len(book.feed.models)
    assert re.fullmatch(r"[0-9a-f]{64}", book.version)
    assert book.feed.source
    samples = {("gpt-5.5", None): (5, 30), ("gpt-5.5", "fast"): (12.5, 75), ("gpt-5.3-codex", None): (1.75, 14)}
    for (model, tier), (read, said) in samples.items():
        assert book.cost([model], tier, None, Usage(1000, 0, 1000, 0)) == Cost(int(1000 * (read + said)), "priced")
    assert book.cost(["gpt-5.5"], None, None, LONG).micros == 300_000 * 10 + 1000 * 45


def test_cheaper_ways_are_cheaper_in_the_bundled_prices() -> None:
    order = ("batch", "flex", "standard", "priority")
    for name, by_tier in bundled().feed.models.items():
        sold = [rates for tier in order if tier in by_tier and (rates := by_tier[tier].short)]
        assert [r.input for r in sold] == sorted(r.input for r in sold), name
        assert all(r.cached <= r.input <= r.output for r in sold), name
        assert all(r.cache_write is None or r.cache_write >= r.input for r in sold), name


def test_every_status_is_explained_to_operators() -> None:
    text = (Path(__file__).parents[2] / "docs/accounting.md").read_text()
    statuses = {value for name, value in vars(prices).items() if name.isupper() and isinstance(value, str)}
    told = {status for status in statuses if f"| `{status}` |" in text}
    assert told == statuses - {STANDARD, BATCH}
