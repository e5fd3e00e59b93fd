"""How long a model goes on being offered that an account's catalogue does not list any more.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from codex_pooler.upstream.models import Fetched, encoded

PATIENCE = 3  # catalogues in a row that lack a model before it counts as gone: one may have been incomplete


@dataclass(frozen=True, slots=True)
class Offer:
    """What an account offers after a sync.  ``missing``: kept models -> how many syncs in a row lacked them."""

    entries: bytes = field(repr=False)
    slugs: list[str] = field(repr=False)
    missing: dict[str, int]


def offer_of(before: bytes, missing: Mapping[str, int], fetched: Fetched) -> Offer:
    """``before`` are the entries that were offered until now; an unchanged catalogue lacks what it lacked before."""
    old = _by_slug(before)
    new = _by_slug(fetched.entries) if fetched.entries is not None else _without(old, missing)
    lacked = {slug: missing.get(slug, 0) + 1 for slug in old if slug not in new}
    kept = {slug: times for slug, times in lacked.items() if times < PATIENCE}
    offered = new | {slug: old[slug] for slug in kept}
    slugs = sorted(offered)
    return Offer(encoded([offered[slug] for slug in slugs]), slugs, kept)


def _by_slug(entries: bytes) -> dict[str, Any]:
    return {entry["slug"]: entry for entry in orjson.loads(entries)}


def _without(entries: Mapping[str, Any], slugs: Mapping[str, int]) -> dict[str, Any]:
    return {slug: entry for slug, entry in entries.items() if slug not in slugs}
