"""Clients that wait for what takes long: kept from giving up by signs of life between their request and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from aiohttp import web

from codex_pooler.protocol.dialects import OPENAI
from codex_pooler.protocol.failure import Failure
from codex_pooler.web.errors import refused
from codex_pooler.web.runtime.sinks import EVENT_STREAM
from codex_pooler.web.runtime.stream import ClientStream

T = TypeVar("T")
COMMENT = b": keepalive\n\n"  # between server-sent events
SPACE = b" "  # before a JSON text


class Waiting:
    """One client, from when it asked to when it has its answer.  ``events``: it gets a stream of them.

    After ``seconds`` of silence (0: never) a sign of life begins the answer, with status 200: a failure after it can
    only be told in its body.
    """

    def __init__(
        self, request: web.Request, headers: Sequence[tuple[str, str]], *, events: bool, seconds: float
    ) -> None:
        self._stream, self._headers, self._events = ClientStream(request), headers, events
        self._seconds = seconds or None

    async def until(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work comes to.  Raises what it raises; the client is cut off then, if it has heard something."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=self._seconds))[0]:
                self._say(COMMENT if self._events else SPACE)
            return task.result()
        except Exception:
            if self._stream.begun:
                self._stream.abort()
            raise
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def say(self, events: bytes) -> None:
        """Events that are there before the end."""
        self._say(events)
        await self._stream.drained()

    def failed(self, failure: Failure) -> web.StreamResponse:
        """The end, when there is no answer."""
        if not self._stream.begun:
            return refused(failure, OPENAI, self._headers)
        return self._end(OPENAI.event(failure, None) if self._events else OPENAI.body(failure))

    def answered(
        self, body: bytes, kind: str = "application/json", more: Sequence[tuple[str, str]] = ()
    ) -> web.StreamResponse:
        """The end, with the answer or its last events; ``more`` headers where there is still time for them."""
        if self._events or self._stream.begun:
            return self._end(body)
        return web.Response(body=body, content_type=kind, headers=dict([*self._headers, *more]))

    def _say(self, text: bytes, *, last: bool = False) -> None:
        kind = EVENT_STREAM if self._events else (("content-type", "application/json"),)
        own = [(name, value) for name, value in self._headers if name != "cache-control"]
        self._stream.begin([*kind, *own])
        self._stream.chunk(text, last=last)

    def _end(self, body: bytes) -> web.StreamResponse:
        self._say(body, last=True)
        return self._stream.response()
