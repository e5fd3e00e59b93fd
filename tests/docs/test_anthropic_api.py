"""The page about Anthropic's API says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from codex_pooler.keys.policy import BYTES_PER_TOKEN, MEDIA_TOKENS
from codex_pooler.protocol.anthropic.content import DOCUMENTS
from codex_pooler.protocol.anthropic.message import INCOMPLETE
from codex_pooler.protocol.anthropic.request import REQUIRED_ANYWAY, WITHOUT_EFFECT
from codex_pooler.protocol.anthropic.thinking import BUDGETS, EFFORTS, LARGEST, LEAST_EFFORT
from codex_pooler.protocol.anthropic.tools import LONGEST_NAME
from codex_pooler.protocol.dialects import ANTHROPIC_TYPES, TOO_LONG
from codex_pooler.web.runtime.sinks import IGNORED_HEADER
from codex_pooler.web.runtime.v1 import messages

PAGE = (Path(__file__).parents[2] / "docs" / "anthropic-api.md").read_text()


def rows() -> set[tuple[str, ...]]:
    """Every row of a table, its cells without the marks of code."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return {tuple(cell.strip().replace("`", "") for cell in line.strip("|").split("|")) for line in lines}


def test_every_route_is_named() -> None:
    for route in (messages.ROUTE, messages.COUNT_ROUTE):
        assert f"| `POST {route}` |" in PAGE


def test_what_has_no_effect_is_named() -> None:
    named = PAGE.partition(f"`{IGNORED_HEADER}`")[2].partition("\n## ")[0]
    assert {name for name in WITHOUT_EFFECT if f"`{name}`" not in named} == set()
    assert all(f"only `{name}`" in named for name in REQUIRED_ANYWAY)


def test_efforts_are_those_of_the_table() -> None:
    (first, *rest) = BUDGETS
    table = rows()
    assert (f"thinking of type enabled, budget_tokens up to {first[0]}", first[1]) in table
    assert {(f"up to {most}", effort) for most, effort in rest} | {("more", LARGEST)} <= table
    assert ("thinking of type disabled", LEAST_EFFORT) in table
    assert ", ".join(f"`{effort}`" for effort in EFFORTS) in PAGE


def test_errors_and_stop_reasons_are_those_of_the_tables() -> None:
    assert {(str(status), kind) for status, kind in ANTHROPIC_TYPES.items()} <= rows()
    assert {reason for reason in INCOMPLETE.values() if f"| `{reason}` |" not in PAGE} == set()
    assert f"`{TOO_LONG}`" in PAGE


def test_models_sources_and_sizes_are_the_codes_own() -> None:
    assert {kind for kind in DOCUMENTS if f"`{kind}`" not in PAGE} == set()
    assert re.search(rf"begins with `{messages.FOREIGN}`.+`{messages.SMALL}`.+`{messages.SMALL_OWN}`", PAGE, re.DOTALL)
    assert f"longer than {LONGEST_NAME} characters" in PAGE
    assert (BYTES_PER_TOKEN, f"{MEDIA_TOKENS} tokens" in PAGE) == (4, True)
