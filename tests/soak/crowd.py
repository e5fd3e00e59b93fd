"""A crowd of clients with words of their own in every turn, some of whom leave in the middle, and the bad luck that
strikes the accounts meanwhile."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from codex_pooler.quota.facts import HEADERS, Observation
from codex_pooler.quota.windows import ACCOUNT, FIVE_HOURS, WEEK, Window
from codex_pooler.routing.leases import SLOW_SECONDS
from codex_pooler.simulator.faults import PRESETS
from tests.integration.clients import RESPONSES, Told, next_event, rest_of, spoken
from tests.integration.whole import Gateway

PEOPLE = 50
CANARY = re.compile(rb"canary-[a-z]+-\d+-[0-9a-f]{12}")
SILENT = {"stall_before_output", "stall_after_output"}  # each would hold a client for minutes
LUCK = sorted(set(PRESETS) - SILENT)
SESSIONS = ("tui", "review", "title")  # the same names for every key
RESTLESS = "restless"


@dataclass(frozen=True)
class Plan:
    """How many turns; the same ``seed`` makes the same choices, as far as the order of events allows."""

    turns: int
    seed: int
    fault_share: float = 0.2
    leave_share: float = 0.4


@dataclass
class Turn:
    """What one turn asked, and what came of it."""

    key: str
    canary: bytes
    exact: bool
    told: Told = field(default_factory=Told)
    left: bool = False  # the client did not wait for the end

    @property
    def prompt(self) -> str:
        return (
            f"Reply with exactly: {self.canary.decode()}" if self.exact else f"Say 40 words on {self.canary.decode()}"
        )


@dataclass
class Crowd:
    """All clients, and every turn of theirs since ``turns`` was last emptied."""

    gateway: Gateway
    plan: Plan
    keys: dict[str, str]
    choose: random.Random = field(init=False)
    http: aiohttp.ClientSession = field(init=False)
    turns: list[Turn] = field(default_factory=list)
    begun: int = 0

    def __post_init__(self) -> None:
        self.choose = random.Random(self.plan.seed)

    async def act(self, upto: int) -> None:
        """Everybody takes turns until so many have begun; returns when all have ended."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as self.http, asyncio.TaskGroup() as people:
            for number in range(PEOPLE):
                name = RESTLESS if number % 6 == 0 else ("anna", "bert")[number % 2]
                people.create_task(self._person(name, upto), name="person")

    async def _person(self, name: str, upto: int) -> None:
        habits = (self._stream, self._object, self._one_on_a_socket, self._conversation, self._side_by_side)
        while self.begun < upto:
            (habit,) = self.choose.choices(habits, weights=(35, 10, 15, 25, 15))
            await habit(name)

    async def _turn(self, name: str, *, may_leave: bool = True) -> Turn:
        self.begun += 1
        canary = f"canary-{name}-{self.begun}-{self.choose.getrandbits(48):012x}".encode()
        turn = Turn(name, canary, exact=self.choose.random() < 0.6)
        turn.left = may_leave and name == RESTLESS and self.choose.random() < self.plan.leave_share
        self.turns.append(turn)
        if self.choose.random() < self.plan.fault_share:
            await self._bad_luck()
        return turn

    async def _bad_luck(self) -> None:
        account = self.choose.choice(list(self.gateway.world.accounts))
        await replace(self.gateway, http=self.http).fault(account, self.choose.choice(LUCK))

    def _headers(self, name: str) -> dict[str, str]:
        session = {"session-id": self.choose.choice(SESSIONS)} if self.choose.random() < 0.5 else {}
        return {"Authorization": f"Bearer {self.keys[name]}", **session}

    def _body(self, turn: Turn, **more: Any) -> dict[str, Any]:
        cache = {"prompt_cache_key": self.choose.choice(SESSIONS)} if self.choose.random() < 0.3 else {}
        return spoken(turn.prompt, **cache, **more)

    # -- the ways to take a turn

    async def _stream(self, name: str) -> None:
        turn = await self._turn(name)
        try:
            async with self._post(turn, stream=True) as answer:
                if answer.status != 200:
                    turn.told.events.append({"type": "error", "status": answer.status, **await answer.json()})
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        turn.told.events.append(orjson.loads(line[6:]))
                        if turn.left:
                            answer.close()
                            return
        except aiohttp.ClientError:
            turn.told.cut = True

    async def _object(self, name: str) -> None:
        turn = await self._turn(name)
        try:
            async with asyncio.timeout(0.03 if turn.left else None), self._post(turn, stream=False) as answer:
                body = await answer.json()
        except TimeoutError:
            return
        turn.left = False
        ok = answer.status == 200 and not body.get("error")
        turn.told.events.append(
            {"type": f"response.{body['status']}", "response": body} if ok else {"type": "error", **body}
        )

    def _post(self, turn: Turn, **more: Any) -> Any:
        url, headers = self.gateway.origin + RESPONSES, self._headers(turn.key)
        return self.http.post(url, json=self._body(turn, **more), headers=headers)

    async def _one_on_a_socket(self, name: str) -> None:
        async with self._socket(name) as socket:
            await self._on(socket, await self._turn(name))

    async def _conversation(self, name: str) -> None:
        async with self._socket(name) as socket:
            previous: dict[str, str] = {}
            for _ in range(self.choose.randint(2, 4)):
                turn = await self._turn(name)
                await self._on(socket, turn, **previous)
                if turn.told.end == "cut":
                    return
                ended = turn.told.events[-1]
                good = turn.told.end == "response.completed"
                previous = {"previous_response_id": ended["response"]["id"]} if good else {}

    async def _side_by_side(self, name: str) -> None:
        async with self._socket(name) as socket:
            turns = {f"s{number}": await self._turn(name, may_leave=False) for number in range(3)}
            for stream, turn in turns.items():
                await socket.send_str(_create(self._body(turn, stream_id=stream)))
            while any(turn.told.end == "cut" for turn in turns.values()):
                event = await next_event(socket)
                if event is None:
                    return
                turns[event["stream_id"]].told.events.append(event)

    async def _on(self, socket: aiohttp.ClientWebSocketResponse, turn: Turn, **more: Any) -> None:
        await socket.send_str(_create(self._body(turn, **more)))
        if turn.left:
            await asyncio.sleep(self.choose.random() * 0.03)
            await socket.close()
            return
        turn.told = await rest_of(socket)

    @asynccontextmanager
    async def _socket(self, name: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = self.gateway.origin + RESPONSES
        async with self.http.ws_connect(url, headers=self._headers(name)) as socket:
            yield socket


def _create(body: dict[str, Any]) -> str:
    return orjson.dumps({"type": "response.create", **body}).decode()


@asynccontextmanager
async def cured(gateway: Gateway) -> AsyncIterator[None]:
    """Meanwhile new evidence and new logins come again and again, so that no account stays away for long."""
    task = asyncio.create_task(_cure(gateway), name="cure")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _cure(gateway: Gateway) -> None:
    house = gateway.process.house
    while True:
        await asyncio.sleep(0.2)
        now = time.time()
        windows = tuple(Window(ACCOUNT, minutes, 5.0, now, HEADERS, now + 9_000) for minutes in (FIVE_HOURS, WEEK))
        for member in house.snapshot.current.pools[UUID(gateway.pool_id)].members:
            account = member.account
            house.known.quotas.observe(account.id, Observation(HEADERS, now, "plus", windows), now)
            house.known.quotas.served(account.id, "gpt-5.5", now)
            house.known.leases.slow(account.id, time.monotonic() + SLOW_SECONDS)  # as if its minute were over
            if account.state != "active":
                auth = gateway.world.auth_json(gateway.world.accounts[account.label])
                await gateway.admin("POST", "/upstreams/import", {"pool_id": gateway.pool_id, "auth_json": auth})
        for simulated in gateway.world.accounts.values():
            for window in simulated.windows.values():
                window.spent = 0.0
