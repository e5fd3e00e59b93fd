"""A turn over HTTP: bytes as they came, failover that nobody sees, and exactly one final row."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from tests.gateway.scripted import (
    COMPLETED,
    CREATED,
    DELTA,
    ITEM,
    SSE_HEAD,
    USAGE,
    Rig,
    Script,
    chunk,
    event,
    refuses,
    says,
    whole,
)

GOOD = whole(CREATED, DELTA, ITEM, COMPLETED)
EVENTS = CREATED + DELTA + ITEM + COMPLETED
OVERLOADED = event("response.failed", response={"error": {"code": "server_is_overloaded", "message": "busy"}})
LIMIT = json.dumps({"error": {"type": "usage_limit_reached", "resets_at": 4_000_000_000}}).encode()


async def test_a_stream_passes_unchanged_and_leaves_one_row(rig: Rig) -> None:
    rig.backend.scripts = [says(GOOD)]
    async with rig.post() as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert await answer.read() == EVENTS
    (row,) = await rig.settled()
    assert (row["status"], row["http_status"], row["input_tokens"], row["output_tokens"]) == ("succeeded", 200, 10, 5)
    assert [a["outcome"] for a in row["attempts"]] == ["served"]
    assert rig.house.known.leases.total() == 0


@pytest.mark.parametrize(("served", "told"), [("gpt-5.5", None), ("gpt-5.4-mini", "gpt-5.4-mini"), (None, None)])
async def test_another_model_than_asked_for_is_written_down(rig: Rig, served: str | None, told: str | None) -> None:
    completed = event("response.completed", response={"id": "resp_1", "output": [], "usage": USAGE, "model": served})
    rig.backend.scripts = [says(whole(CREATED, DELTA, completed))]
    async with rig.post() as answer:
        await answer.read()
    (row,) = await rig.settled()
    assert (row["model"], row["served_model"]) == ("gpt-5.5", told)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_any_cut_of_the_wire_gives_the_same_bytes(rig: Rig, size: int) -> None:
    wire = whole(CREATED, DELTA * 3, ITEM, DELTA, COMPLETED)
    rig.backend.scripts = [says(*(wire[i : i + size] for i in range(0, len(wire), size)))]
    async with rig.post() as answer:
        assert await answer.read() == CREATED + DELTA * 3 + ITEM + DELTA + COMPLETED
    (row,) = await rig.settled()
    assert row["status"] == "succeeded"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (refuses(429, LIMIT), "usage_limit_reached"),
        (refuses(500, b"oops"), "upstream_500"),
        (refuses(401, b"{}"), "upstream_unauthorized"),
        (refuses(403, b"<html>challenge</html>"), "upstream_challenge"),
        (says(then="reset"), "upstream_"),
        (says(then="close"), "upstream_closed"),
        (says(SSE_HEAD + chunk(CREATED) + chunk(OVERLOADED), then="keep"), "server_is_overloaded"),
        (says(SSE_HEAD + chunk(CREATED), then="reset"), "upstream_"),
        (says(SSE_HEAD + chunk(CREATED) + b"0\r\n\r\n"), "upstream_stream_truncated"),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"), "invalid_upstream_response"),
        (says(b"garbage\r\n\r\n"), "upstream_protocol_error"),
    ],
)
async def test_an_account_that_fails_before_output_is_replaced(rig: Rig, first: Script, code: str) -> None:
    rig.backend.scripts = [first, says(GOOD)]
    async with rig.post() as answer:
        assert answer.status == 200
        assert await answer.read() == EVENTS
    (row,) = await rig.settled()
    assert rig.backend.accounts() == ["a", "b"]
    assert [a["outcome"] for a in row["attempts"]] == ["failed_over", "served"]
    assert row["attempts"][0]["error_code"].startswith(code)
    assert (row["status"], row["account_label"], row["input_tokens"]) == ("succeeded", "b", 10)
    assert rig.house.known.leases.total() == 0


async def test_after_output_nothing_is_replayed(rig: Rig) -> None:
    rig.backend.scripts = [says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), pause=0.05, then="reset"), says(GOOD)]
    async with rig.post() as answer:
        told = await answer.read()
    assert told.startswith(CREATED + DELTA + b"event: response.failed\n")
    assert b'"code":"stream_incomplete"' in told
    (row,) = await rig.settled()
    assert (row["status"], len(rig.backend.arrived)) == ("failed", 1)
    assert row["input_tokens"] is None


@pytest.mark.parametrize(
    "script",
    [
        says(whole(CREATED, DELTA, OVERLOADED)),
        says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), chunk(OVERLOADED) + b"0\r\n\r\n", pause=0.05),
        says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), chunk(OVERLOADED), b"0\r\n\r\n", pause=0.05),
    ],
)
async def test_an_accounts_failure_after_output_reads_as_try_again(rig: Rig, script: Script) -> None:
    rig.backend.scripts = [script]
    async with rig.post() as answer:
        told = await answer.read()
    assert told.startswith(CREATED + DELTA + b"event: response.failed\n")
    assert told.count(b"response.failed") == 2
    assert b'"code":"stream_incomplete"' in told
    (row,) = await rig.settled()
    assert (row["status"], row["error_code"], len(rig.backend.arrived)) == ("failed", "server_is_overloaded", 1)


@pytest.mark.parametrize("cut", [12, 40, 3000])
@pytest.mark.parametrize("before", [DELTA, b""], ids=["later", "at once"])
@pytest.mark.parametrize("separate", [True, False])
async def test_an_accounts_failure_that_comes_in_pieces_reads_as_try_again(
    rig: Rig, separate: bool, cut: int, before: bytes
) -> None:
    """It repeats the request's instructions and tools, and is by far the longest event of its stream."""
    failed = OVERLOADED.replace(b'"response":{', b'"response":{"instructions":"%b",' % (b"x" * 20_000))
    begun = chunk(DELTA) + chunk(failed) if separate else chunk(DELTA + failed)
    at = begun.index(b"event: response.failed") + cut
    earlier = [SSE_HEAD + chunk(CREATED) + chunk(before)] if before else []
    head = b"" if before else SSE_HEAD + chunk(CREATED)
    rig.backend.scripts = [says(*earlier, head + begun[:at], begun[at:] + b"0\r\n\r\n", pause=0.05)]
    async with rig.post() as answer:
        told = await answer.read()
    assert told.startswith(CREATED + before + DELTA + b"event: response.failed\n")
    assert b'"code":"stream_incomplete"' in told
    assert b"xxx" not in told
    (row,) = await rig.settled()
    assert (row["status"], row["error_code"]) == ("failed", "server_is_overloaded")


