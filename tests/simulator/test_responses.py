"""Turns over HTTP: what they look like, what they say, and what is refused before they begin."""

import gzip
from typing import Any

import orjson
import pytest
from backports import zstd

from codex_pooler.simulator.answers import Refusal
from codex_pooler.simulator.app import running
from codex_pooler.simulator.faults import HTTP
from codex_pooler.simulator.responses import open_turn
from codex_pooler.simulator.world import new_world
from tests.simulator.lab import SHELL, TURN_PATH, Lab, request_for, said

REFERENCE = {"type": "item_reference", "id": "msg_1"}
ORPHAN = {"type": "function_call_output", "call_id": "call_x", "output": "hi"}
CALL = {"type": "function_call", "id": "fc_1", "name": "exec_command", "arguments": "{}", "call_id": "call_y"}


async def test_turn_has_the_events_of_the_real_backend_in_order(lab: Lab) -> None:
    events = await lab.turn("Reply with exactly: two words")
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response = events[-1]["response"]
    assert response["output"][-1]["content"][0]["text"] == "two words"
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] > usage["output_tokens_details"]["reasoning_tokens"] > 0


async def test_type_is_the_first_key_of_every_event(lab: Lab) -> None:
    async with lab.http.post(lab.url + TURN_PATH, json=request_for(), headers=lab.headers()) as answer:
        lines = [line async for line in answer.content if line.startswith(b"data:")]
    assert all(line.startswith(b'data: {"type":"') for line in lines)


async def test_answer_carries_limits_identity_and_turn_state(lab: Lab) -> None:
    headers = lab.headers() | {"x-codex-turn-state": "ts-mine"}
    async with lab.http.post(lab.url + TURN_PATH, json=request_for(), headers=headers) as answer:
        shown = answer.headers
        assert answer.content_type == "text/event-stream"
    assert shown["x-codex-primary-window-minutes"] == "300"
    assert shown["x-codex-secondary-window-minutes"] == "10080"
    assert shown["openai-model"] == "gpt-5.5"
    assert shown["x-codex-turn-state"] == "ts-mine"
    assert shown["x-request-id"]


async def test_same_seed_and_same_order_give_the_same_ids_and_words(lab: Lab) -> None:
    async def told() -> list[Any]:
        world = new_world(3, 1, clock=lambda: 1_800_000_000.0)
        async with running(world) as url:
            other = Lab(world, url, lab.http)
            return [await other.turn("anything at all"), await other.turn("Say 5 words")]

    assert await told() == await told()


async def test_shell_prompt_becomes_a_call_and_its_output_is_quoted(lab: Lab) -> None:
    prompt = "Please run the shell command: echo hi"
    done = (await lab.turn(prompt, tools=[SHELL]))[-1]["response"]["output"]
    assert orjson.loads(done[-1]["arguments"]) == {"cmd": "echo hi"}
    output = {"type": "function_call_output", "call_id": done[-1]["call_id"], "output": "Exit code: 0\nOutput:\nhi\n"}
    events = await lab.turn(input=[said(prompt), *done, output], tools=[SHELL])
    assert events[-1]["response"]["output"][-1]["content"][0]["text"] == "The command printed: hi"


async def test_structured_output_fits_the_schema(lab: Lab) -> None:
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "kind": {"enum": ["bug"]}, "sizes": {"$ref": "#/$defs/sizes"}},
        "$defs": {"sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 1}},
    }
    form = {"format": {"type": "json_schema", "name": "t", "schema": schema}}
    events = await lab.turn("Name this thread", text=form)
    told = orjson.loads(events[-1]["response"]["output"][-1]["content"][0]["text"])
    assert told == {"title": told["title"], "kind": "bug", "sizes": [1]}
    assert told["title"]


async def test_compaction_trigger_gives_one_sealed_item_that_its_account_can_send_back(lab: Lab) -> None:
    events = await lab.turn(input=[said("long talk"), {"type": "compaction_trigger"}])
    [item] = events[-1]["response"]["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"].startswith("gAAAAA")
    assert await lab.turn(input=[item, said("Reply with exactly: on")])


@pytest.mark.parametrize("kind", ["reasoning", "compaction"])
async def test_sealed_item_of_another_account_is_refused(lab: Lab, kind: str) -> None:
    given = [said("x")] + ([{"type": "compaction_trigger"}] if kind == "compaction" else [])
    item = (await lab.turn(input=given))[-1]["response"]["output"][0]
    body = request_for(input=[item, said("and now?")])
    status, answer = await lab.call("POST", TURN_PATH, "acct-2", json=body)
    assert item["type"] == kind
    assert (status, answer["error"]["code"]) == (400, "invalid_encrypted_content")


async def test_repeated_prompt_cache_key_reports_cached_tokens(lab: Lab) -> None:
    text = "word " * 400
    for expected in (False, True):
        usage = (await lab.turn(text, prompt_cache_key="thread-1"))[-1]["response"]["usage"]
        assert bool(usage["input_tokens_details"]["cached_tokens"]) is expected


