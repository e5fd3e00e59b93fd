"""The pricing feed: a published JSON document of token prices, read into whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

STANDARD, FLEX, PRIORITY, BATCH = "standard", "flex", "priority", "batch"
TIERS = {
    "standard": STANDARD,
    "default": STANDARD,
    "flex": FLEX,
    "fast": PRIORITY,
    "priority": PRIORITY,
    "batch": BATCH,
}
SHORT_BUCKETS = ("default", "short_context")
LONG_BUCKET = "long_context"
TOKEN_PRICES = "per_1m_tokens"

SCALE = 10**6  # a rate of 1 is a millionth of a dollar per million tokens
HIGHEST_PRICE = 100_000  # US dollars per million tokens; more than that is a typing error

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one bucket in millionths of a US dollar per million tokens; ``base`` in millionths per turn.

    ``cache_write`` is None where the feed names no price for it.
    """

    input: int
    cached: int
    cache_write: int | None
    output: int
    reasoning: int
    base: int = 0


@dataclass(frozen=True, slots=True)
class TierPrices:
    """One service tier of one model.

    ``short`` is None where the tier cannot be had.  ``lists_long`` tells a missing bucket for long contexts, which
    then cost like short ones, from one that is listed but cannot be had (``long`` is None).
    """

    short: Rates | None
    long: Rates | None
    lists_long: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """A whole document.  ``models`` is indexed by lower-case name, then by tier."""

    generated_at: str
    source: str
    models: Mapping[str, Mapping[str, TierPrices]]


def read_feed(document: bytes) -> Feed:
    """Read a feed.  Unknown members and models that are not priced by tokens are passed over.

    Raises ValueError when it is not such a document, when a price is not a sane number, or when nothing is priced.
    """
    try:
        body = _decoder.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as exc:
        raise ValueError(f"not a JSON document: {exc}") from None
    if not isinstance(body, dict) or not isinstance(body.get("models"), dict):
        raise ValueError("no models in the document")
    models = {name.lower(): tiers for name, entry in body["models"].items() if (tiers := _tiers(name, entry))}
    if not models:
        raise ValueError("no model in the document has a token price")
    return Feed(_text(body.get("generated_at")), _text(body.get("source")), MappingProxyType(models))


def _tiers(name: str, entry: Any) -> Mapping[str, TierPrices]:
    if not isinstance(entry, dict) or entry.get("pricing_type", TOKEN_PRICES) != TOKEN_PRICES:
        return {}
    prices = entry.get("prices")
    if not isinstance(prices, dict):
        return {}
    return {TIERS[tier]: _tier(f"{name}.{tier}", buckets) for tier, buckets in prices.items() if tier in TIERS}


def _tier(place: str, buckets: Any) -> TierPrices:
    if not isinstance(buckets, dict):
        raise ValueError(f"{place} is not an object")
    short = next((buckets[name] for name in SHORT_BUCKETS if name in buckets), None)
    long = buckets.get(LONG_BUCKET)
    return TierPrices(_rates(place, short), _rates(f"{place}.{LONG_BUCKET}", long), LONG_BUCKET in buckets)


def _rates(place: str, bucket: Any) -> Rates | None:
    """None when the bucket cannot be had, or lacks the price of what every turn has: input and output."""
    if bucket is None:
        return None
    if not isinstance(bucket, dict):
        raise ValueError(f"{place} is not an object")
    if bucket.get("available", True) is not True:
        return None
    rates = dict(_numbers(place, bucket))
    if "input" not in rates or "output" not in rates:
        return None
    return Rates(
        input=rates["input"],
        cached=rates.get("cached_input", rates["input"]),
        cache_write=rates.get("cache_write"),
        output=rates["output"],
        reasoning=rates.get("reasoning", rates["output"]),
        base=rates.get("base", 0) // SCALE,
    )


def _numbers(place: str, bucket: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name in ("input", "cached_input", "cache_write", "output", "reasoning", "base"):
        if bucket.get(name) is not None:
            yield name, _scaled(f"{place}.{name}", bucket[name])


def _scaled(place: str, price: Any) -> int:
    if type(price) not in (int, Decimal) or not 0 <= price <= HIGHEST_PRICE:
        raise ValueError(f"{place} is not a price")
    return int((Decimal(price) * SCALE).to_integral_value())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