@pytest.mark.parametrize("size", [1, 12, 700])
async def test_an_event_that_begins_like_a_failure_passes_whole(rig: Rig, size: int) -> None:
    wire = chunk(DELTA + ITEM) + chunk(COMPLETED) + b"0\r\n\r\n"
    cuts = [wire[i : i + size] for i in range(0, len(wire), size)]
    rig.backend.scripts = [says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), *cuts, pause=0.001)]
    async with rig.post() as answer:
        assert await answer.read() == CREATED + DELTA + DELTA + ITEM + COMPLETED


async def test_a_failure_that_breaks_off_reads_as_try_again(rig: Rig) -> None:
    begun = SSE_HEAD + chunk(CREATED) + chunk(DELTA) + chunk(OVERLOADED)[:60]
    rig.backend.scripts = [says(begun, pause=0.05, then="reset")]
    async with rig.post() as answer:
        told = await answer.read()
    assert told.startswith(CREATED + DELTA + b"event: response.failed\n")
    assert b'"code":"stream_incomplete"' in told


async def test_the_requests_own_fault_is_answered_in_the_backends_words(rig: Rig) -> None:
    words = b'{"detail":"Unsupported parameter: temperature"}'
    rig.backend.scripts = [refuses(400, words)]
    async with rig.post() as answer:
        assert (answer.status, await answer.read()) == (400, words)
    (row,) = await rig.settled()
    assert (row["status"], len(rig.backend.arrived)) == ("rejected", 1)


