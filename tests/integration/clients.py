"""The two ways a client can ask for a turn, told in one form: the events it was shown, and whether it was cut off."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from tests.integration.whole import Gateway

RESPONSES = "/backend-api/codex/responses"
ENDS = frozenset({"response.completed", "response.failed", "response.incomplete", "error"})
PATIENCE = 30.0  # seconds; far more than any turn here takes


@dataclass
class Told:
    """What one turn showed its client.  A refusal over HTTP stands here as the error frame it would be."""

    events: list[Any] = field(default_factory=list)
    cut: bool = False

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def end(self) -> str:
        """The type of the terminal event; ``cut`` where the connection ended without one."""
        return self.types[-1] if self.events and self.types[-1] in ENDS else "cut"

    @property
    def text(self) -> str:
        """The answer, as its deltas give it."""
        return "".join(event["delta"] for event in self.events if event["type"] == "response.output_text.delta")

    @property
    def error_code(self) -> str | None:
        """Of an ending that is an error: its code."""
        error = (
            self.events[-1].get("error") or self.events[-1].get("response", {}).get("error") if self.events else None
        )
        return error.get("code") or error.get("type") if error else None

    @property
    def response_ids(self) -> set[str]:
        """Every response id that was seen."""
        return {event["response"]["id"] for event in self.events if event.get("response", {}).get("id")}


Client = Callable[..., Coroutine[Any, Any, Told]]


def spoken(prompt: str, **more: Any) -> dict[str, Any]:
    """The body of a turn in which the user says one thing."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
    return {"model": "gpt-5.5", "input": [message], "store": False, **more}


async def over_http(gateway: Gateway, prompt: str, **more: Any) -> Told:
    """One streamed turn by POST."""
    told = Told()
    headers = {"Authorization": f"Bearer {gateway.key}"}
    body = spoken(prompt, stream=True, **more)
    try:
        async with gateway.http.post(gateway.origin + RESPONSES, json=body, headers=headers) as answer:
            if answer.status != 200:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                refused = {"type": "error", "status": answer.status, "headers": headers}
                told.events.append(refused | await answer.json(content_type=None))
                return told
            async for line in answer.content:
                if line.startswith(b"data: "):
                    told.events.append(orjson.loads(line[6:]))
    except aiohttp.ClientError:
        told.cut = True
    return told


async def over_websocket(gateway: Gateway, prompt: str, **more: Any) -> Told:
    """One turn on a socket of its own."""
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with gateway.http.ws_connect(gateway.origin + RESPONSES, headers=headers) as socket:
        return await on_socket(socket, prompt, **more)


async def on_socket(socket: aiohttp.ClientWebSocketResponse, prompt: str, **more: Any) -> Told:
    """One turn on an open socket, up to its end."""
    await socket.send_str(orjson.dumps({"type": "response.create", **spoken(prompt, **more)}).decode())
    return await rest_of(socket)


async def rest_of(socket: aiohttp.ClientWebSocketResponse) -> Told:
    """What comes until a turn's end."""
    told = Told()
    while told.end == "cut":
        event = await next_event(socket)
        if event is None:
            told.cut = True
            break
        told.events.append(event)
    return told


async def next_event(socket: aiohttp.ClientWebSocketResponse) -> Any | None:
    """One message, decoded; None once the socket is closed."""
    message = await socket.receive(PATIENCE)
    return orjson.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else None


TRANSPORTS: dict[str, Client] = {"http": over_http, "websocket": over_websocket}
