"""Every named fault does what its name says, over every transport it applies to, and strikes once."""

import time
from typing import Any

import aiohttp
import pytest

from codex_pooler.simulator.faults import HTTP, PRESETS, UPGRADE, WEBSOCKET, fault_of
from tests.simulator.lab import TURN_PATH, Lab, events_of, play, request_for

SHORT = {"delay_ms": 60.0}


def named(kinds: set[str], transport: str) -> list[str]:
    return [name for name, fault in PRESETS.items() if fault.kind in kinds and transport in fault.transports]


async def post(lab: Lab) -> tuple[int, str, bool]:
    """Status, text, and whether the answer ended cleanly."""
    async with lab.http.post(lab.url + TURN_PATH, json=request_for(), headers=lab.headers()) as answer:
        pieces = []
        try:
            async for piece in answer.content.iter_any():
                pieces.append(piece)
        except aiohttp.ClientError:
            return answer.status, b"".join(pieces).decode(), False
        return answer.status, b"".join(pieces).decode(), True


@pytest.mark.parametrize("name", named({"refuse"}, HTTP))
async def test_refusal_over_http_has_its_status_and_strikes_once(lab: Lab, name: str) -> None:
    await lab.fault(name)
    status, text, _ = await post(lab)
    assert status == PRESETS[name].status
    assert text
    assert (await post(lab))[0] == 200
    assert [one.fault for one in lab.world.record.arrivals if one.path == TURN_PATH] == [name, None]


@pytest.mark.parametrize("name", named({"refuse"}, WEBSOCKET))
async def test_refusal_over_websocket_is_a_frame_with_exactly_one_status(lab: Lab, name: str) -> None:
    await lab.fault(name)
    async with lab.socket() as socket:
        [frame] = await play(socket, request_for())
        assert (frame["type"], frame["status"]) == ("error", PRESETS[name].status)
        assert "status_code" not in frame
        assert (await play(socket, request_for()))[-1]["type"] == "response.completed"


@pytest.mark.parametrize("name", named({"refuse"}, UPGRADE))
async def test_refused_upgrade_has_its_status(lab: Lab, name: str) -> None:
    await lab.fault(name)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await lab.socket()
    assert refused.value.status == PRESETS[name].status


@pytest.mark.parametrize("name", named({"failed", "incomplete", "error"}, HTTP))
@pytest.mark.parametrize("transport", [HTTP, WEBSOCKET])
async def test_bad_ending_comes_where_it_should_and_with_its_code(lab: Lab, name: str, transport: str) -> None:
    fault = PRESETS[name]
    await lab.fault(name)
    if transport == HTTP:
        events = events_of((await post(lab))[1])
    else:
        async with lab.socket() as socket:
            events = [one for one in await play(socket, request_for()) if one["type"] != "codex.rate_limits"]
    types = [event["type"] for event in events]
    assert ("response.output_text.delta" in types) is bool(fault.after_deltas)
    assert "response.completed" not in types
    assert fault.code in str(events[-1])
    counted = [one for one in lab.world.record.arrivals if one.finished]
    assert bool(counted) is (fault.kind == "incomplete")


@pytest.mark.parametrize("name", named({"cut_reset", "truncate", "stall"}, HTTP))
async def test_cut_stream_has_no_terminal_event_over_http(lab: Lab, name: str) -> None:
    fault = PRESETS[name]
    await lab.fault({"preset": name} | SHORT)
    status, text, clean = await post(lab)
    assert status == 200
    assert clean is (fault.kind != "cut_reset")
    assert "response.completed" not in text
    assert ("response.output_text.delta" in text) is bool(fault.after_deltas)
    assert not lab.world.record.totals


@pytest.mark.parametrize("name", named({"cut_reset", "truncate", "stall"}, WEBSOCKET))
async def test_cut_turn_ends_the_socket_without_a_terminal_event(lab: Lab, name: str) -> None:
    fault = PRESETS[name]
    await lab.fault({"preset": name} | SHORT)
    async with lab.socket() as socket:
        types = [event["type"] for event in await play(socket, request_for())]
        assert socket.closed
        assert fault.kind != "truncate" or socket.close_code == fault.close_code
    assert "response.completed" not in types
    assert ("response.output_text.delta" in types) is bool(fault.after_deltas)


async def test_reset_before_headers_is_a_tcp_reset(lab: Lab) -> None:
    await lab.fault("reset_before_headers")
    with pytest.raises(aiohttp.ClientOSError) as broken:
        await post(lab)
    assert isinstance(broken.value, ConnectionResetError) or broken.value.errno == 104
    await lab.fault("upgrade_reset", times=None)
    with pytest.raises(aiohttp.ClientError):
        await lab.socket()
    assert (await post(lab))[0] == 200


@pytest.mark.parametrize("name", named({"delay"}, HTTP))
@pytest.mark.parametrize("transport", [HTTP, WEBSOCKET])
async def test_slow_start_ends_in_a_whole_turn(lab: Lab, name: str, transport: str) -> None:
    await lab.fault({"preset": name} | SHORT)
    began = time.monotonic()
    if transport == HTTP:
        assert "response.completed" in (await post(lab))[1]
    else:
        async with lab.socket() as socket:
            assert (await play(socket, request_for()))[-1]["type"] == "response.completed"
    assert time.monotonic() - began >= SHORT["delay_ms"] / 1000


async def test_answer_that_is_no_event_stream(lab: Lab) -> None:
    await lab.fault("not_sse")
    status, text, _ = await post(lab)
    assert status == 200
    assert text.startswith("<html>")


async def test_usage_limit_names_the_plan_and_a_reset_time_to_come(lab: Lab) -> None:
    await lab.fault({"preset": "usage_limit_reached", "resets_in_s": 90})
    _, answer = await lab.call("POST", TURN_PATH, json=request_for())
    assert answer["error"]["plan_type"] == "plus"
    assert answer["error"]["resets_in_seconds"] == 90
    assert answer["error"]["resets_at"] > time.time()


async def test_order_can_wait_name_a_model_and_stand(lab: Lab) -> None:
    await lab.fault("server_error", times=None, skip=1, model="gpt-5.5")
    assert [(await post(lab))[0] for _ in range(3)] == [200, 500, 500]
    assert await lab.turn(model="gpt-6-sol")
    assert await lab.turn(account="acct-2")
    await lab.call("DELETE", "/__control/faults?account=acct-1", None)
    assert (await post(lab))[0] == 200


async def test_prewarm_is_spared_unless_the_order_says_so(lab: Lab) -> None:
    await lab.fault("server_error")
    async with lab.socket() as socket:
        assert (await play(socket, request_for(generate=False)))[-1]["type"] == "response.completed"
        assert (await play(socket, request_for()))[-1]["status"] == 500
        await lab.fault("server_error", prewarm=True)
        assert (await play(socket, request_for(generate=False)))[-1]["status"] == 500


async def test_other_routes_meet_their_own_faults(lab: Lab) -> None:
    await lab.fault("bad_gateway", route="usage")
    assert await lab.turn()
    assert (await lab.call("GET", "/backend-api/wham/usage"))[0] == 502
    assert (await lab.call("GET", "/backend-api/wham/usage"))[0] == 200


@pytest.mark.parametrize("asked", ["no_such", {"preset": "no_such"}, {"kind": "refuse", "colour": "red"}])
def test_unknown_fault_is_an_error_that_says_so(asked: Any) -> None:
    with pytest.raises(ValueError, match="unknown"):
        fault_of(asked)
