"""Keeps the accounts' model catalogues in memory, equal ones and equal parts once; merges them when one has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from codex_pooler.snapshot.catalog import EMPTY, Catalog, Description, Sheet, described, merge
from codex_pooler.snapshot.model import Pool

_Recipe = tuple[frozenset[tuple[str, int]], frozenset[tuple[str, int]]]


class Shelf:
    """Outlives the snapshots that are built from it; one per process."""

    def __init__(self) -> None:
        self._sheets: dict[str, Sheet] = {}
        self._merged: dict[_Recipe, Catalog] = {}
        self._digests: dict[UUID, str] = {}
        self._slugs: dict[str, frozenset[str]] = {}

    def take(self, offers: Iterable[Any]) -> list[str]:
        """Rows of queries_catalog.OFFERS; returns the digests whose entries are wanted."""
        rows = list(offers)
        self._digests = {row.account_id: row.digest for row in rows}
        self._slugs = {row.digest: frozenset(row.slugs) for row in rows}
        self._sheets = {digest: sheet for digest, sheet in self._sheets.items() if digest in self._slugs}
        return sorted(self._slugs.keys() - self._sheets.keys())

    def put(self, entries: Iterable[Any]) -> None:
        """Rows of queries_catalog.ENTRIES for those digests."""
        known = {each.json: each for sheet in self._sheets.values() for each in sheet.values()}
        for row in entries:
            self._sheets[row.digest] = {
                entry["slug"]: _once(known, described(entry)) for entry in orjson.loads(bytes(row.entries))
            }

    def offered(self, account_id: UUID) -> frozenset[str] | None:
        """The models an account's catalogue lists; None when it was never fetched."""
        digest = self._digests.get(account_id)
        return None if digest is None else self._slugs[digest]

    def catalogs(self, pools: Iterable[Pool], windows: Mapping[str, int]) -> Mapping[UUID, Catalog]:
        """One a pool, over its usable members; over whatever is known when nothing is known of them."""
        fresh: dict[_Recipe, Catalog] = {}
        made = {}
        for pool in pools:
            recipe = (frozenset(self._counted(pool).items()), frozenset(windows.items()))
            fresh[recipe] = made[pool.id] = fresh.get(recipe) or self._merged.get(recipe) or self._merge(*recipe)
        self._merged = fresh
        return MappingProxyType(made)

    def _counted(self, pool: Pool) -> Counter[str]:
        """How many accounts have which catalogue."""
        for accounts in (
            {member.account.id for member in pool.fit},
            {member.account.id for member in pool.members},
            self._digests.keys(),
        ):
            if found := Counter(self._digests[each] for each in accounts if self._digests.get(each) in self._sheets):
                return found
        return Counter()

    def _merge(self, digests: frozenset[tuple[str, int]], windows: frozenset[tuple[str, int]]) -> Catalog:
        if not digests:
            return EMPTY
        return merge([(self._sheets[digest], count) for digest, count in sorted(digests)], dict(windows))


def _once(known: dict[bytes, Description], description: Description) -> Description:
    return known.setdefault(description.json, description)
