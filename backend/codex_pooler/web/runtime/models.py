"""The native model list: what the pool's accounts offer together, as far as the key may use it."""

from __future__ import annotations

import re

from aiohttp import web

from codex_pooler.keys.lookup import authenticate
from codex_pooler.snapshot.catalog import Listing
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import HOUSE, KEYRING

PATHS = ("/backend-api/codex/models", "/backend-api/codex/v1/models")

_TAGS = re.compile(r'(?:W/)?("[^"]*")')


async def list_models(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD``: ``{"models":[…]}`` with an ETag; 304 to a client that has it already."""
    return await answered(request, _list_models)


async def _list_models(request: web.Request) -> web.StreamResponse:
    snapshot = request.app[HOUSE].snapshot.current
    key = authenticate(request.headers, snapshot, request.app[KEYRING])
    listing = snapshot.listing(key)
    headers = {"etag": listing.etag, "cache-control": "private, no-cache"}
    if has_it(request.headers.getall("If-None-Match", ()), listing):
        return web.Response(status=304, headers=headers)
    return web.Response(body=listing.body, content_type="application/json", headers=headers)


def has_it(if_none_match: tuple[str, ...] | list[str], listing: Listing) -> bool:
    """Whether the client has the listing already."""
    return has_tag(if_none_match, listing.etag)


def has_tag(if_none_match: tuple[str, ...] | list[str], etag: str) -> bool:
    """Whether one of the tags is this one, by weak comparison, or ``*`` is among them."""
    told = ",".join(if_none_match)
    return told.strip() == "*" or etag.removeprefix("W/") in _TAGS.findall(told)
