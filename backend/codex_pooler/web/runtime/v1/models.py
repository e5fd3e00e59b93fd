"""``GET /v1/models``: what the pool offers to the key's holder, by the models' own names and the pool's other ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.protocol.anthropic.models import model_of as anthropic_model_of
from codex_pooler.protocol.anthropic.models import models_page
from codex_pooler.protocol.dialects import ANTHROPIC, OPENAI, Dialect
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.openai.models import LISTED, is_listed, model_of
from codex_pooler.snapshot.catalog import Listing
from codex_pooler.snapshot.model import Alias
from codex_pooler.web.errors import refused
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.models import has_tag
from codex_pooler.web.runtime.v1.entry import entered

ROUTE = "/v1/models"
ANTHROPIC_VERSION = "anthropic-version"  # every client of that API sends it
MOST_PAGES = 64  # that are kept made; there is one for each kind of key
NO_MODEL = Failure(
    404,
    "model_not_found",
    "this pool offers no model of that name to this key; GET /v1/models lists those that it does",
    "invalid_request_error",
    param="model",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A listing in the words of one dialect.  ``models`` by name in small letters."""

    etag: str
    body: bytes
    models: Mapping[str, bytes]


_pages: dict[tuple[str, Sequence[Alias], Dialect], Page] = {}


def add_model_routes(app: web.Application) -> None:
    """Register every path of this module."""
    app.router.add_get(ROUTE, list_models)
    app.router.add_get(ROUTE + "/{name:.+}", show_model)


async def list_models(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD``: all models, with an ETag; 304 to a client that has them already."""
    return await entered(request, _list_models, _dialect(request))


async def show_model(request: web.Request) -> web.StreamResponse:
    """One model."""
    return await entered(request, _show_model, _dialect(request))


def _dialect(request: web.Request) -> Dialect:
    return ANTHROPIC if ANTHROPIC_VERSION in request.headers else OPENAI


async def _list_models(request: web.Request, caller: Caller) -> web.StreamResponse:
    page = _page(caller, _dialect(request))
    headers = {"etag": page.etag, "cache-control": "private, no-cache"}
    if has_tag(request.headers.getall("If-None-Match", ()), page.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=page.body, content_type="application/json", headers=headers)


async def _show_model(request: web.Request, caller: Caller) -> web.StreamResponse:
    dialect = _dialect(request)
    model = _page(caller, dialect).models.get(request.match_info["name"].casefold())
    if model is None:
        return refused(NO_MODEL, dialect)
    return web.Response(body=model, content_type="application/json", headers={"cache-control": "private, no-cache"})


def _page(caller: Caller, dialect: Dialect) -> Page:
    listing, aliases = caller.house.snapshot.current.listing(caller.key), caller.key.pool.aliases
    name = (listing.etag, aliases, dialect)
    page = _pages.get(name)
    if page is None:
        if len(_pages) >= MOST_PAGES:
            _pages.clear()
        page = _pages[name] = make_page(listing, aliases, dialect)
    return page


def make_page(listing: Listing, aliases: Sequence[Alias], dialect: Dialect) -> Page:
    """The listing, and behind it the other names of what it has.  Hidden models can be shown, but are not listed."""
    entries = list(_entries(listing, aliases))
    listed = [entry for entry in entries if is_listed(entry)]
    if dialect is ANTHROPIC:
        models = [anthropic_model_of(entry) for entry in entries]
        body = orjson.dumps(models_page(listed))
    else:
        models = [model_of(entry) for entry in entries]
        body = orjson.dumps({"object": "list", "data": [model_of(entry) for entry in listed]})
    etag = f'W/"cp-v1-models-{hashlib.sha256(body).hexdigest()}"'
    return Page(etag, body, {str(model["id"]).casefold(): orjson.dumps(model) for model in models})


def _entries(listing: Listing, aliases: Sequence[Alias]) -> Iterator[dict[str, Any]]:
    """The descriptions of the models; an alias that stands for many names cannot be listed."""
    entries = {model.slug.casefold(): orjson.loads(model.json) for model in listing.models}
    yield from entries.values()
    for alias in aliases:
        entry = entries.get(alias.model.casefold())
        if entry is not None and "*" not in alias.match and alias.match.casefold() not in entries:
            yield {**entry, "visibility": LISTED, "slug": alias.match, "display_name": f"{alias.match} ({alias.model})"}