async def test_an_exhausted_pool_says_when_it_returns(rig: Rig) -> None:
    rig.backend.scripts = [refuses(429, LIMIT), refuses(429, LIMIT)]
    async with rig.post() as answer:
        assert answer.status == 429
        error = (await answer.json())["error"]
    assert error["type"] == "usage_limit_reached"
    assert error["resets_in_seconds"] > 0
    assert error["excluded"] == {"usage_limited": 2}
    async with rig.post() as answer:
        assert answer.status == 429, "and the next turn does not even try"
    assert len(rig.backend.arrived) == 2


async def test_reasoning_of_another_account_is_left_out_and_tried_again(rig: Rig) -> None:
    refusal = b'{"error":{"code":"invalid_encrypted_content","message":"no"}}'
    rig.backend.scripts = [refuses(400, refusal), says(GOOD)]
    items = [{"type": "reasoning", "encrypted_content": "x"}, {"type": "message", "role": "user", "content": "hi"}]
    async with rig.post(input=items) as answer:
        assert await answer.read() == EVENTS
    assert rig.backend.accounts() == ["a", "a"]
    assert [i["type"] for i in json.loads(rig.backend.arrived[1][1])["input"]] == ["message"]


async def test_without_stream_the_answer_is_one_object_with_its_output(rig: Rig) -> None:
    rig.backend.scripts = [says(GOOD)]
    async with rig.post(stream=False) as answer:
        assert answer.content_type == "application/json"
        body = await answer.json()
    assert body["output"] == [{"type": "message", "id": "msg_1"}]
    assert json.loads(rig.backend.arrived[0][1])["stream"] is True


async def test_without_stream_an_answer_that_breaks_off_is_a_status_and_the_connection_lives_on(rig: Rig) -> None:
    rig.backend.scripts = [says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), then="close"), says(GOOD)]
    async with rig.post(stream=False) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (502, "stream_incomplete")
    async with rig.post(stream=False) as answer:
        assert (await answer.json())["output"] == [{"type": "message", "id": "msg_1"}]


async def test_a_connection_is_used_again_and_a_dead_one_replaced_quietly(rig: Rig) -> None:
    rig.backend.scripts = [says(GOOD), says(then="close"), says(GOOD)]
    for _ in range(2):
        async with rig.post() as answer:
            assert await answer.read() == EVENTS
    rows = await rig.settled(2)
    assert rig.backend.accounts() == ["a", "a", "a"]
    assert [len(row["attempts"]) for row in rows] == [1, 1]


async def test_a_client_that_leaves_in_the_middle_is_settled_with_its_usage(rig: Rig) -> None:
    rig.backend.scripts = [says(SSE_HEAD + chunk(CREATED) + chunk(DELTA), chunk(COMPLETED) + b"0\r\n\r\n", pause=0.3)]
    async with rig.post() as answer:
        await answer.content.readany()
        answer.close()
    (row,) = await rig.settled()
    assert (row["status"], row["http_status"], row["input_tokens"]) == ("cancelled", 499, 10)
    assert rig.house.known.leases.total() == 0


async def test_a_client_that_leaves_before_output_ends_the_attempt(rig: Rig) -> None:
    rig.backend.scripts = [says(SSE_HEAD, chunk(CREATED), pause=2)]
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.3), rig.post() as answer:
            await answer.read()
    (row,) = await rig.settled()
    assert (row["status"], row["error_code"]) == ("cancelled", "client_disconnected")
    assert [a["outcome"] for a in row["attempts"]] == ["cancelled"]
    assert rig.house.known.leases.total() == 0


