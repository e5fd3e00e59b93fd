"""Writes what the console shows of clients as a page for readers, and as data for a console without a backend."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from codex_pooler.web.clients.facts import Facts, Offered
from codex_pooler.web.clients.tools import TOOLS, Setup, Snippet, Trouble, setup

ORIGIN = "https://pooler.example.com"
MODELS = (
    Offered("gpt-5.5", "GPT-5.5", 272_000, 258_400),
    Offered("gpt-5.6-sol", "GPT-5.6-Sol", 272_000, 258_400),
)
EXAMPLE = Facts(ORIGIN, MODELS[0], MODELS)
FENCES = {"shell": "sh", "dotenv": "sh", "javascript": "js", "typescript": "ts"}  # where readers know another word

HEAD = f"""\
# Connect a client

<!-- Written by `make clients` from the templates in backend/codex_pooler/web/clients; change those. -->

The console shows all of this with your address and your pool's models: **API keys → Connect a client**. Here the
address is `{ORIGIN}` and the model `{EXAMPLE.default.id}`; on your own machine the address is `http://localhost:4000`.

Every tool reads its key from the environment, so that no file holds a secret:

```sh
export {EXAMPLE.key}="sk-cxp-..."
```

| base URL | for |
|---|---|
| `{ORIGIN}/backend-api/codex` | Codex |
| `{ORIGIN}/v1` | what speaks the OpenAI API |
| `{ORIGIN}` | what speaks Anthropic's Messages API, such as Claude Code |

A script gets the same from `GET /api/admin/v1/client-configs?tool=&pool_id=&model=` with an operator access token.

"""


TAIL = """\
## What goes wrong with any tool

"""
MODULE = """\
// Written by `make clients` from the templates in backend/codex_pooler/web/clients.
import type { ClientConfig } from '@/api';

/** What the server answers for an example instance. */
export const CLIENT_CONFIGS: ClientConfig[] = """


def document() -> str:
    """``docs/clients.md``."""
    setups = [setup(tool, EXAMPLE) for tool in TOOLS]
    shared = frozenset[Trouble].intersection(*(frozenset(each.troubleshooting) for each in setups))
    sections = "".join(line for each in setups for line in _section(each, shared))
    return HEAD + sections + TAIL + "".join(_trouble(each) for each in setups[0].troubleshooting if each in shared)


def module() -> str:
    """The answer of the API for the example instance, as the console's mock server has it."""
    return MODULE + orjson.dumps([setup(tool, EXAMPLE) for tool in TOOLS], option=orjson.OPT_INDENT_2).decode() + ";\n"


def _section(each: Setup, shared: frozenset[Trouble]) -> Iterator[str]:
    yield f"## {each.title}\n\n"
    yield from (f"{note}\n\n" for note in each.notes)
    for snippet in each.usual.snippets:
        yield from _snippet(snippet)
    for variant in each.variants:
        if not variant.default:
            yield f"**{variant.title} instead**: "
            yield from _snippet(variant.snippets[0])
    yield from _snippet(each.verify)
    yield from (_trouble(trouble) for trouble in each.troubleshooting if trouble not in shared)
    yield "\n"


def _snippet(snippet: Snippet) -> Iterator[str]:
    place = f", `{snippet.file}`" if snippet.file else ""
    yield f"{snippet.title}{place}:\n\n"
    yield f"```{FENCES.get(snippet.language, snippet.language)}\n{snippet.text}```\n\n"
    yield from (f"{note}\n\n" for note in snippet.notes)


def _trouble(trouble: Trouble) -> str:
    return f"* **{trouble.symptom}**: {trouble.remedy}\n"
