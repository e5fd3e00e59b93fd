"""Compaction as older versions of Codex ask for it: a request of its own, answered with one JSON object."""

from __future__ import annotations

import msgspec
from aiohttp import web

from codex_pooler.protocol.compaction import as_turn, compacted, kept_messages, sealed_digest
from codex_pooler.protocol.failure import Failure
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.web.bodies import read_body
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import caller_of, serve
from codex_pooler.web.runtime.codex import turn_of
from codex_pooler.web.runtime.sealed import owner_of, remember, sealed_name
from codex_pooler.web.runtime.sinks import JsonSink

ROUTE = "/backend-api/codex/responses/compact"
PATHS = (ROUTE, "/backend-api/codex/v1/responses/compact")

NOTHING = Failure(502, "invalid_compaction_response", "the backend answered without a compaction; try again")


async def compact(request: web.Request) -> web.StreamResponse:
    """``{model, input, instructions, …}`` in, ``{"output":[<what the user wrote> …, <the compaction>]}`` out.

    The backend no longer has this route: it is asked for a turn that ends with the trigger.
    """
    return await answered(request, _compact)


async def _compact(request: web.Request) -> web.StreamResponse:
    caller = caller_of(request)
    body = as_turn(await read_body(request))
    name = sealed_name(caller, body)
    turn = turn_of(
        caller,
        body,
        compaction=True,
        route=ROUTE,
        transport="http_json",  # the client gets one object, though its turn is streamed
        conversation=name or uuid7_text(),
        owner=owner_of(caller, name),
    )
    sink = CompactSink(request, turn.id, kept_messages(body))
    outcome = await serve(turn, sink, caller.house)
    if outcome.status == "succeeded":
        remember(caller, turn, sink.sealed)
    return sink.answer(outcome.failure)


class CompactSink(JsonSink):
    """Collects the turn's events into the answer to an old request."""

    def __init__(self, request: web.Request, turn_id: str, kept: list[msgspec.Raw]) -> None:
        super().__init__(request, turn_id)
        self._kept = kept

    @property
    def sealed(self) -> list[str]:
        """The digests of the encrypted items that came."""
        return [digest for item in self._items if (digest := sealed_digest(item))]

    def answer(self, failure: Failure | None) -> web.Response:
        """The handler's response once the turn is over."""
        came_without = self._response is not None and not self._failed and self._body() is None
        return super().answer(failure or (NOTHING if came_without else None))

    def _body(self) -> bytes | None:
        return None if self._response is None else compacted(self._items, self._response, self._kept)
