"""The control interface: accounts ready for import, the record of what arrived, and errors that say what is wrong."""

import hashlib

import orjson
import pytest

from codex_pooler.simulator.app import _BEHIND_LOGIN
from codex_pooler.simulator.faults import PRESETS, ROUTES
from codex_pooler.simulator.record import KEPT_ARRIVALS, Record
from tests.simulator.lab import TURN_PATH, Lab, play, request_for


async def test_created_account_comes_with_an_auth_json_that_works(lab: Lab) -> None:
    made = await lab.control("POST", "/accounts", {"name": "fresh", "plan": "pro", "used_percent": {"primary": 40}})
    auth = made["auth_json"]
    assert auth["auth_mode"] == "chatgpt"
    assert auth["tokens"]["account_id"] == made["account_id"]
    assert made["used_percent"]["primary"] == 40
    headers = {"authorization": f"Bearer {auth['tokens']['access_token']}"}
    assert (await lab.call("POST", TURN_PATH, None, json=request_for(), headers=headers))[0] == 200


async def test_record_tells_what_arrived_and_sums_what_was_finished(lab: Lab) -> None:
    body = orjson.dumps(request_for())
    headers = {"content-type": "application/json", "originator": "codex_exec"}
    await lab.call("POST", TURN_PATH, data=body, headers=headers)
    async with lab.socket() as socket:
        await play(socket, request_for())
    record = await lab.control("GET", "/record?account=acct-1")
    turn, upgrade, frame = record["arrivals"]
    assert turn["sha256"] == hashlib.sha256(body).hexdigest()
    assert (turn["body_bytes"], turn["model"], turn["status"]) == (len(body), "gpt-5.5", 200)
    assert turn["headers"]["originator"] == "codex_exec"
    assert "authorization" not in turn["headers"]
    assert turn["body"] is None
    assert (upgrade["transport"], upgrade["status"], frame["transport"]) == ("upgrade", 101, "websocket")
    total = sum(one["usage"]["total_tokens"] for one in (turn, frame))
    assert record["totals"]["acct-1"]["total_tokens"] == total
    assert record["totals"]["acct-1"]["turns"] == 2
    await lab.control("DELETE", "/record")
    assert (await lab.control("GET", "/record"))["totals"] == {}


async def test_bodies_are_kept_only_when_asked(lab: Lab) -> None:
    await lab.control("POST", "/settings", {"keep_bodies": True})
    await lab.turn("Reply with exactly: kept")
    assert lab.world.record.arrivals[-1].body["input"][0]["role"] == "user"


def test_record_does_not_grow_without_bound() -> None:
    record = Record()
    for _ in range(KEPT_ARRIVALS + 5):
        record.arrive("GET", "/", "http", {})
    assert len(record.arrivals) == KEPT_ARRIVALS
    assert record.count == KEPT_ARRIVALS + 5


async def test_state_shows_the_world_without_tokens(lab: Lab) -> None:
    await lab.fault("server_error", times=3)
    state = await lab.control("GET", "/state")
    assert [one["name"] for one in state["accounts"]] == ["acct-1", "acct-2"]
    assert state["faults"][0]["left"] == 3
    assert set(state["presets"]) == set(PRESETS)
    assert lab.account().personal_token not in orjson.dumps(state).decode()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/faults", {"fault": "nothing_like_it"}, 400),
        ("/faults", {"fault": "server_error", "account": "nobody"}, 404),
        ("/faults", {"fault": "server_error", "route": "nowhere"}, 400),
        ("/faults", {"fault": "server_error", "colour": "red"}, 400),
        ("/accounts", {"name": "acct-1"}, 400),
        ("/accounts/nobody", {"plan": "pro"}, 404),
        ("/accounts/acct-1", {"colour": "red"}, 400),
        ("/settings", {"colour": "red"}, 400),
        ("/devices", {"user_code": "none"}, 404),
    ],
)
async def test_wrong_control_request_is_answered_with_the_reason(
    lab: Lab, path: str, body: object, status: int
) -> None:
    got, answer = await lab.call("POST", f"/__control{path}", None, json=body)
    assert got == status
    assert answer["error"]


def test_every_route_of_the_backend_can_be_named_in_an_order() -> None:
    assert {name for _, _, name, _ in _BEHIND_LOGIN} <= ROUTES