@pytest.mark.parametrize(
    "name", ["temperature", "max_output_tokens", "metadata", "user", "previous_response_id", "top_p"]
)
async def test_unsupported_parameter_is_refused_by_name(lab: Lab, name: str) -> None:
    answer = await lab.call("POST", TURN_PATH, json=request_for(**{name: "1"}))
    assert answer == (400, {"detail": f"Unsupported parameter: {name}"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stream": False}, "Stream must be set to true"),
        ({"store": True}, "Store must be set to false"),
        ({"input": "hello"}, "Input must be a list"),
        ({"input": [REFERENCE]}, "not found"),
        ({"input": [said("x", "system")]}, "System messages are not allowed"),
        ({"model": "gpt-4"}, "The 'gpt-4' model is not supported when using Codex with a ChatGPT account."),
        ({"reasoning": {"effort": "minimal"}}, "Unsupported value: 'minimal'"),
        ({"tools": [{"type": "web_search_preview"}]}, "Unsupported tool type: web_search_preview"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "'tools[0].name'"),
        ({"tools": [{"name": "f"}]}, "'tools[0].type'"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "'input[0].call_id'"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "Invalid value: 'text'"),
        ({"input": [{"role": "assistant", "content": [{"type": "thinking"}]}]}, "Invalid value: 'thinking'"),
        ({"service_tier": "fast"}, "Unsupported service_tier: fast"),
        ({"input": [said("x"), ORPHAN]}, "No tool call found for function call output"),
        ({"input": [said("x"), CALL]}, "No tool output found for function call call_y"),
        ({"input": [said("x") | {"id": "item-1"}]}, "Expected an ID that begins with 'msg'"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "no encrypted content"),
        ({"tools": {}}, "Invalid type for 'tools'"),
    ],
)
async def test_what_the_backend_refuses_is_refused(lab: Lab, change: dict[str, Any], words: str) -> None:
    status, answer = await lab.call("POST", TURN_PATH, json=request_for(**change))
    assert status == 400
    assert words in orjson.dumps(answer).decode()


async def test_input_larger_than_the_context_window_is_refused(lab: Lab) -> None:
    refused = open_turn(lab.world, lab.account(), request_for(), (), 272_001, HTTP)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.as_frame()["error"]["code"]) == (400, "context_length_exceeded")


async def test_malformed_json_is_refused(lab: Lab) -> None:
    status, answer = await lab.call("POST", TURN_PATH, data=b'{"model":')
    assert (status, answer) == (400, {"detail": "There was an error parsing the body"})


@pytest.mark.parametrize(("encoding", "pack"), [("zstd", zstd.compress), ("gzip", gzip.compress)])
async def test_compressed_body_is_understood_and_recorded_as_it_came(lab: Lab, encoding: str, pack: Any) -> None:
    raw = pack(orjson.dumps(request_for()))
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    status, _ = await lab.call("POST", TURN_PATH, data=raw, headers=headers)
    assert status == 200
    assert lab.world.record.arrivals[-1].body_bytes == len(raw)


async def test_tokens_are_checked(lab: Lab) -> None:
    assert await lab.call("POST", TURN_PATH, None, json=request_for()) == (401, {"detail": "Unauthorized"})
    nonsense = {"authorization": "Bearer nonsense"}
    assert (await lab.call("POST", TURN_PATH, None, json=request_for(), headers=nonsense))[0] == 401
    other = {"chatgpt-account-id": lab.account("acct-2").account_id}
    assert (await lab.call("POST", TURN_PATH, json=request_for(), headers=other))[0] == 403
    lab.world.settings.access_lifetime_s = -1
    status, answer = await lab.call("POST", TURN_PATH, json=request_for())
    assert (status, answer["error"]["code"]) == (401, "token_expired")


async def test_tokens_of_a_seeded_account_outlive_a_restart(lab: Lab) -> None:
    headers = lab.headers()
    async with running(new_world(seed=7, accounts=2)) as url:
        again = Lab(lab.world, url, lab.http)
        assert (await again.call("POST", TURN_PATH, None, json=request_for(), headers=headers))[0] == 200


async def test_compact_route_is_gone_until_switched_on(lab: Lab) -> None:
    path, body = f"{TURN_PATH}/compact", {"model": "gpt-5.5", "input": [said("hello")], "instructions": "x"}
    assert (await lab.call("POST", path, json=body))[0] == 404
    await lab.control("POST", "/settings", {"compact_route": True})
    status, answer = await lab.call("POST", path, json=body)
    assert status == 200
    assert [item["type"] for item in answer["output"]] == ["message", "compaction"]


async def test_streams_can_be_cut_into_odd_pieces_and_paced(lab: Lab) -> None:
    await lab.control("POST", "/settings", {"chunk_bytes": 7, "sse_rate_limit_event": True})
    events = [event["type"] for event in await lab.turn()]
    assert (events[0], events[-1]) == ("codex.rate_limits", "response.completed")
    await lab.control("POST", "/accounts/acct-1", {"pacing_ms": 2})
    assert len(await lab.turn("Say 20 words")) > 20
