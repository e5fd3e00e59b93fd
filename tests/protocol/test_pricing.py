"""The pricing feed is read exactly, and what is no feed is refused whole."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.pricing import Rates, TierPrices, read_feed


def document(prices: Any, **entry: Any) -> bytes:
    listed = {"model": "m", "pricing_type": "per_1m_tokens", "prices": prices, **entry}
    return orjson.dumps({"generated_at": "2026-11-01", "source": "us", "models": {"M": listed}, "tools": {"x": 1}})


def standard(bucket: Any) -> TierPrices:
    return read_feed(document({"standard": {"default": bucket}})).models["m"]["standard"]


def test_prices_become_whole_numbers_without_rounding() -> None:
    tier = standard({"input": 1.75, "cached_input": 0.175, "cache_write": 2.1875, "output": 14, "reasoning": 0.000001})
    assert tier.short == Rates(1_750_000, 175_000, 2_187_500, 14_000_000, 1)


def test_what_is_not_priced_apart_costs_like_the_rest() -> None:
    assert standard({"input": 5, "output": 30}).short == Rates(5_000_000, 5_000_000, None, 30_000_000, 30_000_000)
    assert standard({"input": 5, "output": 30, "cached_input": None}).short is not None


def test_a_missing_bucket_differs_from_one_that_cannot_be_had() -> None:
    prices = {
        "standard": {"default": {"input": 1, "output": 2}},
        "flex": {"short_context": {"input": 1, "output": 2}, "long_context": {"available": False}},
        "fast": {"default": {"available": False}},
        "unheard_of": {"default": {"input": "free"}},
    }
    tiers = read_feed(document(prices)).models["m"]
    assert set(tiers) == {"standard", "flex", "priority"}
    assert [tier.lists_long for tier in tiers.values()] == [False, True, False]
    assert (tiers["flex"].long, tiers["priority"].short) == (None, None)


def test_models_that_are_not_priced_by_tokens_are_passed_over() -> None:
    models = {
        "image": {"pricing_type": "per_image", "prices": {"standard": {"default": {"input": "n/a"}}}},
        "odd": 5,
        "odder": {"prices": []},
        "m": {"prices": {"standard": {"default": {"input": 1, "output": 2, "extra": {}}}}, "extra": 1},
    }
    assert list(read_feed(orjson.dumps({"models": models, "extra": []})).models) == ["m"]


@pytest.mark.parametrize("price", [-1, "5", True, 1e9, [], {}, 10**400])
def test_a_price_that_is_no_sane_number_refuses_the_whole_document(price: Any) -> None:
    text = document({"standard": {"default": {"input": "PRICE", "output": 2}}})
    shown = str(price).encode() if type(price) is int else orjson.dumps(price)
    with pytest.raises(ValueError, match="not a price"):
        read_feed(text.replace(b'"PRICE"', shown))


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>503</html>",
        b"null",
        b"[]",
        b'{"models":[]}',
        b'{"models":{}}',
        b'{"models":{"m":{}}}',
        b'{"models":{"m":{"prices":{"standard":5}}}}',
        b'{"models":{"m":{"prices":{"standard":{"default":5}}}}}',
        b'{"models":{"m":{"prices":{"standard":{"default":{"input":NaN,"output":1}}}}}}',
        b'{"models":{"m":{"prices":{"standard":{"default":{"input":1e999999999,"output":1}}}}}}',
        b'{"models":' + b"[" * 100_000,
        b'\xff\xfe{"models":{}}',
        document({"standard": {"default": {"input": 1, "output": 2}}})[:-9],
    ],
)
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError):
        read_feed(garbage)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    for wrapped in (data, b'{"models":{"m":{"prices":{"standard":{"default":' + data + b"}}}}}"):
        with suppress(ValueError):
            assert read_feed(wrapped).models
