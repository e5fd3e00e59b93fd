"""The page of native routes names what there is, with the switches and limits that the code has."""

from __future__ import annotations

from pathlib import Path

from codex_pooler.gateway.call import SHOWN_HEADERS
from codex_pooler.protocol.multipart import MAX_PARTS
from codex_pooler.snapshot.model import Switches
from codex_pooler.web.runtime import audio, compact, file_calls, files, images, models, usage
from codex_pooler.web.runtime.helpers import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "native-routes.md").read_text()


def test_every_helper_route_is_in_the_table_with_its_switch() -> None:
    for row in ROUTES:
        (line,) = [line for line in PAGE.splitlines() if f"{row.route}`" in line and line.startswith("|")]
        assert f"`{row.switch}`" in line if row.switch else line.endswith("| – |")
        assert row.method in line


def test_every_other_route_is_named() -> None:
    named = [files.CREATE_ROUTE, files.FINISH_ROUTE, audio.ROUTE, compact.ROUTE, models.PATHS[0]]
    named += [f"/backend-api{images.PATHS[0]}"]
    assert [route for route in named if f"{route}`" not in PAGE] == []
    assert usage.PATHS[0] in PAGE


def test_errors_headers_and_limits_are_the_codes_own() -> None:
    failures = [
        file_calls.NO_BRIDGE.code,
        file_calls.INCOMPLETE.code,
        "file_not_found",
        "file_expired",
        "file_not_ready",
    ]
    assert [code for code in failures if f"{code}`" not in PAGE] == []
    assert {name for name in SHOWN_HEADERS if f"`{name}`" not in PAGE} == set()
    assert f"at most {MAX_PARTS} fields" in PAGE
    assert not Switches().forward_analytics
