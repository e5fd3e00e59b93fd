"""The container files agree with the product: every setting they name exists, and every path they copy does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SETTINGS = set(re.findall(r'"([A-Z][A-Z_]+)"', (ROOT / "backend" / "codex_pooler" / "config.py").read_text()))


def test_settings_of_the_gateway_container_are_known() -> None:
    given = set(COMPOSE["services"]["gateway"]["environment"])
    assert given - SETTINGS == set()


def test_settings_of_the_image_are_known() -> None:
    given = set(re.findall(r"\b(CODEX_POOLER_[A-Z_]+)\b", DOCKERFILE))
    assert given
    assert given - SETTINGS == set()


def test_interpolated_settings_keep_their_name() -> None:
    for name, value in COMPOSE["services"]["gateway"]["environment"].items():
        assert name == "DATABASE_URL" or str(value).startswith(f"${{{name}:-")


def copied_paths() -> list[str]:
    """What the Dockerfile copies from the checkout."""
    copies = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return sorted({path for copy in copies for path in copy.split()})


@pytest.mark.parametrize("path", copied_paths())
def test_copied_files_exist_and_reach_the_build(path: str) -> None:
    assert (ROOT / path).exists()
    reached = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    assert any(f"{path}/".startswith(line[1:] + "/") for line in reached if line.startswith("!"))


def test_the_console_is_where_the_product_looks_for_it() -> None:
    spa = (ROOT / "backend" / "codex_pooler" / "web" / "spa.py").read_text()
    assert '"frontend" / "dist"' in spa
    assert "/src/frontend/dist /app/frontend/dist" in DOCKERFILE
