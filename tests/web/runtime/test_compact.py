"""Compaction over HTTP in both forms: one item comes back, whatever happens to the first account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.scripted import COMPLETED, CREATED, ITEM, SECRET, Rig, event, rig, says, whole
from tests.integration.whole import Gateway

__all__ = ["rig"]

COMPACT = "/backend-api/codex/responses/compact"
MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Reply with exactly: ok"}]}
TRIGGER = {"type": "compaction_trigger"}


async def compact(gateway: Gateway, *items: Any, path: str = COMPACT, **more: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {gateway.key}", **more.pop("headers", {})}
    body = {"model": "gpt-5.5", "instructions": "You are Codex", "input": list(items), **more}
    async with gateway.http.post(gateway.origin + path, json=body, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


def turns(gateway: Gateway) -> list[tuple[str, str]]:
    """(account, path) of all that reached the backend but model lists and the like."""
    return [(one.account or "", one.path) for one in gateway.world.record.arrivals if one.method == "POST"]


async def test_an_old_client_gets_its_one_compaction(gateway: Gateway) -> None:
    for path in (COMPACT, "/backend-api/codex/v1/responses/compact"):
        status, answer = await compact(gateway, MESSAGE, path=path, tools=[], parallel_tool_calls=True)
        assert (status, answer["object"]) == (200, "response.compaction")
        kept, item = answer["output"]
        assert kept == MESSAGE
        assert item["type"] == "compaction"
        assert item["encrypted_content"]
    assert {path for _, path in turns(gateway)} == {"/backend-api/codex/responses"}
    status, again = await compact(gateway, item, MESSAGE)
    assert (status, [one["type"] for one in again["output"]]) == (200, ["message", "compaction"])


async def test_the_request_log_tells_a_compaction_from_a_turn(gateway: Gateway) -> None:
    await compact(gateway, MESSAGE)
    (row,) = await gateway.log()
    assert (row["route"], row["transport"], row["model"]) == (COMPACT, "http_json", "gpt-5.5")
    assert (row["status"], row["usage"]["state"]) == ("succeeded", "final")


async def test_the_present_form_passes_unchanged(gateway: Gateway) -> None:
    async with gateway.turn(input=[MESSAGE, TRIGGER]) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert text.count("event: response.output_item.done") == 1
    assert '"type":"compaction"' in text
    async with gateway.turn(stream=False, input=[TRIGGER]) as answer:
        assert [item["type"] for item in (await answer.json())["output"]] == ["compaction"]


@pytest.mark.parametrize(
    "fault",
    [
        "usage_limit_reached",
        "account_deactivated",
        "server_error",
        "failed_overloaded",
        "reset_before_output",
        "not_sse",
    ],
)
async def test_another_account_compacts_when_the_first_cannot(gateway: Gateway, fault: str) -> None:
    await gateway.fault("acct-1", fault)
    status, answer = await compact(gateway, MESSAGE)
    assert (status, [one["type"] for one in answer["output"]]) == (200, ["message", "compaction"])
    assert [account for account, path in turns(gateway) if path.endswith("/responses")] == ["acct-1", "acct-2"]


async def test_reasoning_that_the_second_account_cannot_read_is_left_out(gateway: Gateway) -> None:
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "not-from-here"}
    status, answer = await compact(gateway, sealed, MESSAGE)
    assert (status, [one["type"] for one in answer["output"]]) == (200, ["message", "compaction"])


@pytest.mark.parametrize("items", [(TRIGGER, MESSAGE), (TRIGGER, TRIGGER)])
async def test_a_misplaced_trigger_is_the_clients_fault(gateway: Gateway, items: tuple[Any, ...]) -> None:
    for path in (COMPACT, "/backend-api/codex/responses"):
        status, answer = await compact(gateway, *items, path=path)
        assert (status, answer["error"]["param"]) == (400, "input")
    assert turns(gateway) == []


async def test_strangers_and_nonsense_are_refused(gateway: Gateway) -> None:
    assert (await compact(gateway, MESSAGE, headers={"Authorization": "Bearer x"}))[0] == 401
    assert (await compact(gateway, MESSAGE, input="hi"))[0] == 400
    assert (await compact(gateway, MESSAGE, model=5))[0] == 400
    assert turns(gateway) == []


# -- clients that do not say which conversation they compact


async def test_what_an_account_compacted_is_read_by_that_account(gateway: Gateway) -> None:
    """The session belongs to the first account, its compaction to the second, and the next turn goes there."""
    session = {"session_id": "s-1", "user-agent": "codex_exec/0.98.0"}
    async with gateway.turn(headers=session) as answer:
        await answer.read()
    await gateway.fault("acct-1", "server_error")
    status, answered = await compact(gateway, MESSAGE, headers={"user-agent": "codex_exec/0.98.0"})
    assert status == 200
    assert [account for account, _ in turns(gateway)] == ["acct-1", "acct-1", "acct-2"]
    async with gateway.turn(headers=session, input=[answered["output"][-1], MESSAGE]) as answer:
        assert "response.completed" in await answer.text()
    assert [account for account, _ in turns(gateway)][3:] == ["acct-2"]
    async with gateway.turn(headers=session) as answer:
        await answer.read()
    assert [account for account, _ in turns(gateway)][4:] == ["acct-2"], "and the session has moved along"


async def test_a_conversation_is_compacted_where_it_was_served(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "server_error")
    session = {"session_id": "s-1"}
    async with gateway.turn("Think, then reply with exactly: ok", headers=session, stream=False) as answer:
        output = (await answer.json())["output"]
    assert output[0]["type"] == "reasoning"
    async with gateway.turn(headers=session, input=[MESSAGE, *output, MESSAGE]) as answer:
        await answer.read()
    status, _ = await compact(gateway, MESSAGE, *output, MESSAGE)
    assert status == 200
    assert [account for account, _ in turns(gateway)] == ["acct-1", "acct-2", "acct-2", "acct-2"]


@pytest.mark.parametrize("form", ["old", "present"])
async def test_a_session_follows_its_compaction(gateway: Gateway, form: str) -> None:
    """Other turns return to the session's own account after passing trouble; a compaction takes the session along."""
    session = {"session-id": "s-1", "x-codex-window-id": "s-1:0"}
    for trouble in (None, "server_error"):
        if trouble:
            await gateway.fault("acct-1", trouble)
        async with gateway.turn(headers=session) as answer:
            await answer.read()
    await gateway.fault("acct-1", "server_error")
    if form == "old":
        _, compacted = await compact(gateway, MESSAGE, headers=session)
    else:
        async with gateway.turn(headers=session, stream=False, input=[MESSAGE, TRIGGER]) as answer:
            compacted = await answer.json()
    async with gateway.turn(headers=session, input=[compacted["output"][-1], MESSAGE]) as answer:
        assert "response.completed" in await answer.text()
    assert [account for account, _ in turns(gateway)] == ["acct-1", "acct-1", "acct-2", "acct-1", "acct-2", "acct-2"]


# -- a backend that answers with anything


async def compact_on(rig: Rig, *events: bytes) -> tuple[int, Any]:
    rig.backend.scripts = [says(whole(CREATED, *events))]
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with rig.http.post(f"{rig.url}/compact", json={"model": "m", "input": [MESSAGE]}, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_what_went_upstream_is_a_turn_that_ends_with_the_trigger(rig: Rig) -> None:
    summary = event("response.output_item.done", item={"type": "compaction_summary", "encrypted_content": "gAAA"})
    status, answer = await compact_on(rig, summary, COMPLETED)
    assert (status, answer["output"]) == (200, [MESSAGE, {"type": "compaction", "encrypted_content": "gAAA"}])
    head, body = rig.backend.arrived[0]
    assert head.startswith("POST /backend-api/codex/responses HTTP/1.1")
    assert json.loads(body) == {
        "model": "m",
        "input": [MESSAGE, TRIGGER],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


async def test_a_backend_that_brings_no_compaction_is_a_clear_502(rig: Rig) -> None:
    status, answer = await compact_on(rig, ITEM, COMPLETED)
    assert (status, answer["error"]["code"]) == (502, "invalid_compaction_response")
