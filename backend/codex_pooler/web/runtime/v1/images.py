"""Pictures under ``/v1``: as many calls of the backend as pictures are wanted, and one answer, or a stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import orjson
from aiohttp import web

from codex_pooler.gateway.call import CallRequest
from codex_pooler.keys.policy import check_model
from codex_pooler.protocol.dialects import OPENAI
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.multipart import FORM_DATA
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.openai.images import (
    Drawing,
    body_of,
    check_family,
    deviations,
    event_of,
    joined,
    objection,
    read_form_edit,
    read_generation,
    read_json_edit,
)
from codex_pooler.web.bodies import INLINE_BYTES, MAX_BODY_BYTES, BodyRefused, read_body
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.calls import JSON, call_of
from codex_pooler.web.runtime.forms import read_parts
from codex_pooler.web.runtime.images import FIRST_BYTE_SECONDS, ROUTE_CLASS, check_allowed
from codex_pooler.web.runtime.sinks import ignored_header
from codex_pooler.web.runtime.v1.entry import check_ignored, entered
from codex_pooler.web.runtime.v1.patience import Waiting
from codex_pooler.web.runtime.v1.told import carried, failure_in, headers_of

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
AT_ONCE = 3  # pictures of one request that are being made at the same time
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """A route: the backend's path for it, and what its events are called."""

    route: str
    path: str
    event: str


GENERATION = Kind(GENERATIONS, "/codex/images/generations", "image_generation")
EDIT = Kind(EDITS, "/codex/images/edits", "image_edit")


def add_v1_image_routes(app: web.Application) -> None:
    """Register generations and edits."""
    for kind in (GENERATION, EDIT):
        app.router.add_post(kind.route, partial(create_images, kind=kind))


async def create_images(request: web.Request, kind: Kind) -> web.StreamResponse:
    """Pictures, made or edited."""

    async def draw(request: web.Request, caller: Caller) -> web.StreamResponse:
        return await _create_images(request, caller, kind)

    return await entered(request, draw)


async def _create_images(request: web.Request, caller: Caller, kind: Kind) -> web.StreamResponse:
    check_allowed(caller)
    asked, size = await _read(request, kind)
    check_ignored(caller, asked.ignored)
    model = caller.key.pool.model_named(asked.model) or asked.model
    check_family(model)
    check_model(caller.key, model)
    body = await _computed(size, partial(body_of, asked, model))
    calls = [_call(caller, kind, body, model) for _ in range(asked.count)]
    headers = headers_of(calls[0].id, asked.ignored)
    waiting = Waiting(request, headers, events=asked.stream, seconds=caller.house.budgets.keepalive)
    studio = _Studio(caller, waiting, kind.event if asked.stream else None)
    await waiting.until(studio.make(calls))
    return _answer(waiting, asked, studio)


async def _read(request: web.Request, kind: Kind) -> tuple[Drawing, int]:
    """What is asked for, and how large that is in bytes.  Raises BadRequest, BodyRefused."""
    if kind is EDIT and request.content_type == FORM_DATA:
        parts = await read_parts(request, MAX_BODY_BYTES, "the pictures", "image")
        size = sum(len(part.data) for part in parts)
        return await _computed(size, partial(read_form_edit, Form(parts))), size
    if request.content_type != JSON:
        wanted = f"{JSON} or {FORM_DATA}" if kind is EDIT else JSON
        raise BodyRefused(415, "unsupported_media_type", f"send the body as {wanted}")
    body = await read_body(request)
    read = read_json_edit if kind is EDIT else read_generation
    return await _computed(len(body), partial(read, body)), len(body)


async def _computed(size: int, compute: Callable[[], T]) -> T:
    """What takes long goes to a thread, so that other turns go on meanwhile."""
    return compute() if size <= INLINE_BYTES else await asyncio.to_thread(compute)


def _call(caller: Caller, kind: Kind, body: bytes, model: str) -> CallRequest:
    return call_of(
        caller,
        path=kind.path,
        route=kind.route,
        route_class=ROUTE_CLASS,
        body=body,
        model=model,
        first_byte_seconds=FIRST_BYTE_SECONDS,
        check=objection,
    )


class _Studio:
    """Makes the pictures of one request, a few at a time; after the first failure it begins no more of them."""

    def __init__(self, caller: Caller, waiting: Waiting, event: str | None) -> None:
        self._caller, self._waiting, self._event = caller, waiting, event
        self._places = asyncio.Semaphore(AT_ONCE)
        self.made: list[bytes] = []
        self.failure: Failure | None = None

    async def make(self, calls: Sequence[CallRequest]) -> None:
        """Until all are made, or one has failed and the others that were begun have ended."""
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self._make(call), name="picture")

    async def _make(self, call: CallRequest) -> None:
        async with self._places:
            if self.failure:
                return
            answer = await carried(self._caller, call)
        if failure := failure_in(answer):
            self.failure = self.failure or failure
        elif self._event:
            await self._waiting.say(event_of(self._event, answer.body))
        else:
            self.made.append(answer.body)


def _answer(waiting: Waiting, asked: Drawing, studio: _Studio) -> web.StreamResponse:
    """Pictures that were made have been paid for: they are not held back because others failed."""
    if studio.failure and (asked.stream or not studio.made):
        return waiting.failed(studio.failure)
    if asked.stream:
        return waiting.answered(b"")
    error = orjson.loads(OPENAI.body(studio.failure))["error"] if studio.failure else None
    ignored = [*asked.ignored, *deviations(asked, studio.made)]
    return waiting.answered(joined(asked, studio.made, error), more=ignored_header(ignored))
