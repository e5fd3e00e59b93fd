"""Turns over a websocket, from a client's socket to the simulated backend's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from tests.integration.whole import Gateway

PATH = "/backend-api/codex/responses"


class Talk:
    """One client socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, prompt: str = "Reply with exactly: ok", **more: Any) -> None:
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
        body = {"type": "response.create", "model": "gpt-5.5", "input": [message], "store": False, **more}
        await self.socket.send_str(orjson.dumps(body).decode())

    async def events(self) -> list[Any]:
        """Everything up to the end of one turn."""
        told: list[Any] = []
        while True:
            message = await self.socket.receive(10)
            assert message.type is aiohttp.WSMsgType.TEXT, (message.type, message.data, told)
            told.append(orjson.loads(message.data))
            if told[-1]["type"] in ("response.completed", "response.failed", "response.incomplete", "error"):
                return told

    async def turn(self, prompt: str = "Reply with exactly: ok", **more: Any) -> list[Any]:
        await self.send(prompt, **more)
        return await self.events()


@asynccontextmanager
async def connected(gateway: Gateway, key: str | None = None, **headers: str) -> AsyncIterator[Talk]:
    headers = {"Authorization": f"Bearer {key or gateway.key}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with gateway.http.ws_connect(gateway.origin + PATH, headers=headers, autoping=True) as socket:
        yield Talk(socket)


def answer_id(told: list[Any]) -> str:
    return str(told[-1]["response"]["id"])


async def test_a_prewarm_and_the_turns_that_continue_it_use_one_socket(gateway: Gateway) -> None:
    async with connected(gateway, session_id="s-1") as talk:
        prewarm = await talk.turn("x", generate=False)
        first = await talk.turn(previous_response_id=answer_id(prewarm))
        second = await talk.turn(previous_response_id=answer_id(first))
    assert [told[-1]["type"] for told in (prewarm, first, second)] == ["response.completed"] * 3
    arrived = gateway.world.record.arrivals
    assert len({a.socket for a in arrived if a.transport == "websocket"}) == 1
    rows = await gateway.log()
    assert [row["status"] for row in rows] == ["succeeded"] * 3
    assert {row["transport"] for row in rows} == {"websocket"}
    assert gateway.process.house.known.leases.total() == 0


async def test_an_account_that_fails_before_output_is_replaced_unseen(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached")
    async with connected(gateway) as talk:
        told = await talk.turn()
    assert told[-1]["type"] == "response.completed"
    (row,) = await gateway.log()
    assert [a["outcome"] for a in row["attempt_log"]] == ["failed_over", "served"]
    assert sum(a.response_id is not None for a in gateway.world.record.arrivals) == 1


async def test_a_turn_that_cannot_move_asks_for_the_full_history(gateway: Gateway) -> None:
    async with connected(gateway) as talk:
        first = await talk.turn()
        await gateway.fault("acct-1", "usage_limit_reached")
        (refused,) = await talk.turn(previous_response_id=answer_id(first))
        assert (refused["status"], refused["error"]["code"]) == (400, "previous_response_not_found")
        assert "status_code" not in refused
        full = await talk.turn("the whole history")
    assert full[-1]["type"] == "response.completed"
    assert {a.account for a in gateway.world.record.arrivals if a.response_id} == {"acct-1", "acct-2"}


async def test_a_response_of_another_socket_cannot_be_continued(gateway: Gateway) -> None:
    async with connected(gateway) as talk:
        first = await talk.turn()
    async with connected(gateway) as talk:
        (refused,) = await talk.turn(previous_response_id=answer_id(first))
    assert refused["error"]["code"] == "previous_response_not_found"


async def test_a_client_that_comes_back_with_its_session_finds_its_socket_again(gateway: Gateway) -> None:
    async with connected(gateway, session_id="s-9") as talk:
        first = await talk.turn()
    async with connected(gateway, session_id="s-9") as talk:
        second = await talk.turn(previous_response_id=answer_id(first))
    assert second[-1]["type"] == "response.completed"
    assert len({a.socket for a in gateway.world.record.arrivals if a.transport == "websocket"}) == 1


async def test_another_key_never_gets_a_lingering_socket(gateway: Gateway) -> None:
    other = await gateway.admin("POST", "/api-keys", {"name": "other", "pool_id": gateway.pool_id})
    async with connected(gateway, session_id="s-9") as talk:
        first = await talk.turn()
    async with connected(gateway, other["secret"], session_id="s-9") as talk:
        (refused,) = await talk.turn(previous_response_id=answer_id(first))
    assert refused["error"]["code"] == "previous_response_not_found"


async def test_turns_run_side_by_side_and_keep_their_stream_ids(gateway: Gateway) -> None:
    async with connected(gateway) as talk:
        for name in ("a", "b", "c"):
            await talk.send(f"Reply with exactly: {name}", stream_id=name)
        told = [event for _ in range(3) for event in await talk.events()]
    by_stream = {name: [e for e in told if e["stream_id"] == name] for name in ("a", "b", "c")}
    for events in by_stream.values():
        assert [e["type"] for e in events[:2]] == ["codex.rate_limits", "response.created"]
        assert events[-1]["type"] == "response.completed"
    assert len({e["response"]["id"] for e in told if e["type"] == "response.completed"}) == 3
    assert all("stream_id" not in (a.body or {}) for a in gateway.world.record.arrivals)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ("no json", 400, "invalid_request"),
        ("[]", 400, "invalid_request"),
        ('{"type":"response.cancel"}', 400, "invalid_request"),
        ('{"type":"response.create","input":[]}', 400, "invalid_request"),
        ('{"type":"response.create","model":7}', 400, "invalid_request"),
        ('{"type":"response.create","model":"gpt-5.5","stream_id":"a b"}', 400, "invalid_request"),
    ],
)
async def test_messages_that_are_no_turn_are_answered_and_the_socket_stays(
    gateway: Gateway, sent: str, status: int, code: str
) -> None:
    async with connected(gateway) as talk:
        await talk.socket.send_str(sent)
        refused = await talk.socket.receive_json(timeout=5)
        assert (refused["type"], refused["status"], refused["error"]["code"]) == ("error", status, code)
        assert (await talk.turn())[-1]["type"] == "response.completed"


