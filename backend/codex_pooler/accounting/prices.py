"""What a turn cost at list prices: the price of its model, tier and context length, in whole millionths of a dollar."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import orjson

from codex_pooler.protocol.pricing import BATCH, SCALE, STANDARD, TIERS, Feed, Rates, TierPrices, read_feed
from codex_pooler.protocol.usage import Usage

LONG_CONTEXT_TOKENS = 272_000  # more input than this is a long context
REMEMBERED = 1024

PRICED = "priced"
USAGE_UNKNOWN = "usage_unknown"
MISSING_MODEL = "unpriced_missing_model"
MISSING_TIER = "unpriced_missing_tier"
UNAVAILABLE = "unpriced_unavailable_price_bucket"
MISSING_CACHE_WRITE = "unpriced_missing_cache_write_rate"
AUTO_TIER = "unpriced_auto_tier"
BATCH_TIER = "unpriced_batch_tier"
UNSUPPORTED_TIER = "unpriced_unsupported_tier"

_DATE_OR_VERSION = re.compile(r"(?:-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|v\d+|latest|preview)|@[\w.-]+)$")


@dataclass(frozen=True, slots=True)
class Cost:
    """``micros``: millionths of a US dollar, None when it cannot be told; ``status`` says why."""

    micros: int | None
    status: str | None


NO_COST = Cost(None, None)  # nothing was used
_UNKNOWN = Cost(None, USAGE_UNKNOWN)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one feed.  ``version`` is a digest of them: it stays the same while no price changes."""

    feed: Feed
    version: str
    _found: dict[tuple[object, ...], Rates | Cost] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, document: bytes) -> PriceBook:
        """Read a feed document.  Raises ValueError when it is none."""
        feed = read_feed(document)
        prices = orjson.dumps({name: dict(tiers) for name, tiers in feed.models.items()}, option=orjson.OPT_SORT_KEYS)
        return cls(feed, hashlib.sha256(prices).hexdigest())

    def cost(
        self,
        models: Sequence[str | None],
        requested_tier: str | None,
        actual_tier: str | None,
        usage: Usage | None,
    ) -> Cost:
        """The price of one turn.  ``models``: the names it may be listed under, the best first."""
        if usage is None:
            return _UNKNOWN
        is_long = usage.input > LONG_CONTEXT_TOKENS
        key = (*models, requested_tier, actual_tier, is_long)
        found = self._found.get(key)
        if found is None:
            found = self._look_up(models, requested_tier, actual_tier, is_long)
            if len(self._found) >= REMEMBERED:  # the names come from clients
                self._found.clear()
            self._found[key] = found
        return found if isinstance(found, Cost) else _priced(found, usage)

    def _look_up(
        self, models: Sequence[str | None], requested: str | None, actual: str | None, is_long: bool
    ) -> Rates | Cost:
        tiers = self._tiers_of(models)
        if tiers is None:
            return Cost(None, MISSING_MODEL)
        tier = _tier(requested, actual)
        if tier not in TIERS:
            return Cost(None, AUTO_TIER if tier == "auto" else UNSUPPORTED_TIER)
        prices = tiers.get(TIERS[tier])
        if TIERS[tier] == BATCH and (prices is None or prices.short is None):
            return Cost(None, BATCH_TIER)
        if prices is None:
            return Cost(None, MISSING_TIER)
        rates = prices.long if is_long and prices.lists_long else prices.short
        return rates or Cost(None, UNAVAILABLE)

    def _tiers_of(self, models: Sequence[str | None]) -> Mapping[str, TierPrices] | None:
        listed = self.feed.models
        return next((listed[name] for name in identifiers(models) if name in listed), None)


def identifiers(models: Sequence[str | None]) -> Iterator[str]:
    """The names to look for: as given, then without dates and versions, then without one more trailing segment."""
    given = [model.strip().lower() for model in models if model]
    plain = [_without_dates(name) for name in given]
    yield from given
    yield from plain
    yield from (name.rpartition("-")[0] for name in plain if "-" in name)


def _without_dates(name: str) -> str:
    while (shorter := _DATE_OR_VERSION.sub("", name)) != name:
        name = shorter
    return name


def _tier(requested: str | None, actual: str | None) -> str:
    """What the backend says it did counts; ``auto`` says nothing, so that what was asked for decides."""
    said = [tier.lower() for tier in (actual, requested) if tier]
    settled = (tier for tier in said if tier != "auto")
    return next(settled, "auto" if said else STANDARD)


def _priced(rates: Rates, usage: Usage) -> Cost:
    read, said = max(0, usage.input), max(0, usage.output)
    cached = min(max(0, usage.cached), read)
    written = min(max(0, usage.cache_write), read - cached)
    reasoned = min(max(0, usage.reasoning), said)
    if written and rates.cache_write is None:
        return Cost(None, MISSING_CACHE_WRITE)
    scaled = (
        (read - cached - written) * rates.input
        + cached * rates.cached
        + written * (rates.cache_write or 0)
        + (said - reasoned) * rates.output
        + reasoned * rates.reasoning
    )
    return Cost((scaled + SCALE // 2) // SCALE + rates.base, PRICED)


class Prices:
    """The book in use; the hourly refresh puts a newer one in its place."""

    def __init__(self, current: PriceBook | None = None) -> None:
        self.current = current or bundled()


def bundled_document() -> bytes:
    """The prices that come with the product."""
    return resources.files("codex_pooler.accounting").joinpath("prices.json").read_bytes()


@cache
def bundled() -> PriceBook:
    """The book of the prices that come with the product."""
    return PriceBook.read(bundled_document())
