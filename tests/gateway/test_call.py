"""Calls that are no turns: moved to the next account by the same rules, and sent again only when that is safe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from codex_pooler.gateway.call import CallAnswer, CallRequest, run_call
from codex_pooler.gateway.house import moment
from codex_pooler.protocol.failure import Failure
from codex_pooler.snapshot.model import Key, Limit
from codex_pooler.upstream.pool import ConnectionPool
from tests.gateway.scripted import Rig, Script, refuses, says

ACCOUNT_A, ACCOUNT_B = UUID(int=1), UUID(int=2)
USAGE_LIMIT = b'{"error":{"type":"usage_limit_reached","message":"used up"}}'
BROKEN = Failure(502, "not_what_was_asked_for", "the answer makes no sense")


def answers(body: bytes = b"{}", *headers: str) -> Script:
    """A good answer."""
    return refuses(200, body, *headers)


def key_of(rig: Rig) -> Key:
    return next(iter(rig.house.snapshot.current.keys.values()))


def call_of(rig: Rig, **more: Any) -> CallRequest:
    asked: dict[str, Any] = {
        "id": str(uuid4()),
        "key": key_of(rig),
        "method": "POST",
        "path": "/codex/images/generations",
        "route": "/backend-api/codex/images/generations",
        "route_class": "images",
        "body": b'{"prompt": "a cat"}',
        "headers": [("content-type", "application/json")],
        "seed": "seed",
        "admitted": moment(),
    }
    return CallRequest(**(asked | more))


async def ask(rig: Rig, **more: Any) -> CallAnswer:
    async with asyncio.timeout(10):
        return await run_call(call_of(rig, **more), rig.house)


async def row_of(rig: Rig) -> Any:
    (row,) = await rig.settled()
    return row


async def test_the_answer_passes_with_its_bytes_and_the_headers_that_are_for_clients(rig: Rig) -> None:
    shown = ["content-type: image/png", "etag: W/1", "location: /x", "x-request-id: up", "cache-control: private"]
    kept = ["set-cookie: secret=1", "x-codex-primary-used-percent: 50", "cf-ray: 1", "server: cloudflare"]
    rig.backend.scripts = [answers(b"\x00\xffbytes", *shown, *kept)]
    answer = await ask(rig)
    assert (answer.status, answer.body, answer.account_id) == (200, b"\x00\xffbytes", ACCOUNT_A)
    assert sorted(f"{name}: {value}" for name, value in answer.headers) == sorted(shown)
    head, body = rig.backend.arrived[0]
    assert head.startswith("POST /backend-api/codex/images/generations HTTP/1.1\r\n")
    assert "authorization: Bearer token-a\r\n" in head
    assert "accept-encoding: identity" in head
    assert body == b'{"prompt": "a cat"}'
    row = await row_of(rig)
    assert (row["status"], row["http_status"], row["transport"]) == ("succeeded", 200, "http_json")
    assert (row["request_bytes"], row["response_bytes"], len(row["attempts"])) == (19, 7, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(429, USAGE_LIMIT),
        refuses(429, b'{"detail":"Too Many Requests"}'),
        refuses(401, b'{"detail":"Unauthorized"}'),
        refuses(402, b'{"detail":{"code":"deactivated_workspace"}}'),
        refuses(403, b"<html>challenge</html>"),
        refuses(500, b'{"error": {"message": "cut he'),
        refuses(502, b"<html></html>"),
        refuses(503, b'{"error":{"code":"server_is_overloaded"}}'),
    ],
    ids=["usage", "rate", "login", "payment", "challenge", "500", "502", "overloaded"],
)
async def test_what_an_account_is_to_blame_for_moves_on_to_the_next(rig: Rig, refusal: Script) -> None:
    rig.backend.scripts = [refusal, answers(b'{"ok":1}')]
    answer = await ask(rig)
    assert (answer.status, answer.body, answer.account_id) == (200, b'{"ok":1}', ACCOUNT_B)
    assert rig.backend.accounts() == ["a", "b"]
    assert [a["outcome"] for a in (await row_of(rig))["attempts"]] == ["failed_over", "served"]


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
async def test_what_the_request_is_to_blame_for_comes_back_in_the_backends_words(rig: Rig, status: int) -> None:
    body = b'{"detail":"prompt is required"}'
    rig.backend.scripts = [refuses(status, body, "content-type: application/json")]
    answer = await ask(rig)
    assert (answer.status, answer.body, answer.failure) == (status, body, None)
    assert rig.backend.accounts() == ["a"]
    assert (await row_of(rig))["status"] == "rejected"


async def test_an_answer_that_was_lost_is_asked_for_again_only_where_that_does_no_harm(rig: Rig) -> None:
    rig.backend.scripts = [says(then="reset"), answers()]
    answer = await ask(rig)
    assert answer.failure
    assert (answer.status, answer.failure.code) == (502, "upstream_request_failed")
    assert rig.backend.accounts() == ["a"], "the picture may have been made, and paid for"
    rig.backend.arrived.clear()
    rig.backend.scripts = [says(then="reset"), answers()]
    assert (await ask(rig, replayable=True)).status == 200
    assert sorted(rig.backend.accounts()) == ["a", "b"]


async def test_an_answer_cut_in_the_middle_counts_as_lost(rig: Rig) -> None:
    rig.backend.scripts = [says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", then="close"), answers()]
    assert (await ask(rig)).status == 502
    assert rig.backend.accounts() == ["a"]


async def test_what_was_never_sent_may_go_to_anybody(rig: Rig) -> None:
    rig.house.backend = ConnectionPool("http://127.0.0.1:1")  # nobody listens there
    answer = await ask(rig)
    assert answer.status == 502
    attempts = (await row_of(rig))["attempts"]
    assert [a["error_code"] for a in attempts] == ["upstream_connect_failed"] * 2


async def test_a_call_that_may_be_repeated_outlives_a_connection_kept_for_too_long(rig: Rig) -> None:
    rig.backend.scripts = [answers(b"1"), says(then="close"), answers(b"2")]
    assert (await ask(rig, replayable=True)).body == b"1"
    assert (await ask(rig, replayable=True)).body == b"2"
    assert rig.backend.accounts() == ["a", "a", "a"]


async def test_a_pinned_call_never_moves(rig: Rig) -> None:
    rig.backend.scripts = [refuses(429, USAGE_LIMIT), answers()]
    assert (await ask(rig, pinned=ACCOUNT_B, route_class="file_upload")).status >= 400
    assert rig.backend.accounts() == ["b"]
    rig.backend.scripts = [answers(b"still asked")]
    assert (await ask(rig, pinned=ACCOUNT_B, route_class="file_upload")).body == b"still asked", (
        "a used-up plan does not matter to a file"
    )


async def test_a_pinned_account_that_has_left_the_pool_is_not_replaced(rig: Rig) -> None:
    answer = await ask(rig, pinned=uuid4())
    assert answer.failure
    assert answer.failure.extra == {"excluded": {"not_the_owner": 2}}
    assert rig.backend.arrived == []


async def test_a_pool_that_is_exhausted_says_so(rig: Rig) -> None:
    rig.backend.scripts = [refuses(429, USAGE_LIMIT), refuses(429, USAGE_LIMIT)]
    answer = await ask(rig)
    assert answer.failure
    assert (answer.status, answer.failure.code) == (429, "usage_limit_reached")
    again = await ask(rig)
    assert again.failure
    assert (again.status, again.failure.code) == (429, "usage_limit_reached")
    assert rig.backend.accounts() == ["a", "b"], "nobody is asked in vain"


async def test_an_answer_that_is_too_large_is_given_up(rig: Rig) -> None:
    size = 65 * 1024 * 1024
    rig.backend.scripts = [says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, *[b"x" * (1 << 20)] * 65)]
    answer = await ask(rig)
    assert answer.status == 502
    assert (await row_of(rig))["error_code"] == "upstream_response_too_large"


async def test_silence_is_not_waited_for_for_ever(rig: Rig) -> None:
    rig.backend.scripts = [says(pause=5), says(pause=5)]
    assert (await ask(rig, first_byte_seconds=0.05)).status == 502
    assert (await row_of(rig))["error_code"] == "upstream_first_byte_timeout"
    assert rig.backend.accounts() == ["a"]


async def test_it_is_asked_again_until_the_answer_is_ready(rig: Rig) -> None:
    rig.backend.scripts = [answers(b"retry"), answers(b"retry"), answers(b"done")]
    answer = await ask(rig, ready=lambda body: body != b"retry", pinned=ACCOUNT_A)
    assert answer.body == b"done"
    assert len((await row_of(rig))["attempts"]) == 1, "one question, however often it was asked"


async def test_what_is_not_ready_in_time_is_handed_on_as_it_is(rig: Rig) -> None:
    rig.backend.scripts = [answers(b"retry")] * 5
    answer = await ask(rig, ready=lambda body: False, ready_seconds=0.3)
    assert (answer.status, answer.body) == (200, b"retry")
    assert len(rig.backend.arrived) == 3


async def test_an_answer_that_cannot_be_right_is_a_failure(rig: Rig) -> None:
    rig.backend.scripts = [answers(b"<html>")]
    answer = await ask(rig, check=lambda body: BROKEN if body == b"<html>" else None)
    assert answer.failure is BROKEN
    row = await row_of(rig)
    assert (row["status"], row["http_status"], row["error_code"]) == ("failed", 502, "not_what_was_asked_for")
    assert row["attempts"][0]["outcome"] == "failed"


async def test_a_client_that_leaves_ends_the_call_and_frees_the_account(rig: Rig) -> None:
    rig.backend.scripts = [says(pause=60)]
    task = asyncio.create_task(run_call(call_of(rig), rig.house))
    while not rig.backend.arrived:
        await asyncio.sleep(0.01)
    assert rig.house.known.leases.held(ACCOUNT_A) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.house.known.leases.total() == 0
    row = await row_of(rig)
    assert (row["status"], row["http_status"], row["attempts"][0]["outcome"]) == ("cancelled", 499, "cancelled")


async def test_tokens_are_counted_where_the_backend_tells_them(rig: Rig) -> None:
    body = b'{"data":[],"usage":{"input_tokens":16,"output_tokens":196,"total_tokens":212}}'
    rig.backend.scripts = [answers(body), answers(body), answers(b'{"usage":{"input_tokens":"many"}}')]
    await ask(rig, model="gpt-image-2")
    await ask(rig, route_class="proxy_control")
    await ask(rig)
    rows = await rig.settled(3)
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(16, 196), (None, None), (None, None)]


async def test_what_spends_a_plan_counts_against_the_keys_limits(rig: Rig) -> None:
    key = replace(key_of(rig), limits=(Limit("requests", "minute", 1),))
    rig.backend.scripts = [refuses(400, b"{}"), answers(), answers()]
    assert (await ask(rig, key=key)).status == 400, "refused by the backend: it does not count"
    assert (await ask(rig, key=key)).status == 200
    refused = await ask(rig, key=key)
    assert refused.failure
    assert (refused.status, refused.failure.code) == (429, "rate_limit_exceeded")
    assert refused.failure.retry_after
    assert (await ask(rig, key=key, route_class="proxy_control")).status == 200, "a question beside turns is free"


async def test_a_session_keeps_its_account(rig: Rig) -> None:
    rig.backend.scripts = [answers()]
    assert (await ask(rig, owner=ACCOUNT_B)).account_id == ACCOUNT_B


async def test_a_busy_account_is_waited_for(rig: Rig) -> None:
    (pool,) = rig.house.snapshot.current.pools.values()
    one = replace(pool.members[0], max_concurrency=1)
    key = replace(key_of(rig), pool=replace(pool, members=(one,)))
    rig.backend.scripts = [answers(b"1"), answers(b"2")]
    with rig.house.known.leases.hold(ACCOUNT_A, pool.id):
        waiting = asyncio.create_task(ask(rig, key=key))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert (await waiting).status == 200
    rig.house.busy_wait = 0.05
    with rig.house.known.leases.hold(ACCOUNT_A, pool.id):
        answer = await ask(rig, key=key)
        assert answer.failure
        assert (answer.status, answer.failure.code) == (429, "accounts_busy")


async def test_a_call_shows_nothing_of_what_it_carries(rig: Rig) -> None:
    call = call_of(rig, body=b"canary-body", path="/x?q=canary-query", headers=[("x", "canary-head")], seed="canary")
    rig.backend.scripts = [answers(b"canary-answer")]
    answer = await run_call(call, rig.house)
    assert "canary" not in repr(call) + repr(answer) + str(await row_of(rig))
