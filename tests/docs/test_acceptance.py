"""Every acceptance scenario of the gateway stands in docs/acceptance.md once, with tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/acceptance.md").read_text()
NUMBERS = [*range(1, 49), 51]


def test_every_scenario_has_exactly_one_place() -> None:
    assert sorted(map(int, re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE))) == NUMBERS


def test_every_scenario_is_proved_by_tests_that_exist() -> None:
    proved = PAGE.partition("## Proved")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \d+ \| .+? \| (.+) \|$", proved, re.MULTILINE)
    named = [re.findall(r"`(\S+)::(\w+)`", row) for row in rows]
    assert all(named), "a scenario without a test"
    assert [test for row in named for test in row if test[1] not in _tests(ROOT / test[0])] == []


def test_what_calls_itself_the_proof_of_a_scenario_is_listed_with_it() -> None:
    """A test named after one of these scenarios proves that one and no other."""
    wrong = [
        (number, name)
        for number, proofs in re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", PAGE, re.MULTILINE)
        for name in re.findall(r"::test_scenario_(\d+)_", proofs)
        if name != number
    ]
    assert wrong == []


def _tests(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
