"""Every text that the product shows for a tool is valid in its language and asks for nothing the gateway has not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from codex_pooler.snapshot.catalog import Catalog, Model
from codex_pooler.web.clients.facts import Facts, Offered, facts_of
from codex_pooler.web.clients.filling import LANGUAGES, filled
from codex_pooler.web.clients.tools import KINDS, TOOLS, Setup, Snippet, render, routes, setup
from codex_pooler.web.runtime import codex, models
from codex_pooler.web.runtime.v1.routes import add_v1_routes

ORIGIN = "https://pooler.example.com:8443"
ODD = Offered("gpt \"5\" 'x' $HOME `id` \\n @{key} <é>", 'A "model" of\ta \\ kind')
PLAIN = Facts(ORIGIN, Offered("gpt-5.5", "GPT-5.5"), (Offered("gpt-5.5", "GPT-5.5"), Offered("gpt-6-sol", "GPT-6-Sol")))
STRANGE = Facts(ORIGIN, ODD, (ODD, Offered("other", "Other", modalities=("text",), reasoning=False)))
ADDRESS = re.compile(re.escape(ORIGIN) + r"[^\s\"'`),;]*")


def every_snippet(each: Setup) -> Iterator[Snippet]:
    """All of a tool's texts, of all variants."""
    for variant in each.variants:
        yield from variant.snippets
    yield each.verify


ALL = [(tool, number) for tool in TOOLS for number in range(len(list(every_snippet(setup(tool, PLAIN)))))]


def as_toml(text: str, folder: Path) -> Any:
    return tomllib.loads(text)


def as_json(text: str, folder: Path) -> Any:
    return json.loads(text)


def as_yaml(text: str, folder: Path) -> Any:
    return import_module("yaml").safe_load(text)


def as_shell(text: str, folder: Path) -> None:
    subprocess.run(["sh", "-n"], input=text, text=True, check=True, capture_output=True, timeout=20)


def as_python(text: str, folder: Path) -> None:
    compile(text, "client.py", "exec")


