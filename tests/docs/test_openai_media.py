"""The page on files, speech and pictures names the routes, names and limits that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from codex_pooler.protocol.openai import audio, images
from codex_pooler.web.runtime.v1 import files, unsupported
from codex_pooler.web.runtime.v1.audio import ROUTE
from codex_pooler.web.runtime.v1.images import EDITS, GENERATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "openai-media.md").read_text()


def test_every_route_is_named() -> None:
    for route in (files.ROUTE, files.CONTENT_ROUTE, ROUTE, EDITS, GENERATIONS):
        assert f"{route}`" in PAGE, route


def test_what_is_said_not_to_be_there_is_not_there() -> None:
    named = set(re.findall(r"`(/v1/[\w/{}]+)`", PAGE.partition("## What there is not")[2]))
    assert len(named) > 15
    assert named <= set(unsupported.PATHS) | set(unsupported.BRANCHES)


def test_names_and_limits_are_the_codes_own() -> None:
    purposes = re.search(r"`purpose` is ([^;]+);", PAGE)
    assert purposes
    assert tuple(re.findall(r"`([\w-]+)`", purposes[1])) == files.PURPOSES
    assert f"(1 to {files.MOST_LISTED:,})" in PAGE
    assert f"1 to {images.MOST}." in PAGE
    for name in (*audio.FORMATS, *images.CHOICES, *images.NO_OPS, images.DEFAULT_MODEL, audio.MODEL):
        assert f"`{name}`" in PAGE, name