async def test_a_binary_frame_ends_the_socket_with_1003(gateway: Gateway) -> None:
    async with connected(gateway) as talk:
        await talk.socket.send_bytes(b"x")
        assert (await talk.socket.receive(5)).type is aiohttp.WSMsgType.CLOSE
        assert talk.socket.close_code == 1003


async def test_pausing_a_key_closes_its_sockets_within_a_second_and_no_others(gateway: Gateway) -> None:
    other = await gateway.admin("POST", "/api-keys", {"name": "other", "pool_id": gateway.pool_id})
    async with connected(gateway) as talk, connected(gateway, other["secret"]) as bystander:
        await talk.turn()
        pages = await gateway.admin("GET", "/api-keys")
        key_id = next(item["id"] for item in pages["items"] if item["name"] == "tests")
        await gateway.admin("POST", f"/api-keys/{key_id}/pause")
        assert (await talk.socket.receive(3)).type is aiohttp.WSMsgType.CLOSE
        assert talk.socket.close_code == 1008
        assert (await bystander.turn())[-1]["type"] == "response.completed"


async def test_websockets_can_be_switched_off_for_a_pool(gateway: Gateway) -> None:
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}", {"switches": {"websockets": False}})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(gateway):
            pass
    assert refused.value.status == 426


async def test_a_client_that_leaves_in_the_middle_is_settled_with_its_usage(gateway: Gateway) -> None:
    async with connected(gateway) as talk:
        await talk.send()
        await talk.socket.receive(5)
    await gateway.process.house.settle_down()
    async with asyncio.timeout(5):
        while not (rows := await gateway.log()):
            await asyncio.sleep(0.05)
    assert rows[0]["status"] in ("cancelled", "succeeded")
    assert gateway.process.house.known.leases.total() == 0


async def test_a_frame_too_large_for_the_backends_sockets_goes_over_http(gateway: Gateway) -> None:
    image = "data:image/png;base64," + "A" * (16 * 1024 * 1024)
    part = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": image}]}
    async with connected(gateway) as talk:
        assert (await talk.turn(input=[part]))[-1]["type"] == "response.completed"
        assert (await talk.turn())[-1]["type"] == "response.completed"
    arrived = [a.transport for a in gateway.world.record.arrivals if a.method == "POST" or a.method == "WS"]
    assert arrived == ["http", "websocket"]
