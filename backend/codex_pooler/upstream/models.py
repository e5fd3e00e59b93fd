"""Asks the backend which models one account may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from codex_pooler.upstream.backend import Backend, Reply, Unreachable
from codex_pooler.upstream.http_turn import Credential, identity_headers

MODELS_PATH = "/backend-api/codex/models"
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_MODELS = 1000
LONGEST_SLUG = 200
LONGEST_ETAG = 512
# why there was no answer -> what it is called here, where not "unreachable"
CODES = {"timeout": "timeout", "too_large": "unreadable", "egress_proxy_failed": "egress_proxy_failed"}


class FetchFailed(Exception):
    """No catalogue came.  ``code`` says why in one word, without anything the backend wrote."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Fetched:
    """``entries``: a JSON array of the models as the backend describes them, None when nothing has changed."""

    entries: bytes | None = field(repr=False)
    slugs: list[str] = field(repr=False)
    etag: str | None


async def fetch_models(backend: Backend, account: Credential, client_version: str, etag: str | None) -> Fetched:
    """One account's catalogue, as the backend has it for that version of Codex.  Raises FetchFailed."""
    params, headers = {"client_version": client_version}, dict(identity_headers(account, client_version))
    headers |= {"if-none-match": etag} if etag else {}
    try:
        answer = await backend.request(
            account, "GET", MODELS_PATH, headers=headers, params=params, most_bytes=MAX_ANSWER_BYTES
        )
        if answer.status == 304 and etag:
            return Fetched(None, [], etag)
        if answer.status != 200:
            raise FetchFailed(f"status_{answer.status}")
        models = read_models(answer.body)
        return Fetched(encoded(models), [entry["slug"] for entry in models], _usable_tag(answer))
    except Unreachable as exc:
        raise FetchFailed(CODES.get(exc.reason, "unreachable")) from None
    except ValueError:
        raise FetchFailed("unreadable") from None


def _usable_tag(answer: Reply) -> str | None:
    tag = answer.headers.get("etag", "")
    return tag if 0 < len(tag) <= LONGEST_ETAG and tag.isascii() and tag.isprintable() else None


def read_models(body: bytes) -> list[dict[str, Any]]:
    """The entries of ``{"models":[…]}``, ``{"data":[…]}`` or ``[…]``, sorted by slug.  Raises ValueError.

    Entries without a name are left out; a catalogue without any entry is not believed.
    """
    document = orjson.loads(body)
    if isinstance(document, dict):
        document = document.get("models", document.get("data"))
    if not isinstance(document, list) or len(document) > MAX_MODELS:
        raise ValueError("this is no catalogue")
    named = {entry["slug"]: entry for entry in _named(document)}
    if not named:
        raise ValueError("the catalogue is empty")
    return [named[slug] for slug in sorted(named)]


def encoded(models: list[dict[str, Any]]) -> bytes:
    """The same catalogue always gives the same bytes.  Raises ValueError for what cannot be written again."""
    try:
        return orjson.dumps(models, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as exc:
        raise ValueError(str(exc)) from None


def _named(document: list[Any]) -> Iterator[dict[str, Any]]:
    for entry in document:
        slug = entry.get("slug", entry.get("id")) if isinstance(entry, dict) else None
        if isinstance(slug, str) and 0 < len(slug) <= LONGEST_SLUG and slug.isprintable():
            yield {**entry, "slug": slug}
