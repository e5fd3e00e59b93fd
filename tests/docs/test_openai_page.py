"""What the pages say of ``/v1`` is what there is: its routes, and what becomes of parameters."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from codex_pooler.protocol.openai.responses_request import ALIASES, ELSEWHERE, NO_OPS, REFUSED
from codex_pooler.web.runtime.sinks import IGNORED_HEADER
from codex_pooler.web.runtime.v1.routes import add_v1_routes
from codex_pooler.web.runtime.v1.unsupported import add_unsupported_routes

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "openai-api.md").read_text()
PAGES = PAGE + "".join((DOCS / name).read_text() for name in ("openai-media.md", "anthropic-api.md"))


def routes(add: object) -> set[tuple[str, str]]:
    app = web.Application()
    assert callable(add)
    add(app)
    known = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    return {(method, path) for method, path in known if method not in ("*", "HEAD")}


def test_every_route_is_on_a_page() -> None:
    offered = routes(add_v1_routes) - routes(add_unsupported_routes)
    assert len(offered) > 5
    told = PAGES.replace("{id}", "{}").replace("{file_id}", "{}")
    missing = [(method, path) for method, path in offered if path.partition("{")[0].rstrip("/") not in told]
    assert missing == []


def test_what_is_refused_left_out_or_understood_is_named() -> None:
    spoken = {"background", "conversation", "prompt"}
    assert spoken < REFUSED.keys()
    assert [name for name in spoken if f"`{name}" not in PAGE] == []
    assert [name for name in ("temperature", "truncation", "metadata", "store") if f"`{name}: " not in PAGE] == []
    assert {"temperature", "truncation", "metadata", "store"} < NO_OPS.keys()
    assert [kind for kind in ELSEWHERE if f"`{kind}`" not in PAGE] == []
    assert {"reasoning_effort", "thinking", "enable_thinking", "reasoning_summary"} < ALIASES
    assert [name for name in ("reasoning_effort", "thinking", "reasoning_summary") if f"`{name}`" not in PAGE] == []
    assert f"`{IGNORED_HEADER}`" in PAGE
