"""What a configuration says of an instance: its address, the models a pool offers, and how much they take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from codex_pooler.protocol.openai.models import is_listed
from codex_pooler.snapshot.catalog import Catalog

Entry = Mapping[str, Any]  # a model as the backend describes it

KEY_VARIABLE = "CODEX_POOLER_API_KEY"
USUAL_MODEL = "gpt-5.5"  # as long as no catalogue is known
WINDOW = 272_000  # tokens of input, as long as no catalogue is known
OUTPUT = 128_000  # tokens of output that the backend grants every model; catalogues do not say
WHOLE = 100  # percent
GPT = re.compile(r"(?i)\bgpt\b")


@dataclass(frozen=True)
class Offered:
    """A model of a pool.  Sizes are tokens: ``window`` is the most that fits in, ``input`` what clients should fill."""

    id: str
    name: str
    window: int = WINDOW
    input: int = WINDOW
    output: int = OUTPUT
    modalities: tuple[str, ...] = ("text", "image")
    reasoning: bool = True

    @property
    def context(self) -> int:
        """Input and output together, as most tools count."""
        return self.window + self.output

    @property
    def sees(self) -> bool:
        """Whether it takes images."""
        return "image" in self.modalities


@dataclass(frozen=True)
class Facts:
    """Everything that is filled into a template.  ``models`` holds the default one."""

    origin: str
    default: Offered
    models: tuple[Offered, ...]
    websockets: bool = True
    key: str = KEY_VARIABLE


def facts_of(origin: str, catalogs: Iterable[Catalog], asked: str | None = None, *, websockets: bool = True) -> Facts:
    """The facts for pools with these catalogues; ``asked`` is the model to configure, offered or not."""
    models = _offered(catalogs)
    default = _default(models, asked)
    if default not in models:
        models = (default, *models)
    return Facts(origin, default, models, websockets)


def _offered(catalogs: Iterable[Catalog]) -> tuple[Offered, ...]:
    """What people may choose, the backend's favourites first."""
    entries: dict[str, Entry] = {}
    for catalog in catalogs:
        for model in catalog.models:
            entries.setdefault(model.slug, orjson.loads(model.json))
    shown = [entry for entry in entries.values() if is_listed(entry)]
    return tuple(_model(entry) for entry in sorted(shown, key=_rank))


def _rank(entry: Entry) -> tuple[int, str]:
    priority = entry.get("priority")
    return (priority if isinstance(priority, int) else 1_000_000, entry["slug"])


def _default(models: tuple[Offered, ...], asked: str | None) -> Offered:
    if asked is None:
        return models[0] if models else Offered(USUAL_MODEL, _title(USUAL_MODEL))
    known = next((model for model in models if model.id == asked), None)
    return known or replace(models[0] if models else Offered("", ""), id=asked, name=_title(asked))


def _model(entry: Entry) -> Offered:
    slug = entry["slug"]
    window = _tokens(entry.get("context_window")) or WINDOW
    percent = _tokens(entry.get("effective_context_window_percent")) or WHOLE
    modalities = tuple(each for each in entry.get("input_modalities") or () if isinstance(each, str))
    return Offered(
        slug,
        entry.get("display_name") or _title(slug),
        window,
        window * min(percent, WHOLE) // WHOLE,
        modalities=modalities or ("text",),
        reasoning=bool(entry.get("supported_reasoning_levels", True)),
    )


def _tokens(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _title(slug: str) -> str:
    """``gpt-5.5`` as people write it."""
    return GPT.sub("GPT", slug)
