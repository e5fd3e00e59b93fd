"""Websocket turns: prewarm, ids that hold on one socket, order, age and size of a socket."""

import asyncio

import aiohttp
import orjson

from tests.simulator.lab import SHELL, Lab, play, request_for, said


async def test_prewarm_id_starts_a_turn_that_continues_with_tool_output(lab: Lab) -> None:
    prompt = said("run the shell command: `ls`")
    async with lab.socket() as socket:
        warm = (await play(socket, request_for(generate=False, input=[], tools=[SHELL])))[-1]["response"]
        assert warm["output"] == []
        assert warm["usage"]["total_tokens"] == 0
        called = await play(socket, request_for(previous_response_id=warm["id"], input=[prompt], tools=[SHELL]))
        response = called[-1]["response"]
        call_id = response["output"][-1]["call_id"]
        output = {"type": "function_call_output", "call_id": call_id, "output": "a.txt\nb.txt"}
        told = await play(socket, request_for(previous_response_id=response["id"], input=[output], tools=[SHELL]))
    assert called[0]["type"] == "codex.rate_limits"
    assert told[-1]["response"]["output"][-1]["content"][0]["text"] == "The command printed: a.txt"
    assert told[-1]["response"]["usage"]["input_tokens"] > response["usage"]["input_tokens"]


async def test_id_of_another_socket_is_not_found(lab: Lab) -> None:
    async with lab.socket() as first:
        response_id = (await play(first, request_for()))[-1]["response"]["id"]
    async with lab.socket() as second:
        [frame] = await play(second, request_for(previous_response_id=response_id))
        assert (frame["status"], frame["error"]["code"]) == (400, "previous_response_not_found")
        assert (await play(second, request_for()))[-1]["type"] == "response.completed"


async def test_failed_turn_cannot_be_continued(lab: Lab) -> None:
    await lab.fault("failed_after_output")
    async with lab.socket() as socket:
        failed = (await play(socket, request_for()))[-1]["response"]["id"]
        [frame] = await play(socket, request_for(previous_response_id=failed))
        assert frame["error"]["code"] == "previous_response_not_found"


async def test_frames_sent_together_are_served_in_order(lab: Lab) -> None:
    async with lab.socket() as socket:
        for word in ("one", "two"):
            await socket.send_json({"type": "response.create"} | request_for(f"Reply with exactly: {word}"))
        texts: list[str] = []
        while len(texts) < 2:
            event = orjson.loads((await socket.receive(timeout=5)).data)
            if event["type"] == "response.completed":
                texts.append(event["response"]["output"][-1]["content"][0]["text"])
    assert texts == ["one", "two"]


async def test_strictness_holds_for_frames(lab: Lab) -> None:
    async with lab.socket() as socket:
        [frame] = await play(socket, request_for(temperature=1))
        assert (frame["status"], frame["error"]["message"]) == (400, "Unsupported parameter: temperature")
        [frame] = await play(socket, {"type": "session.update"})
        assert frame["status"] == 400
        await socket.send_bytes(b"{}")
        assert orjson.loads((await socket.receive(timeout=5)).data)["status"] == 400


async def test_ping_is_answered_during_a_turn(lab: Lab) -> None:
    lab.account().pacing_ms = 30
    async with lab.http.ws_connect(
        f"{lab.url}/backend-api/codex/responses", headers=lab.headers(), autoping=False
    ) as socket:
        await socket.send_json({"type": "response.create"} | request_for("Say 10 words"))
        await socket.receive(timeout=5)
        await socket.ping(b"here")
        kinds = [(await socket.receive(timeout=5)).type for _ in range(4)]
    assert aiohttp.WSMsgType.PONG in kinds


async def test_old_socket_is_told_so_and_closed(lab: Lab) -> None:
    lab.world.settings.websocket_lifetime_s = 0.05
    async with lab.socket() as socket:
        frame = orjson.loads((await socket.receive(timeout=5)).data)
        assert (frame["status"], frame["error"]["code"]) == (400, "websocket_connection_limit_reached")
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_frame_over_the_limit_closes_with_1009(lab: Lab) -> None:
    lab.world.settings.websocket_max_bytes = 4_096
    async with lab.socket() as socket:
        await play(socket, request_for("x" * 5_000))
        assert socket.close_code == 1009


async def test_upgrade_carries_limits_and_needs_a_token(lab: Lab) -> None:
    async with lab.socket() as socket:
        assert socket._response.headers["x-codex-primary-used-percent"] == "0"
    url = f"{lab.url}/backend-api/codex/responses"
    async with lab.http.get(url) as refused, lab.http.get(url, headers=lab.headers()) as plain:
        assert (refused.status, plain.status) == (401, 426)


async def test_client_that_leaves_mid_turn_is_not_counted_as_served(lab: Lab) -> None:
    lab.account().pacing_ms = 20
    async with lab.socket() as socket:
        await socket.send_json({"type": "response.create"} | request_for("Say 50 words"))
        await socket.receive(timeout=5)
    await asyncio.sleep(0.1)
    assert not lab.world.record.totals
