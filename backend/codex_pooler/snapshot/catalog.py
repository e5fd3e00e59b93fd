"""The model catalogue of a pool: what its accounts' catalogues say, merged so that it is true on any of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

Entry = Mapping[str, Any]  # one model, as the backend describes it

# How members are merged that accounts disagree on; any other is taken from the description most accounts share.
LEAST = frozenset(
    {"context_window", "max_context_window", "auto_compact_token_limit", "effective_context_window_percent"}
)
# lists that shrink to what all have -> the member that identifies an element, None where it is the element itself
COMMON: dict[str, str | None] = {
    "supported_reasoning_levels": "effort",
    "service_tiers": "id",
    "additional_speed_tiers": None,
    "input_modalities": None,
    "experimental_supported_tools": None,
}
# a preference must be among what is left -> (its list, whether a lesser one may take its place)
PREFERENCES = {
    "default_reasoning_level": ("supported_reasoning_levels", True),
    "default_service_tier": ("service_tiers", False),
}
CAPABILITY_PREFIX = "support"  # supports_…, support_verbosity, supported_in_api: true only where all say so


@dataclass(frozen=True, slots=True)
class Description:
    """What one or more accounts say of a model.  Equal ones have equal ``json``."""

    entry: Entry = field(repr=False)
    json: bytes = field(repr=False)


Sheet = Mapping[str, Description]  # one account's catalogue, by slug


def described(entry: Entry) -> Description:
    return Description(entry, _encoded(entry))


@dataclass(frozen=True, slots=True)
class Model:
    """One merged entry.  ``json`` is what clients get of it."""

    slug: str
    json: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Accounts disagree about a model: over these ``members``, or over offering it at all."""

    slug: str
    members: tuple[str, ...]
    descriptions: int  # how many different ones there are
    offered_by: int
    accounts: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What one kind of key is shown.  ``etag`` changes when, and only when, the list does."""

    models: tuple[Model, ...]
    etag: str

    @property
    def body(self) -> bytes:
        """``{"models":[…]}``."""
        return b'{"models":[' + b",".join(model.json for model in self.models) + b"]}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """A pool's models, by slug."""

    models: tuple[Model, ...] = ()
    divergences: tuple[Divergence, ...] = ()
    _listings: dict[Hashable, Listing] = field(default_factory=dict, init=False, repr=False, compare=False)

    def listing(self, allowed: frozenset[str] | None = None, enforced: str | None = None) -> Listing:
        """For a key that may use these models (None: all), or whose turns all go to one.

        Names are compared without regard to case.  Cheap from the second time.
        """
        may = frozenset({enforced}) if enforced else allowed
        found = self._listings.get(may)
        if found is None:
            names = None if may is None else {name.casefold() for name in may}
            shown = tuple(model for model in self.models if names is None or model.slug.casefold() in names)
            found = self._listings[may] = Listing(shown, _etag(shown))
        return found


def _etag(models: Iterable[Model]) -> str:
    digest = hashlib.sha256()
    for model in models:
        digest.update(b"%d:%b" % (len(model.json), model.json))
    return f'W/"cp-models-v1-{digest.hexdigest()}"'


EMPTY = Catalog()


def merge(sheets: Sequence[tuple[Sheet, int]], windows: Mapping[str, int]) -> Catalog:
    """The union of the sheets, each with the number of accounts that have it.

    ``windows`` are an operator's context windows in tokens, by slug; they replace what is listed.
    """
    accounts = sum(count for _, count in sheets)
    models, divergences = [], []
    for slug in sorted({slug for sheet, _ in sheets for slug in sheet}):
        descriptions = _descriptions(slug, sheets)
        merged, differing = _merged([description for description, _ in descriptions])
        if slug in windows:
            window = {"context_window": windows[slug], "max_context_window": windows[slug]}
            merged = described({**merged.entry, **window})
        models.append(Model(slug, merged.json))
        offered_by = sum(count for _, count in descriptions)
        if differing or offered_by < accounts:
            divergences.append(Divergence(slug, differing, len(descriptions), offered_by, accounts))
    return Catalog(tuple(models), tuple(divergences))


def _encoded(entry: Entry) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _descriptions(slug: str, sheets: Sequence[tuple[Sheet, int]]) -> list[tuple[Description, int]]:
    """The different descriptions of one model, that of most accounts first."""
    counted: Counter[bytes] = Counter()
    found: dict[bytes, Description] = {}
    for sheet, count in sheets:
        if description := sheet.get(slug):
            counted[description.json] += count
            found[description.json] = description
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [(found[encoded], count) for encoded, count in ordered]


def _merged(descriptions: Sequence[Description]) -> tuple[Description, tuple[str, ...]]:
    """The first made true for all of them, and the names of the members they disagree on."""
    if len(descriptions) == 1:
        return descriptions[0], ()
    entries = [description.entry for description in descriptions]
    first, *others = entries
    names = sorted({name for entry in entries for name in entry})
    differing = tuple(name for name in names if any(_differ(first, other, name) for other in others))
    merged = dict(first) | {name: _member(name, entries) for name in differing if name in first}
    return described(merged | _preferences(merged, first)), differing


def _differ(one: Entry, other: Entry, name: str) -> bool:
    return (name in one) != (name in other) or one.get(name) != other.get(name)


def _member(name: str, entries: Sequence[Entry]) -> Any:
    """One member that the entries disagree on."""
    values = [entry.get(name) for entry in entries]
    if name in LEAST:
        return _least(values)
    if name in COMMON:
        return _common(values, COMMON[name])
    if name.startswith(CAPABILITY_PREFIX) and isinstance(values[0], bool):
        return all(values)
    if name == "truncation_policy":
        return _least_limit(values)
    return values[0]


def _least(values: Sequence[Any]) -> Any:
    numbers = [value for value in values if _is_number(value)]
    return min(numbers) if numbers else values[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _identity(element: Any, identified_by: str | None) -> Any:
    named = element.get(identified_by) if identified_by and isinstance(element, dict) else element
    return named if isinstance(named, str) else _encoded({"": named})


def _common(values: Sequence[Any], identified_by: str | None) -> Any:
    """What is in every list, in the order and the words of the first; a missing list is an empty one."""
    if not isinstance(values[0], list):
        return values[0]
    others = [
        {_identity(element, identified_by) for element in value} if isinstance(value, list) else set()
        for value in values[1:]
    ]
    return [element for element in values[0] if all(_identity(element, identified_by) in other for other in others)]


def _least_limit(values: Sequence[Any]) -> Any:
    """Of policies in the same unit, the tightest."""
    first = values[0]
    if not isinstance(first, dict):
        return first
    same = [value for value in values if isinstance(value, dict) and value.get("mode") == first.get("mode")]
    limits = [value["limit"] for value in same if _is_number(value.get("limit"))]
    return first | {"limit": min(limits)} if limits else first


def _preferences(merged: Entry, first: Entry) -> dict[str, Any]:
    """Defaults that are no longer offered: the next lesser one of what is left, or none."""
    changed: dict[str, Any] = {}
    for name, (of, may_be_less) in PREFERENCES.items():
        left, all_of = _names(merged, of), _names(first, of)
        preferred = merged.get(name)
        if preferred is None or preferred in left:
            continue
        below = [each for each in all_of[: all_of.index(preferred)] if each in left] if preferred in all_of else []
        changed[name] = (below[-1:] or left[:1] or [None])[0] if may_be_less else None
    return changed


def _names(entry: Entry, name: str) -> list[Any]:
    listed = entry.get(name)
    return [_identity(element, COMMON[name]) for element in listed] if isinstance(listed, list) else []
