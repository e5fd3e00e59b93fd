"""Anthropic's Messages API, which Claude Code speaks: ``POST /v1/messages`` and ``/v1/messages/count_tokens``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.keys.policy import BYTES_PER_TOKEN, PolicyRefused, prompt_bytes
from codex_pooler.protocol.anthropic.events import MessageEvents
from codex_pooler.protocol.anthropic.message import shape_for
from codex_pooler.protocol.anthropic.request import Asked, translate
from codex_pooler.protocol.anthropic.thinking import fitted
from codex_pooler.protocol.dialects import ANTHROPIC
from codex_pooler.protocol.openai.models import LISTED
from codex_pooler.protocol.translation import Translated
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.web.bodies import read_body
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.v1.entry import collected, entered, streamed, turn_of

ROUTE = "/v1/messages"
COUNT_ROUTE = "/v1/messages/count_tokens"
FOREIGN = "claude"  # models whose name begins so are not the backend's: the pool's own take their place
SMALL = "haiku"  # the small one of them
SMALL_OWN = "mini"
COUNTED = ("instructions", "input", "tools")
NO_MODEL = (
    "this pool's models are not known yet, so that none can stand for that one; try again in a moment, or name one of"
    " the backend's own"
)


class _Level(msgspec.Struct):
    effort: str = ""


class _Model(msgspec.Struct):
    """What is read of the backend's description of a model."""

    slug: str
    visibility: str | None = None
    priority: float | None = None
    supported_reasoning_levels: list[_Level] | None = None


_model = msgspec.json.Decoder(_Model)


def add_message_routes(app: web.Application) -> None:
    app.router.add_post(ROUTE, create_message)
    app.router.add_post(COUNT_ROUTE, count_tokens)


async def create_message(request: web.Request) -> web.StreamResponse:
    """One turn, as a stream of events or as one message."""
    return await entered(request, _create_message, ANTHROPIC)


async def _create_message(request: web.Request, caller: Caller) -> web.StreamResponse:
    asked = await _asked(request, caller)
    name = asked.voice.model
    served = model_for(name, caller)
    translated = _with(asked.translated, model=name if served is None else served)
    translated = _with_effort(translated, caller)
    renamed = {"asked_model": name} if served is not None else {}
    turn = turn_of(caller, translated, ROUTE, stream=asked.stream, **renamed)
    if asked.stream:
        return await streamed(request, caller, turn, translated, ANTHROPIC, MessageEvents(asked.voice))
    return await collected(request, caller, turn, translated, ANTHROPIC, shape_for(asked.voice))


async def count_tokens(request: web.Request) -> web.StreamResponse:
    """An estimate, made here: the same request always has the same count, and no account is asked."""
    return await entered(request, _count_tokens, ANTHROPIC)


async def _count_tokens(request: web.Request, caller: Caller) -> web.StreamResponse:
    members = (await _asked(request, caller)).translated.members
    size = prompt_bytes(msgspec.json.encode({name: members[name] for name in COUNTED if members.get(name)}))
    headers = {"request-id": uuid7_text(), "cache-control": "no-store"}
    return web.json_response({"input_tokens": max(1, size // BYTES_PER_TOKEN)}, headers=headers)


async def _asked(request: web.Request, caller: Caller) -> Asked:
    return translate(await read_body(request), strict=caller.key.pool.switches.v1_strict)


def _with(asked: Translated, **members: Any) -> Translated:
    return replace(asked, members={**asked.members, **members})


# -- models


def model_for(name: str, caller: Caller) -> str | None:
    """The pool's model that serves for one of Anthropic's; None for names that stand for themselves or are aliases.

    Raises PolicyRefused when there is none to choose.
    """
    if not name.casefold().startswith(FOREIGN) or caller.key.pool.model_named(name) is not None:
        return None
    models = _models(caller)
    if name in models:
        return None
    listed = [model.slug for model in sorted(models.values(), key=_place) if model.visibility in (None, LISTED)]
    policy = caller.key.policy
    if not listed and policy.allowed_models is None and policy.enforced_model is None:
        raise PolicyRefused(503, "no_eligible_backend", NO_MODEL, "model")
    small = [slug for slug in listed if SMALL_OWN in slug] if SMALL in name.casefold() else []
    return next(iter([*small, *listed]), None)


def _place(model: _Model) -> float:
    """Where the backend lists a model: the lowest first."""
    return model.priority if model.priority is not None else float("inf")


def _models(caller: Caller) -> Mapping[str, _Model]:
    listing = caller.house.snapshot.current.listing(caller.key)
    return {model.slug: _read(model.slug, model.json) for model in listing.models}


@lru_cache(maxsize=256)
def _read(slug: str, description: bytes) -> _Model:
    try:
        return _model.decode(description)
    except msgspec.ValidationError:  # the backend describes it in new words
        return _Model(slug)


def _with_effort(asked: Translated, caller: Caller) -> Translated:
    """With as much effort as the model has: clients know Anthropic's levels, and each model has some of them."""
    reasoning: dict[str, Any] = asked.members.get("reasoning") or {}
    effort = reasoning.get("effort")
    if not effort:
        return asked
    fitting = fitted(effort, _levels(asked.members["model"], caller))
    return asked if fitting == effort else _with(asked, reasoning={**reasoning, "effort": fitting})


def _levels(name: str, caller: Caller) -> Sequence[str]:
    slug = caller.key.policy.enforced_model or caller.key.pool.model_named(name) or name
    model = _models(caller).get(slug)
    return [level.effort for level in model.supported_reasoning_levels or ()] if model else []
