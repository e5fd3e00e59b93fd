"""The tools that can be pointed here, read from the templates beside this file, and how an instance configures them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from codex_pooler.web.clients.facts import Facts, Offered
from codex_pooler.web.clients.filling import filled

KINDS = ("agent", "editor", "library", "automation", "command")
ONLY: Mapping[str, Any] = {"id": "standard", "title": "Standard"}  # of tools that are configured in one way
TROUBLES = "troubles.toml"


@dataclass(frozen=True)
class Snippet:
    """A text to paste or to run.  ``file`` is where it goes; None for what is typed or read."""

    title: str
    file: str | None
    language: str
    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One way to configure a tool; a tool has at least one, and one of them is the default."""

    id: str
    title: str
    default: bool
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True)
class Trouble:
    """What a person may see, and what to do about it."""

    symptom: str
    remedy: str


@dataclass(frozen=True)
class Setup:
    """Everything one needs to connect a tool to an instance."""

    tool: str
    title: str
    kind: str
    base_url: str
    notes: tuple[str, ...]
    variants: tuple[Variant, ...]
    verify: Snippet
    troubleshooting: tuple[Trouble, ...]

    @property
    def usual(self) -> Variant:
        """The variant to show first."""
        return next(variant for variant in self.variants if variant.default)


def _read() -> tuple[dict[str, Mapping[str, Any]], Mapping[str, Any]]:
    """The templates by tool, in the order people are shown them, and what goes wrong with any of them."""
    files = [file for file in (resources.files(__package__) / "templates").iterdir() if file.name.endswith(".toml")]
    read = {file.name: tomllib.loads(file.read_text("utf-8")) for file in files}
    common = read.pop(TROUBLES)
    order = sorted(read, key=lambda name: read[name]["order"])
    return {name.removesuffix(".toml"): read[name] for name in order}, common


TEMPLATES, COMMON = _read()
TOOLS = tuple(TEMPLATES)


def routes(tool: str) -> tuple[tuple[str, str], ...]:
    """The method and path of every request that the tool is told to make."""
    return tuple((call.partition(" ")[0], call.partition(" ")[2]) for call in TEMPLATES[tool]["calls"])


def setup(tool: str, facts: Facts) -> Setup:
    """How the tool is configured.  Raises KeyError for one that is not in TOOLS."""
    template = TEMPLATES[tool]
    values = _values(facts, template)
    return Setup(
        tool,
        template["title"],
        template["kind"],
        values["base"],
        tuple(_prose(note, values) for note in template.get("notes", ())),
        tuple(_variants(template, facts, values)),
        Snippet("Check", None, "shell", filled(template["verify"], "shell", values)),
        tuple(_troubles(template, values)),
    )


def render(tool: str, facts: Facts) -> list[Snippet]:
    """What to paste for the usual variant.  Raises KeyError for a tool that is not in TOOLS."""
    return list(setup(tool, facts).usual.snippets)


def _values(facts: Facts, template: Mapping[str, Any]) -> dict[str, Any]:
    base = facts.origin + template["base"]
    return {**_of(facts.default), "model": facts.default.id, "origin": facts.origin, "base": base, "key": facts.key}


def _of(model: Offered) -> dict[str, Any]:
    names = ("id", "name", "window", "context", "input", "output", "modalities", "reasoning", "sees")
    return {name: getattr(model, name) for name in names}


def _variants(template: Mapping[str, Any], facts: Facts, values: Mapping[str, Any]) -> list[Variant]:
    known = template.get("variants", [ONLY])
    # The first is the usual one, unless the pool does without websockets and there is one that does as well.
    fitting = [each for each in known if facts.websockets or not each.get("websockets")]
    usual = (fitting or known)[0]
    models = [_of(model) for model in facts.models]
    return [
        Variant(
            each["id"],
            each["title"],
            each is usual,
            tuple(
                _snippet(block, {**values, **each.get("values", {})}, models)
                for block in template["blocks"]
                if each["id"] in block.get("variants", (each["id"],))
            ),
        )
        for each in known
    ]


def _snippet(block: Mapping[str, Any], values: Mapping[str, Any], models: list[dict[str, Any]]) -> Snippet:
    language = block["language"]
    text = filled(block["text"], language, values, models)
    notes = tuple(_prose(note, values) for note in block.get("notes", ()))
    return Snippet(block["title"], block.get("file"), language, text, notes)


def _troubles(template: Mapping[str, Any], values: Mapping[str, Any]) -> list[Trouble]:
    told = {**values, "ending": _prose(template["ending"], values)}
    lines = [*template.get("troubles", ()), *COMMON["troubles"]]
    return [Trouble(_prose(line["symptom"], told), _prose(line["remedy"], told)) for line in lines]


def _prose(text: str, values: Mapping[str, Any]) -> str:
    return filled(text, "text", values)
