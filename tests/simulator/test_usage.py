"""Windows that fill and move, saved resets, models by account, and who the account is."""

from typing import Any

import aiohttp
import pytest

from codex_pooler.simulator.windows import windows_for
from tests.simulator.lab import TURN_PATH, Lab, play, request_for

USAGE = "/backend-api/wham/usage"


async def limit(lab: Lab) -> Any:
    return (await lab.call("GET", USAGE))[1]["rate_limit"]


async def test_turns_fill_both_windows(lab: Lab) -> None:
    for window in lab.account().windows.values():
        window.budget_tokens = 1_000
    await lab.turn()
    shown = await limit(lab)
    spent = lab.world.record.totals["acct-1"].total_tokens
    assert shown["primary_window"]["used_percent"] == spent * 100 // 1_000
    assert shown["secondary_window"]["limit_window_seconds"] == 604_800
    assert shown["allowed"] is True


async def test_full_account_answers_429_on_both_transports_until_its_window_moves(lab: Lab) -> None:
    await lab.control("POST", "/accounts/acct-1", {"used_percent": {"primary": 100}, "resets_in_s": {"primary": 600}})
    status, answer = await lab.call("POST", TURN_PATH, json=request_for())
    assert (status, answer["error"]["type"]) == (429, "usage_limit_reached")
    assert 590 <= answer["error"]["resets_in_seconds"] <= 600
    async with lab.socket() as socket:
        [frame] = await play(socket, request_for())
        assert (frame["status"], frame["error"]["type"]) == (429, "usage_limit_reached")
        assert frame["headers"]["x-codex-primary-used-percent"] == "100"
    assert (await limit(lab))["limit_reached"] is True
    await lab.control("POST", "/accounts/acct-1", {"resets_in_s": {"primary": -1}})
    assert await lab.turn()
    assert (await limit(lab))["primary_window"]["used_percent"] == 0


def test_free_plan_has_one_weekly_window_in_the_first_slot() -> None:
    assert {slot: window.minutes for slot, window in windows_for("free", 1, 0).items()} == {"primary": 10_080}


async def test_saved_reset_is_spent_once_per_request_id(lab: Lab) -> None:
    path = "/backend-api/wham/rate-limit-reset-credits"
    await lab.control("POST", "/accounts/acct-1", {"grant_reset_credits": 2, "used_percent": {"secondary": 100}})
    assert (await lab.call("GET", path))[1]["available_count"] == 2
    body = {"redeem_request_id": "r-1"}
    assert (await lab.call("POST", f"{path}/consume", json=body))[1] == {"code": "reset", "windows_reset": 1}
    assert (await lab.call("POST", f"{path}/consume", json=body))[1]["code"] == "already_redeemed"
    other = {"redeem_request_id": "r-2"}
    assert (await lab.call("POST", f"{path}/consume", json=other))[1]["code"] == "nothing_to_reset"
    assert (await lab.call("GET", path))[1]["available_count"] == 1
    assert await lab.turn()


async def test_models_have_an_etag_and_follow_the_account(lab: Lab) -> None:
    path = f"{lab.url}/backend-api/codex/models"
    async with lab.http.get(path, headers=lab.headers()) as answer:
        slugs = [model["slug"] for model in (await answer.json())["models"]]
        tag = answer.headers["etag"]
    assert len(slugs) == 12
    async with lab.http.get(path, headers=lab.headers() | {"if-none-match": tag}) as answer:
        assert answer.status == 304
    await lab.control("POST", "/accounts/acct-1", {"models": ["gpt-6-luna"]})
    async with lab.http.get(path, headers=lab.headers()) as answer:
        assert answer.headers["etag"] != tag
    assert (await lab.call("POST", TURN_PATH, json=request_for()))[0] == 400
    assert await lab.turn(model="gpt-6-luna")


@pytest.mark.parametrize("name", ["acct-1", "acct-2"])
async def test_accounts_check_names_the_account(lab: Lab, name: str) -> None:
    _, answer = await lab.call("GET", "/backend-api/wham/accounts/check", name)
    assert answer["default_account_id"] == lab.account(name).account_id
    assert answer["accounts"][0]["account_routing_override"] == "NO_CONSTRAINT"


async def test_a_lost_answer_leaves_done_what_was_asked(lab: Lab) -> None:
    path, body = "/backend-api/wham/rate-limit-reset-credits/consume", {"redeem_request_id": "r-1"}
    await lab.control("POST", "/accounts/acct-1", {"grant_reset_credits": 2, "used_percent": {"secondary": 100}})
    for fault in ("answer_lost", "answer_replaced"):
        await lab.control("POST", "/faults", {"account": "acct-1", "route": "consume", "fault": fault, "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await lab.call("POST", path, json=body)
    assert list(lab.account().redeemed) == ["r-1"]
    assert (await lab.call("POST", path, json=body))[0] == 502
    assert (await lab.call("POST", path, json=body))[1]["code"] == "already_redeemed"
    assert len(lab.account().redeemed) == 1


async def test_saved_resets_expire(lab: Lab) -> None:
    await lab.control("POST", "/accounts/acct-1", {"grant_reset_credits": [3_600, -1]})
    listed = (await lab.call("GET", "/backend-api/wham/rate-limit-reset-credits"))[1]
    assert listed["available_count"] == 1
    assert [one["status"] for one in listed["credits"]] == ["available", "expired"]