async def test_silence_is_broken_by_keepalives_before_and_after_output(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.house.budgets = replace(rig.house.budgets, keepalive=0.1)
    rig.backend.scripts = [
        says(b"", SSE_HEAD + chunk(CREATED) + chunk(DELTA), chunk(COMPLETED) + b"0\r\n\r\n", pause=1.3)
    ]
    async with rig.post() as answer:
        body = await answer.read()
    alive = b'data: {"type":"keepalive"}\n\n'
    assert body.startswith(alive)
    assert body.replace(alive, b"") == CREATED + DELTA + COMPLETED
    assert body.count(alive) >= 2


async def test_a_silent_backend_is_given_up_within_its_budget(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.house.budgets = replace(rig.house.budgets, first_byte=0.2)
    rig.backend.scripts = [says(b"", pause=3), says(GOOD)]
    async with rig.post() as answer:
        assert await answer.read() == EVENTS
    (row,) = await rig.settled()
    assert row["attempts"][0]["error_code"] == "upstream_first_byte_timeout"


async def test_a_slow_client_pauses_the_backend_and_memory_stays_bounded(rig: Rig) -> None:
    block = event("response.output_text.delta", delta="x" * 60_000)
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SSE_HEAD + chunk(CREATED))
        for _ in range(400):
            writer.write(chunk(block))
            await writer.drain()
            sent += 1
        writer.write(chunk(COMPLETED) + b"0\r\n\r\n")

    rig.backend.scripts = [flood]
    async with rig.post() as answer:
        await answer.content.read(10)
        await asyncio.sleep(0.5)
        assert sent < 300, "the backend was made to wait"
        rest = await answer.read()
    assert rest.count(b"output_text.delta\ndata") >= 399
    (row,) = await rig.settled()
    assert row["status"] == "succeeded"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"{}", 401, "api_key_missing"),
        ({"Authorization": "Bearer sk-cxp-000000000000-" + "x" * 43}, b"{}", 401, "api_key_missing"),
        (None, b"{", 400, "invalid_request"),
        (None, b'{"model":5}', 400, "invalid_request"),
    ],
)
async def test_refusals_are_told_before_anything_is_sent(
    rig: Rig, headers: dict[str, str] | None, body: bytes, status: int, code: str
) -> None:
    from tests.gateway.scripted import SECRET

    headers = {"Authorization": f"Bearer {SECRET}"} if headers is None else headers
    async with rig.http.post(rig.url, data=body, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code
    assert rig.backend.arrived == []


async def test_what_a_client_says_about_itself_does_not_travel(rig: Rig) -> None:
    rig.backend.scripts = [says(GOOD)]
    async with rig.http.post(
        rig.url,
        json={"model": "m", "stream": True, "input": []},
        headers={
            "Authorization": rig.http.headers.get("x", "Bearer " + "sk-cxp-0123456789ab-" + "k" * 43),
            "Cookie": "secret=1",
            "X-Forwarded-For": "10.0.0.1",
            "session-id": "s-1",
            "x-codex-turn-state": "state-1",
        },
    ) as answer:
        await answer.read()
    head = rig.backend.arrived[0][0].lower()
    assert "x-codex-turn-state: state-1" in head
    assert not any(name in head for name in ("cookie", "x-forwarded-for", "session-id", "sk-cxp-"))


async def test_a_failure_after_keepalives_is_told_inside_the_stream(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.house.budgets = replace(rig.house.budgets, keepalive=0.1)

    async def slow_refusal(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.3)
        await refuses(500, b"oops")(writer)

    rig.backend.scripts = [slow_refusal, refuses(500, b"oops")]
    async with rig.post() as answer:
        assert answer.status == 200, "the head had to go out with the keepalive"
        body = await answer.read()
    assert body.startswith(b'data: {"type":"keepalive"}')
    assert body.count(b"event: response.failed") == 1
    assert b"upstream_request_failed" in body
    (row,) = await rig.settled()
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["failed_over", "failed"]
