"""Open websockets when the process ends: politely, they finish their turns and say goodbye; killed, every turn has one
row all the same."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson

from tests.process.served import Installation, Served, serving, until
from tests.process.test_kill import TOKENS, assert_rollup_agrees, counted, total

RESPONSES = "/backend-api/codex/responses"


async def opened(served: Served, stack: AsyncExitStack) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {served.installation.key}"}
    return await stack.enter_async_context(served.http.ws_connect(served.origin + RESPONSES, headers=headers))


async def turn(socket: aiohttp.ClientWebSocketResponse, prompt: str) -> str:
    """One turn; the type of its last event, or ``closed``."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
    body = {"type": "response.create", "model": "gpt-5.5", "input": [message], "store": False}
    await socket.send_str(orjson.dumps(body).decode())
    while (event := await next_event(socket))["type"] not in ("response.completed", "response.failed", "error"):
        if event["type"] == "closed":
            break
    return str(event["type"])


async def next_event(socket: aiohttp.ClientWebSocketResponse) -> Any:
    message = await socket.receive(60)
    return orjson.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {"type": "closed"}


async def begin(served: Served, sockets: list[aiohttp.ClientWebSocketResponse]) -> list[asyncio.Task[str]]:
    """Slow turns on these sockets that have all reached the backend when this returns."""

    def begun() -> bool:
        return sum(one.response_id is not None for one in served.world.record.arrivals) == before + len(sockets)

    before = sum(one.response_id is not None for one in served.world.record.arrivals)
    served.world.settings.pacing_ms = 200
    tasks = [asyncio.create_task(turn(socket, "Say 20 words")) for socket in sockets]
    await until(begun, "the turns never reached the backend")
    served.world.settings.pacing_ms = 0
    return tasks


async def test_f13_sigterm_lets_turns_on_sockets_finish_and_says_goodbye(installation: Installation) -> None:
    async with serving(installation) as served, AsyncExitStack() as stack:
        busy = [await opened(served, stack) for _ in range(10)]
        idle = [await opened(served, stack) for _ in range(3)]
        assert await turn(idle[0], "Say 3 words") == "response.completed"
        running = await begin(served, busy)
        over_http = await served.begin_turns(10)
        served.process.send_signal(signal.SIGTERM)
        assert [(await next_event(socket))["type"] for socket in idle] == ["closed"] * 3
        assert {socket.close_code for socket in idle} == {1001}
        await served.readiness("draining")
        assert not any(task.done() for task in (*running, *over_http)), "the turns are still running at this point"
        assert await asyncio.gather(*running) == ["response.completed"] * 10
        await asyncio.gather(*over_http)
        assert [(await next_event(socket))["type"] for socket in busy] == ["closed"] * 10
        assert {socket.close_code for socket in busy} == {1001}
        assert await served.ended() == 0
        await served.restart()
        rows = await served.rows(21)
        assert [row["status"] for row in rows] == ["succeeded"] * 21
        assert_rollup_agrees(installation, rows)


async def test_f14_kill_9_with_turns_on_both_transports_leaves_one_row_each(installation: Installation) -> None:
    async with serving(installation) as served, AsyncExitStack() as stack:
        sockets = [await opened(served, stack) for _ in range(10)]
        assert await asyncio.gather(*(turn(socket, "Say 9 words") for socket in sockets)) == ["response.completed"] * 10
        running = await begin(served, sockets)
        over_http = await served.begin_turns(10)
        served.kill()
        assert await asyncio.gather(*running) == ["closed"] * 10
        assert all(isinstance(one, Exception) for one in await asyncio.gather(*over_http, return_exceptions=True))
        finished = list(served.world.record.totals.values())

        await served.restart()
        rows = await served.rows(30)
        assert sorted(row["status"] for row in rows) == ["interrupted"] * 20 + ["succeeded"] * 10
        assert len({row["id"] for row in rows}) == len(rows) == 30
        for column in TOKENS:
            assert total(rows, column) == counted(finished, column), column
        assert_rollup_agrees(installation, rows)
        async with AsyncExitStack() as later:
            assert await turn(await opened(served, later), "Say 3 words") == "response.completed"
