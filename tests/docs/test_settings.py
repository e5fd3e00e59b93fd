"""The page about instance settings says what the code says: every setting, its default, range and unit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from codex_pooler.snapshot.rules import KINDS, Entry, entries, rules_of
from codex_pooler.snapshot.settings import DEFAULTS, GROUPS, Bulkheads
from codex_pooler.telemetry.metrics import ADMISSION_IN_USE, ADMISSION_REFUSED, ADMISSION_WAITING, INGRESS_REFUSED
from codex_pooler.web.admin.schemas.settings import REASONS
from codex_pooler.web.ingress import REVOKED

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def shown(value: Any) -> str:
    """A default for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | dict):
        return ", ".join(value) or "none"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else value or "none"


def row(entry: Entry) -> str:
    """The setting's line in its group's table."""
    rule = entry.rule
    accepted = (
        f"{shown(rule.low)} to {shown(rule.high)}" if rule.low is not None else ", ".join(rule.among) or rule.kind
    )
    default = shown(KINDS[rule.kind].dump(entry.default))
    return f"| `{entry.key}` | {default} | {accepted} | {rule.unit or ''} | {rule.title}: {rule.help} |"


def expected() -> list[str]:
    """Every table line of the page; bulkheads have a table of their own."""
    lines = [row(entry) for group in GROUPS.values() for entry in entries(group) if "." not in entry.key]
    for name, rule in rules_of(Bulkheads).items():
        bulkhead = getattr(DEFAULTS.gateway.bulkheads, name)
        numbers = (bulkhead.max_concurrency, bulkhead.queue_limit, bulkhead.queue_timeout_ms)
        lines.append(f"| `{name}` | {rule.title} | {' | '.join(map(shown, numbers))} |")
    return lines


def test_every_setting_is_on_the_page_as_it_is() -> None:
    missing = [line for line in expected() if line not in PAGE.splitlines()]
    assert missing == [], "\n".join(["put these lines into docs/settings.md:", *missing])


def test_the_page_names_no_setting_that_is_gone() -> None:
    first_cell = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
    assert set(first_cell.findall(PAGE)) == set(first_cell.findall("\n".join(expected()))) | {*REASONS, REVOKED}


def test_reasons_and_metrics_of_the_door_are_explained() -> None:
    for word in (*REASONS, REVOKED, INGRESS_REFUSED, ADMISSION_REFUSED, ADMISSION_IN_USE, ADMISSION_WAITING):
        assert f"`{word}`" in PAGE, word