def as_javascript(text: str, folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        # the gate installs Node; a machine for Python alone need not have it
        pytest.skip("Node is not installed here, so its snippets cannot be parsed")
    program = folder / "client.mjs"
    program.write_text(text)
    subprocess.run([node, "--check", program], check=True, capture_output=True, timeout=60)


def as_powershell(text: str, folder: Path) -> None:
    """There is no parser for it here: what opens also closes, outside of text."""
    outside = re.sub(r"'[^']*'|\"(?:`.|[^\"`])*\"", "", text)
    assert not set(outside) & {"'", '"'}
    for pair in ("()", "{}", "[]"):
        assert outside.count(pair[0]) == outside.count(pair[1])


def as_text(text: str, folder: Path) -> None:
    assert text.strip()


PARSERS: dict[str, Callable[[str, Path], Any]] = {
    "toml": as_toml,
    "json": as_json,
    "yaml": as_yaml,
    "shell": as_shell,
    "dotenv": as_shell,
    "python": as_python,
    "javascript": as_javascript,
    "powershell": as_powershell,
    "text": as_text,
}


@pytest.mark.parametrize("facts", [PLAIN, STRANGE], ids=["plain", "strange"])
@pytest.mark.parametrize(("tool", "number"), ALL)
def test_every_text_is_valid_whatever_the_model_is_called(tool: str, number: int, facts: Facts, tmp_path: Path) -> None:
    snippet = list(every_snippet(setup(tool, facts)))[number]
    parsed = PARSERS[snippet.language](snippet.text, tmp_path)
    if snippet.language in ("toml", "json", "yaml") and facts is STRANGE:
        assert isinstance(parsed, dict)
        told = json.dumps(parsed, ensure_ascii=False)
        assert json.dumps(ODD.id, ensure_ascii=False)[1:-1] in told or "model" not in snippet.text


def test_every_language_that_can_be_told_apart_is_parsed() -> None:
    used = {snippet.language for tool in TOOLS for snippet in every_snippet(setup(tool, PLAIN))}
    assert used <= set(PARSERS)
    assert used <= set(LANGUAGES)


def test_a_shell_takes_a_name_as_it_is() -> None:
    line = filled('printf %s "@{model}"', "shell", {"model": ODD.id})
    assert subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout.decode() == ODD.id


def application() -> web.Application:
    """What tools may ask for."""
    app = web.Application()
    for path in codex.PATHS:
        app.router.add_get(path, models.list_models)
        app.router.add_post(path, codex.create_response)
    app.router.add_get(models.PATHS[0], models.list_models)
    add_v1_routes(app)
    return app


@pytest.mark.parametrize("tool", TOOLS)
async def test_what_the_tool_calls_is_served(tool: str) -> None:
    app = application()
    for method, path in routes(tool):
        match = await app.router.resolve(make_mocked_request(method, path))
        assert match.http_exception is None, f"{method} {path}"
        assert not match.handler.__module__.endswith("unsupported"), f"{method} {path}"


@pytest.mark.parametrize("tool", TOOLS)
def test_every_address_is_this_instance_and_a_base_of_what_the_tool_calls(tool: str) -> None:
    each = setup(tool, PLAIN)
    served = [ORIGIN + path for _, path in routes(tool)]
    text = "\n".join(snippet.text for snippet in every_snippet(each))
    found = set(ADDRESS.findall(text))
    assert found
    for address in found:
        assert any(url == address or url.startswith(address + "/") for url in served), address
    assert each.base_url in found or tool == "curl"
    foreign = set(re.findall(r"https?://[^\s\"'/]+", text)) - {ORIGIN, "https://opencode.ai"}
    assert foreign == set()


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_left_open_and_no_key_is_shown(tool: str) -> None:
    each = setup(tool, PLAIN)
    assert each.kind in KINDS
    assert sum(variant.default for variant in each.variants) == 1
    said = orjson.dumps(each).decode()
    assert "@{" not in said
    assert "@each" not in said
    assert "sk-cxp" not in said
    assert "CODEX_POOLER_API_KEY" in said
    assert {"401", "403", "404"} <= {trouble.symptom[:3] for trouble in each.troubleshooting}


def test_codex_goes_over_http_where_the_pool_has_no_websockets() -> None:
    (first, *_) = render("codex_cli", facts_of(ORIGIN, [], websockets=False))
    assert tomllib.loads(first.text)["model_provider"] == "codex-pooler-http"
    (first, *_) = render("codex_cli", facts_of(ORIGIN, []))
    assert tomllib.loads(first.text)["model_provider"] == "codex-pooler-ws"


ENTRIES: list[dict[str, Any]] = [
    {"slug": "later", "display_name": "Later", "priority": 7, "context_window": 500_000},
    {"slug": "hidden", "visibility": "hide", "priority": 1},
    {
        "slug": "first",
        "priority": 2,
        "context_window": 272_000,
        "effective_context_window_percent": 95,
        "input_modalities": ["text"],
        "supported_reasoning_levels": [],
    },
]


def catalog(*entries: dict[str, Any]) -> Catalog:
    return Catalog(tuple(Model(entry["slug"], orjson.dumps(entry)) for entry in entries))


def test_models_are_those_that_people_may_choose_with_what_they_take() -> None:
    facts = facts_of(ORIGIN, [catalog(*ENTRIES), catalog(ENTRIES[0])])
    assert [model.id for model in facts.models] == ["first", "later"]
    first = facts.default
    assert (first.id, first.context, first.input, first.sees, first.reasoning) == (
        "first", 400_000, 258_400, False, False
    )  # fmt: skip


def test_a_model_that_is_asked_for_is_configured_even_when_it_is_only_another_name() -> None:
    facts = facts_of(ORIGIN, [catalog(*ENTRIES)], "claude-opus")
    assert facts.default.id == "claude-opus"
    assert [model.id for model in facts.models] == ["claude-opus", "first", "later"]
    assert facts_of(ORIGIN, [catalog(*ENTRIES)], "later").default.context == 628_000


def test_without_a_catalogue_there_is_a_model_all_the_same() -> None:
    assert [model.id for model in facts_of(ORIGIN, []).models] == ["gpt-5.5"]
