"""A simulated world on a port of its own, and a client that knows how to ask it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from codex_pooler.simulator.app import running
from codex_pooler.simulator.world import Account, World, new_world

TURN_PATH = "/backend-api/codex/responses"
SHELL = {"type": "function", "name": "exec_command", "parameters": {"type": "object", "properties": {}}}


def said(text: str, role: str = "user") -> dict[str, Any]:
    """A message item."""
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def request_for(prompt: str = "Reply with exactly: ok", /, **more: Any) -> dict[str, Any]:
    """The body of a turn."""
    body = {"model": "gpt-5.5", "stream": True, "store": False, "input": [said(prompt)], "instructions": ""}
    return body | more


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of an SSE stream; the `event:` line must agree with the data."""
    events = []
    for block in filter(None, text.split("\n\n")):
        name, data = block.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


@dataclass
class Lab:
    """A running simulator and a client of it."""

    world: World
    url: str
    http: aiohttp.ClientSession

    def headers(self, name: str = "acct-1") -> dict[str, str]:
        """A fresh sign-in of the account."""
        account = self.world.accounts[name]
        token = self.world.issue(account)["access_token"]
        return {"authorization": f"Bearer {token}", "chatgpt-account-id": account.account_id}

    def account(self, name: str = "acct-1") -> Account:
        return self.world.accounts[name]

    async def call(self, method: str, path: str, account: str | None = "acct-1", **more: Any) -> tuple[int, Any]:
        """Status and JSON (or text) of an answer; `account` None sends no token."""
        headers = (self.headers(account) if account else {}) | more.pop("headers", {})
        async with self.http.request(method, self.url + path, headers=headers, **more) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if answer.content_type == "application/json" else raw.decode()

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.call(method, f"/__control{path}", None, json=body)
        assert status == 200, answer
        return answer

    async def fault(self, name: Any, times: int | None = 1, **more: Any) -> None:
        await self.control("POST", "/faults", {"account": "acct-1", "fault": name, "times": times} | more)

    async def turn(self, prompt: str = "Reply with exactly: ok", /, account: str = "acct-1", **more: Any) -> list[Any]:
        """The events of a turn that must begin."""
        body = request_for(prompt, **more)
        async with self.http.post(self.url + TURN_PATH, json=body, headers=self.headers(account)) as answer:
            assert answer.status == 200, await answer.text()
            return events_of(await answer.text())

    def socket(self, account: str = "acct-1") -> Any:
        """An upgrade, to be used with `async with`."""
        return self.http.ws_connect(self.url + TURN_PATH, headers=self.headers(account))


async def play(socket: aiohttp.ClientWebSocketResponse, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a frame and read until the turn, or the socket, ends."""
    await socket.send_json({"type": "response.create"} | body)
    events: list[dict[str, Any]] = []
    while True:
        message = await socket.receive(timeout=5)
        if message.type is not aiohttp.WSMsgType.TEXT:
            return events
        events.append(orjson.loads(message.data))
        if events[-1]["type"] in ("response.completed", "response.failed", "response.incomplete", "error"):
            return events


@pytest.fixture(name="lab")
async def running_lab() -> AsyncIterator[Lab]:
    world = new_world(seed=7, accounts=2)
    async with running(world) as url, aiohttp.ClientSession() as http:
        yield Lab(world, url, http)
