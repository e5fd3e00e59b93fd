"""What the documents promise exists, and what exists is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_pooler.cli import _parser
from codex_pooler.telemetry.metrics import COUNTERS, GAUGE_LABELS, GAUGES
from codex_pooler.web.spa import CSP

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(path.read_text() for path in DOCUMENTS)


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    source = (ROOT / "backend/codex_pooler/config.py").read_text()
    known = set(re.findall(r'"((?:CODEX_POOLER_[A-Z_]+)|DATABASE_URL|SECRET_KEY_BASE)"', source))
    readme = (ROOT / "README.md").read_text()
    assert {name for name in known if f"`{name}`" not in readme} == set()
    mentioned = set(re.findall(r"\b(?:CODEX_POOLER_[A-Z_]+|DATABASE_URL|SECRET_KEY_BASE)\b", TEXT))
    clients = {"CODEX_POOLER_API_KEY", "CODEX_POOLER_MCP_KEY", "CODEX_POOLER_COMMAND"}
    assert mentioned - known - clients == set()


def test_every_documented_command_exists() -> None:
    choices = next(a.choices for a in _parser()._actions if a.choices and "serve" in a.choices)
    assert choices
    mentioned = set(re.findall(r"codex-pooler ([a-z]+)\b", re.sub(r"(?s)codex-pooler-[a-z]+", "", TEXT)))
    words = {"is", "and", "on", "in", "as"}
    assert mentioned - set(choices) - words == set()


def test_every_documented_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)`?", TEXT)) - targets - {"it", "sure", "two"} == set()


def test_every_documented_metric_exists() -> None:
    mentioned = {
        name for name in re.findall(r"\bcodex_pooler_[a-z_]+\b", TEXT) if not name.startswith("codex_pooler_pg")
    }
    assert mentioned - set(COUNTERS) - set(GAUGES) <= {"codex_pooler_"}


def test_every_metric_is_documented_with_its_labels() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    labels = {name: label for name, (_, *label) in COUNTERS.items()}
    labels |= {name: [GAUGE_LABELS[name]] if name in GAUGE_LABELS else [] for name in GAUGES}
    for name, names in labels.items():
        (row,) = (line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert [f"`{label}`" for label in names] == re.findall("`[a-z_]+`", row.split("|")[3]), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_path_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    rooms = re.findall(r"`((?:web|gateway|protocol|storage|routing|accounting|upstream|keys)/[\w/]+\.py)`", text)
    missing = [link for link in links if not (path.parent / link).exists()]
    missing += [room for room in rooms if not (ROOT / "backend/codex_pooler" / room).exists()]
    assert missing == []


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CSP
