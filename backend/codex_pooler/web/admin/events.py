"""Server-sent events for the console: what changed and how many turns finished; ids and counts, never rows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from codex_pooler.operators.access import Caller
from codex_pooler.web.admin.api import SIGNED_IN, Api, Call
from codex_pooler.web.admin.guard import still_valid
from codex_pooler.web.admin.live import BROADCASTER, Broadcaster, Change, TooManyWatchers
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.admin.schemas.clients import TOPICS, EventsQuery
from codex_pooler.web.admin.schemas.common import instant_text

api = Api("events")
COUNTER_SECONDS = 1.0
NEEDED = {
    "pools": "pools:read",
    "upstreams": "upstreams:read",
    "keys": "keys:read",
    "invites": "invites:read",
    "requests": "requests:read",
    "settings": "settings:read",
    "jobs": "jobs:read",
}
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


@api.endpoint("GET", "/events", needs=SIGNED_IN, query=EventsQuery, errors=(429,), media_type="text/event-stream")
async def watch_events(call: Call) -> Any:
    """The live channel."""
    topics = _topics(call.query.get("topics", ""), call.caller)
    broadcaster = call.request.app[BROADCASTER]
    try:
        with broadcaster.watch() as queue:
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(call.request)
            with suppress(ConnectionResetError):  # the browser left
                await _Channel(call, broadcaster, queue, response, topics).run()
            return response
    except TooManyWatchers:
        raise Problem(429, "rate_limited", "Too many live channels are open.", headers={"Retry-After": "30"}) from None


def _topics(text: str, caller: Caller) -> frozenset[str]:
    asked = [topic for topic in text.split(",") if topic] or list(TOPICS)
    unknown = [topic for topic in asked if topic not in TOPICS]
    if unknown:
        raise Problem(400, "invalid_filter", f"Topics are {', '.join(TOPICS)}.")
    return frozenset(topic for topic in asked if caller.may(NEEDED[topic]))


def change_event(change: Change, caller: Caller, topics: frozenset[str]) -> bytes | None:
    """The change as this caller may see it; None when it is not for them."""
    pools = [pool_id for pool_id in change.pool_ids if caller.scope.sees(pool_id)]
    if change.topic not in topics or not (pools or caller.scope.all):
        return None
    body = {"topic": change.topic, "kind": change.kind, "ids": change.ids, "pool_ids": pools}
    return _event("change", {**body, "at": instant_text(change.at)})


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


@dataclass
class _Channel:
    """One open live channel: drains changes, samples counters every second, proves itself alive."""

    call: Call
    broadcaster: Broadcaster
    queue: asyncio.Queue[Change | None]
    response: web.StreamResponse
    topics: frozenset[str]
    seen: Counter[UUID] = field(default_factory=Counter)
    in_progress: int = -1
    spoke_at: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        self.seen = self.broadcaster.finished.copy()
        await self._say(b": connected\n\n")
        next_count = time.monotonic() + COUNTER_SECONDS
        while True:
            try:
                async with asyncio.timeout(max(0.0, next_count - time.monotonic())):
                    change = await self.queue.get()
            except TimeoutError:
                next_count += COUNTER_SECONDS
                if not await self._tick():
                    return
                continue
            if change is None:
                return
            event = change_event(change, self.call.caller, self.topics)
            if event:
                await self._say(event)

    async def _tick(self) -> bool:
        """Counters when they moved; after silence a heartbeat, with a check that the operator may still watch."""
        counters = self._counters()
        if counters:
            await self._say(counters)
        if time.monotonic() - self.spoke_at < self.broadcaster.heartbeat_seconds:
            return True
        if not await still_valid(self.call.request, self.call.context):
            await self._say(_event("session_revoked", {}))
            return False
        await self._say(b": alive\n\n")
        return True

    def _counters(self) -> bytes | None:
        if "requests" not in self.topics:
            return None
        finished, scope = self.broadcaster.finished, self.call.caller.scope
        moved = {p: n - self.seen[p] for p, n in finished.items() if n > self.seen[p] and scope.sees(p)}
        in_progress = self.call.context.live.total_in_flight() if scope.all else 0
        if not moved and in_progress == self.in_progress:
            return None
        self.seen, self.in_progress = finished.copy(), in_progress
        body = {"topic": "requests", "pool_ids": list(moved), "new": sum(moved.values()), "in_progress": in_progress}
        return _event("counters", {**body, "window_s": 1})

    async def _say(self, data: bytes) -> None:
        await self.response.write(data)
        self.spoke_at = time.monotonic()
