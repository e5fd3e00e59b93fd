"""The rooms of the house as a checked fact: who may import whom, and that every file carries its sign."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "codex_pooler"
BACKEND = Path(__file__).resolve().parent.parent / "backend" / PACKAGE

# Room -> the rooms it may import, from the table of docs/architecture.md.  Its own files and telemetry always may.
MAY_IMPORT: dict[str, set[str]] = {
    "protocol": set(),
    "telemetry": set(),
    "storage": {"protocol"},
    "quota": {"storage", "protocol"},
    "snapshot": {"quota", "storage"},
    "routing": {"snapshot", "quota", "protocol"},
    "keys": {"snapshot", "storage", "protocol"},
    "accounting": {"storage", "protocol"},
    "upstream": {"protocol"},
    "accounts": {"storage", "upstream", "quota"},
    "gateway": {"snapshot", "routing", "keys", "accounting", "quota", "accounts", "upstream", "protocol"},
    "operators": {"storage"},
    "mail": {"storage", "snapshot"},
    "alerts": {"storage", "quota", "routing"},
    "simulator": {"protocol"},
}
MAY_IMPORT["jobs"] = set(MAY_IMPORT) - {"simulator"}
MAY_IMPORT["web"] = set(MAY_IMPORT) - {"simulator"} | {"config"}

# Beside the rooms, what puts everything together: no room may import it (config: web may).
WIRING = {"__init__", "__main__", "app", "cli", "config", "demo", "doctor", "process", "workers"}
# What only reads and decides must not be able to wait or to open a connection.
WITHOUT_INPUT_OUTPUT = {"protocol": {"asyncio", "aiohttp", "socket", "ssl", "uvloop", "threading"}}


class Import(NamedTuple):
    """One imported module, by its full dotted name, and where it is imported."""

    path: Path
    line: int
    module: str

    @property
    def place(self) -> str:
        """`file:line`, as editors understand it."""
        return f"{self.path.relative_to(BACKEND.parent.parent)}:{self.line}"


def modules() -> list[Path]:
    """Every Python file of the package."""
    return sorted(BACKEND.rglob("*.py"))


def room_of(dotted: str) -> str | None:
    """The room of a dotted module name: its second part; None outside the package or for the package itself."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None


def dotted_name(path: Path) -> str:
    """The module's own dotted name, ending in `__init__` for packages, so that relative imports can be counted."""
    return ".".join(path.relative_to(BACKEND.parent).with_suffix("").parts)


def imports_of(path: Path, source: str) -> Iterator[Import]:
    """All imports of a file, at the top or inside functions, relative ones resolved."""
    own = dotted_name(path).split(".")
    for node in ast.walk(ast.parse(source, str(path))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(path, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(own[: -node.level] if node.level else []) + ("." if node.level and node.module else "")
            origin = base + (node.module or "")
            # `from codex_pooler import storage` names the room in its list, every other form in its origin.
            named = [f"{origin}.{name.name}" for name in node.names] if origin == PACKAGE else [origin]
            for module in named:
                yield Import(path, node.lineno, module)


def wrong_arrows(path: Path, source: str) -> list[str]:
    """The imports of a file that its room does not allow, each as `file:line: room -> room`."""
    room = room_of(dotted_name(path))
    if room is None or room in WIRING:
        return []
    allowed = MAY_IMPORT[room] | {room, "telemetry", "__version__"}
    return [
        f"{found.place}: {room} -> {target} is not allowed ({found.module})"
        for found in imports_of(path, source)
        if (target := room_of(found.module)) and target not in allowed
    ]


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in BACKEND.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    files = {path.stem for path in BACKEND.glob("*.py")}
    assert rooms - set(MAY_IMPORT) - WIRING == set(), "give the new room a row in docs/architecture.md and in this test"
    assert files - WIRING == set(), "a module beside the rooms; put it into one"


def test_imports_follow_the_arrows() -> None:
    wrong = [arrow for path in modules() for arrow in wrong_arrows(path, path.read_text())]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(WITHOUT_INPUT_OUTPUT))
def test_rooms_without_input_output_stay_so(room: str) -> None:
    banned = WITHOUT_INPUT_OUTPUT[room]
    found = [
        f"{each.place}: {room} imports {each.module}"
        for path in sorted((BACKEND / room).rglob("*.py"))
        for each in imports_of(path, path.read_text())
        if each.module.split(".")[0] in banned
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_sign() -> None:
    without = [
        str(path.relative_to(BACKEND.parent.parent))
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not without, f"no docstring at the top of: {', '.join(without)}"


@pytest.mark.parametrize(
    "source",
    [
        "import codex_pooler.web.errors",
        "from codex_pooler import web",
        "from codex_pooler.web import errors",
        "from codex_pooler.web.errors import problem",
        "def later() -> None:\n    from codex_pooler.web import errors",
        "from ..web import errors",
        "from .. import web",
        "if TYPE_CHECKING:\n    from ..web.errors import problem",
    ],
)
def test_every_form_of_import_is_seen(source: str) -> None:
    (arrow,) = wrong_arrows(BACKEND / "routing" / "ranking.py", source)
    assert "backend/codex_pooler/routing/ranking.py:" in arrow
    assert "routing -> web" in arrow


@pytest.mark.parametrize(
    "source",
    ["from codex_pooler.snapshot import view", "from . import health", "from .health import cell", "import asyncio"],
)
def test_allowed_imports_pass(source: str) -> None:
    assert wrong_arrows(BACKEND / "routing" / "ranking.py", source) == []


def test_a_package_file_counts_relative_imports_from_itself() -> None:
    assert wrong_arrows(BACKEND / "routing" / "__init__.py", "from .ranking import rank") == []
