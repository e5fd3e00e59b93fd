"""Sockets that live long: silence is filled, old ones are exchanged between turns, and another account takes over where
one goes away in the middle of a conversation."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest

from codex_pooler.gateway import legs
from tests.integration.clients import RESPONSES, on_socket
from tests.integration.whole import Gateway


async def opened(gateway: Gateway) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    return await gateway.http.ws_connect(gateway.origin + RESPONSES, headers=headers)


def sockets_used(gateway: Gateway) -> list[int | None]:
    """The backend's socket of each turn."""
    return [one.socket for one in gateway.world.record.arrivals if one.transport == "websocket"]


async def test_silence_before_output_is_filled_with_messages_and_not_only_pings(gateway: Gateway) -> None:
    house = gateway.process.house
    house.budgets = replace(house.budgets, keepalive=0.2)
    await gateway.fault("acct-1", "slow_headers")
    socket = await opened(gateway)
    told = await on_socket(socket, "Reply with exactly: ok")
    assert told.types[0] == "keepalive"
    assert (told.end, told.text) == ("response.completed", "ok")
    await socket.close()


async def test_an_old_socket_is_exchanged_between_turns_and_a_conversation_starts_over(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await opened(gateway)
    first = await on_socket(socket, "Reply with exactly: one")
    (response_id,) = first.response_ids
    assert (await on_socket(socket, "two", previous_response_id=response_id)).end == "response.completed"
    assert len(set(sockets_used(gateway))) == 1
    monkeypatch.setattr(legs, "ROTATE_SECONDS", 0.0)
    assert (await on_socket(socket, "Reply with exactly: three")).text == "three"
    assert len(set(sockets_used(gateway))) == 2, "the old one is not used for a new turn"
    for client in gateway.process.house.clients:
        client.tick(0.0)
    refused = await on_socket(socket, "four", previous_response_id=response_id)
    assert (refused.events[-1]["status"], refused.error_code) == (400, "previous_response_not_found")
    assert (await on_socket(socket, "Reply with exactly: the whole conversation")).end == "response.completed"
    await socket.close()


@pytest.mark.parametrize("how", ["usage", "login", "paused"])
async def test_an_account_that_goes_away_in_a_conversation_costs_one_retry(gateway: Gateway, how: str) -> None:
    """The retry is the one that Codex makes by itself, with everything that was said so far."""
    socket = await opened(gateway)
    first = await on_socket(socket, "Reply with exactly: one")
    (response_id,) = first.response_ids
    if how == "usage":
        await gateway.control("POST", "/accounts/acct-1", {"used_percent": {"primary": 100}})
    elif how == "login":
        await gateway.control("POST", "/accounts/acct-1", {"logged_out": True})
        await gateway.control("POST", "/faults", {"account": "acct-1", "fault": "token_revoked"})
    else:
        (pool,) = gateway.process.house.snapshot.current.pools.values()
        account = next(m.account.id for m in pool.members if m.account.label == "acct-1")
        await gateway.admin("POST", f"/upstreams/{account}/pause")
    told = await on_socket(socket, "Reply with exactly: two", previous_response_id=response_id)
    if told.end == "error":
        assert (told.events[-1]["status"], told.error_code) == (400, "previous_response_not_found")
        told = await on_socket(socket, "Reply with exactly: two")
    assert (told.end, told.text) == ("response.completed", "two")
    assert [one.account for one in gateway.world.record.arrivals if one.finished] == ["acct-1", "acct-2"]
    await socket.close()
