"""``POST /v1/chat/completions``: Chat Completions, which most tools speak, streamed or as one object."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.protocol.dialects import OPENAI
from codex_pooler.protocol.openai.chat_answer import Shown
from codex_pooler.protocol.openai.chat_completion import completions
from codex_pooler.protocol.openai.chat_events import ChatEvents
from codex_pooler.protocol.openai.chat_request import Asked, read_chat
from codex_pooler.web.bodies import read_body
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.v1.entry import collected, entered, streamed, turn_of

ROUTE = "/v1/chat/completions"


def add_chat_routes(app: web.Application) -> None:
    """Register every path of this module."""
    app.router.add_post(ROUTE, create_completion)


async def create_completion(request: web.Request) -> web.StreamResponse:
    """One model turn."""
    return await entered(request, _create_completion)


async def _create_completion(request: web.Request, caller: Caller) -> web.StreamResponse:
    asked = read_chat(await read_body(request), show_reasoning=caller.key.pool.switches.show_reasoning)
    turn = turn_of(caller, asked.turn, ROUTE, stream=asked.stream)
    shown = _shown(turn, asked)
    if asked.stream:
        return await streamed(request, caller, turn, asked.turn, OPENAI, ChatEvents(shown))
    return await collected(request, caller, turn, asked.turn, OPENAI, completions(shown))


def _shown(turn: TurnRequest, asked: Asked) -> Shown:
    """A client that knows the model by another name goes on seeing that name."""
    return Shown(
        turn_id=turn.id.replace("-", ""),
        created=int(turn.admitted.wall),
        model=turn.asked_model or turn.fields.model,
        renamed=turn.asked_model is not None,
        reasoning=asked.reasoning,
        usage=asked.usage,
    )
