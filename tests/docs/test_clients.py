"""The page about clients and the console's example are what the templates say now, and the README names every tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_pooler.web.clients.__main__ import CHECKOUT, WRITTEN
from codex_pooler.web.clients.document import EXAMPLE
from codex_pooler.web.clients.tools import TOOLS, setup

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_made_from_the_templates_is_up_to_date(name: str) -> None:
    assert CHECKOUT == ROOT
    assert (ROOT / name).read_text("utf-8") == WRITTEN[name](), "run: make clients"


def test_the_readme_names_every_tool_and_links_the_page() -> None:
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert "(docs/clients.md)" in readme
    titles = [setup(tool, EXAMPLE).title.split(",")[0] for tool in TOOLS]
    assert [title for title in titles if title not in readme] == []
