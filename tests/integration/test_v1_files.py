"""Files under ``/v1``: uploaded with one form, known to the pool, and used where they are."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import aiohttp
import pytest

from codex_pooler.gateway.files import ABANDONED, FileRefused, Files
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.simulator.faults import Fault, Order
from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, switch

PATH = "/v1/files"
DATA = b"canary-bytes \r\n--x\x00\xff"


async def upload(
    gateway: Gateway, data: bytes = DATA, *, filename: str = "../canary-name.pdf", key: str | None = None, **fields: str
) -> Reply:
    form = aiohttp.FormData(quote_fields=False)
    for name, value in ({"purpose": "user_data"} | fields).items():
        form.add_field(name, value)
    form.add_field("file", io.BytesIO(data), filename=filename, content_type="application/pdf")
    return await ask(gateway, "POST", PATH, data=form, key=key)


async def test_one_form_makes_a_file_that_turns_can_use(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True, "file_retries": 1})
    reply = await upload(gateway)
    assert reply.status == 200, reply.body
    made = reply.json
    assert made["object"] == "file"
    assert (made["bytes"], made["filename"], made["purpose"]) == (len(DATA), "canary-name.pdf", "user_data")
    assert (made["status"], made["status_details"]) == ("processed", None)
    assert abs(made["created_at"] - time.time()) < 60
    assert made["expires_at"] - made["created_at"] == 86_400
    announced, put, *finished = await gateway.arrived()
    assert announced["body"] == {"file_name": "canary-name.pdf", "file_size": len(DATA), "use_case": "codex"}
    assert (put["method"], put["body_bytes"]) == ("PUT", len(DATA))
    assert put["headers"]["x-ms-blob-type"] == "BlockBlob"
    assert not {"authorization", "chatgpt-account-id", "cookie", "originator"} & set(put["headers"])
    assert {one["account"] for one in [announced, *finished]} == {"acct-1"}
    content = [{"type": "input_file", "file_id": made["id"]}]
    body = {"model": "gpt-5.5", "input": [{"type": "message", "role": "user", "content": content}]}
    await gateway.fault("acct-1", "usage_limit_reached")
    turn = await ask(gateway, "POST", "/v1/responses", json=body)
    assert turn.status == 429, "a turn stays where its file is"
    rows = await gateway.log()
    assert [row["route"] for row in rows] == ["/v1/responses", PATH, PATH]


async def test_files_are_shown_listed_read_and_forgotten(gateway: Gateway) -> None:
    ids = [(await upload(gateway, purpose=purpose)).json["id"] for purpose in ("vision", "user_data", "vision")]
    listed = (await ask(gateway, "GET", PATH)).json
    assert (listed["object"], listed["has_more"]) == ("list", False)
    assert [one["id"] for one in listed["data"]] == ids[::-1]
    assert (listed["first_id"], listed["last_id"]) == (ids[2], ids[0])
    shown = await ask(gateway, "GET", f"{PATH}/{ids[0]}")
    assert shown.json == listed["data"][2]
    assert (await ask(gateway, "GET", f"{PATH}/{ids[0]}/content")).body == DATA
    gone = await ask(gateway, "DELETE", f"{PATH}/{ids[0]}")
    assert gone.json == {"id": ids[0], "object": "file", "deleted": True}
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        reply = await ask(gateway, method, f"{PATH}/{ids[0]}{path}")
        assert (reply.status, reply.code) == (404, "file_not_found")
    assert len((await ask(gateway, "GET", PATH)).json["data"]) == 2


async def test_a_list_comes_in_pages(gateway: Gateway) -> None:
    ids = [(await upload(gateway, purpose=purpose)).json["id"] for purpose in ("vision", "user_data", "vision")]

    async def page(query: str) -> tuple[list[str], bool]:
        reply = await ask(gateway, "GET", f"{PATH}?{query}")
        assert reply.status == 200, reply.body
        return [one["id"] for one in reply.json["data"]], reply.json["has_more"]

    assert await page("limit=2") == (ids[:0:-1], True)
    assert await page(f"limit=2&after={ids[1]}") == ([ids[0]], False)
    assert await page("order=asc&limit=1") == ([ids[0]], True)
    assert await page(f"order=asc&after={ids[0]}") == (ids[1:], False)
    assert await page("purpose=vision") == ([ids[2], ids[0]], False)
    assert await page("purpose=batch") == ([], False)
    wrong = {"limit=0": "limit", "limit=x": "limit", "limit=10001": "limit", "order=up": "order", "after=f": "after"}
    for query, param in wrong.items():
        reply = await ask(gateway, "GET", f"{PATH}?{query}")
        assert (reply.status, reply.param) == (400, param)


async def test_a_file_is_of_its_pool(gateway: Gateway) -> None:
    file_id = (await upload(gateway)).json["id"]
    colleague = (await gateway.admin("POST", "/api-keys", {"name": "c", "pool_id": gateway.pool_id}))["secret"]
    stranger = (await gateway.apart("other")).key
    assert (await ask(gateway, "GET", f"{PATH}/{file_id}", key=colleague)).status == 200
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        assert (await ask(gateway, method, f"{PATH}/{file_id}{path}", key=stranger)).code == "file_not_found"
    assert (await ask(gateway, "GET", PATH, key=stranger)).json["data"] == []
    assert (await ask(gateway, "GET", f"{PATH}/..%2f..", key=stranger)).status in (400, 404)


async def test_another_process_lists_the_file_at_once(gateway: Gateway) -> None:
    file_id = (await upload(gateway)).json["id"]
    elsewhere = FileKeeper(gateway.process.context.database, Files())
    pool_id = gateway.process.house.files.of_pool(_pool(gateway), time.time())[0].pool_id
    await elsewhere.look_up_pool(pool_id)
    assert [record.id for record in elsewhere.files.of_pool(pool_id, time.time())] == [file_id]
    assert elsewhere.files.of_pool(pool_id, time.time() + 86_401) == [], "expired ones are not listed"


def _pool(gateway: Gateway) -> Any:
    return next(iter(gateway.process.house.snapshot.current.pools))


async def test_a_file_that_was_announced_but_not_completed_has_no_content(gateway: Gateway) -> None:
    wanted = {"file_name": "a.txt", "file_size": 5}
    made = (await ask(gateway, "POST", "/backend-api/files", json=wanted)).json
    assert (await ask(gateway, "GET", f"{PATH}/{made['file_id']}")).json["status"] == "uploaded"
    reply = await ask(gateway, "GET", f"{PATH}/{made['file_id']}/content")
    assert (reply.status, reply.code) == (409, "file_not_ready")


WRONG: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "purpose": ({"purpose": "nonsense"}, 400, "purpose"),
    "empty": ({"data": b""}, 400, "file"),
    "large": ({"data": b"a" * 26_214_401}, 413, None),
}


async def test_what_cannot_be_a_file_is_refused_here(gateway: Gateway) -> None:
    for wrong, (more, status, param) in WRONG.items():
        reply = await upload(gateway, **more)
        assert (reply.status, reply.param) == (status, param), wrong
        assert "canary" not in str(reply.json)
    form = aiohttp.FormData({"purpose": "vision"}, default_to_multipart=True)
    assert (await ask(gateway, "POST", PATH, data=form)).param == "file"
    assert (await ask(gateway, "POST", PATH, json={"file": "x"})).code == "unsupported_media_type"
    assert await gateway.arrived() == []


async def test_what_has_no_effect_is_named_or_refused_by_strict_pools(gateway: Gateway) -> None:
    more: dict[str, Any] = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    reply = await upload(gateway, **more)
    assert (reply.status, reply.headers["x-gateway-ignored"]) == (200, "expires_after")
    await switch(gateway, v1_strict=True)
    strict = await upload(gateway, **more)
    assert (strict.status, strict.code, strict.param) == (400, "unsupported_parameter", "expires_after")
    assert (await upload(gateway)).status == 200


async def test_a_failing_account_is_replaced_when_the_file_is_announced(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached", route="files")
    reply = await upload(gateway)
    assert reply.status == 200
    record = gateway.process.house.files.owned(reply.json["id"], _pool(gateway), 0.0)
    accounts = {
        m.account.label: m.account.id for m in gateway.process.house.snapshot.current.pools[_pool(gateway)].members
    }
    assert record.account_id == accounts["acct-2"]


BRIDGE = '{"file_id": "file_9", "upload_url": "%s"}'


async def bridged(gateway: Gateway, url: str) -> Reply:
    fault = Fault("refuse", status=200, body=BRIDGE % url)
    gateway.world.faults.add(Order("*", "files", fault, left=1))
    return await upload(gateway)


async def test_bytes_go_nowhere_that_they_should_not(gateway: Gateway) -> None:
    for url in ("http://10.0.0.1/x", "https://169.254.169.254/x", "https://user@files.example.com/x", "file:///x"):
        reply = await bridged(gateway, url)
        assert (reply.status, reply.code) == (502, "upstream_file_bridge_invalid_response"), url
    assert len(gateway.process.house.files) == 0


async def test_bytes_that_the_storage_does_not_take_are_told_and_the_file_given_up(gateway: Gateway) -> None:
    for url in (f"{gateway.backend}/upload/file_9?sig=wrong", "http://127.0.0.1:1/x"):
        reply = await bridged(gateway, url)
        assert (reply.status, reply.code) == (502, "upstream_file_upload_failed")
        with pytest.raises(FileRefused):
            gateway.process.house.files.owned("file_9", _pool(gateway), 0.0)
        assert (await ask(gateway, "GET", f"{PATH}/file_9")).code == "file_not_found"
        gateway.process.house.files._records.clear()


async def test_a_redirection_of_the_storage_is_not_followed(gateway: Gateway) -> None:
    seen = []

    async def elsewhere(request: aiohttp.web.Request) -> aiohttp.web.Response:
        seen.append(request.path)
        return aiohttp.web.Response(status=307, headers={"location": f"{gateway.backend}/upload/x"})

    app = aiohttp.web.Application()
    app.router.add_route("*", "/{rest:.*}", elsewhere)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    reply = await bridged(gateway, f"http://127.0.0.1:{runner.addresses[0][1]}/one")
    await runner.cleanup()
    assert (reply.code, seen) == ("upstream_file_upload_failed", ["/one"])
    assert await arrived(gateway, "/upload") == []


async def test_a_client_that_leaves_leaves_no_half_file(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"file_retries": 1_000})
    task = asyncio.create_task(upload(gateway))
    async with asyncio.timeout(10):
        while len(await arrived(gateway, "/backend-api/files")) < 2:
            await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(10):
        while [one.status for one in gateway.process.house.files._records.values()] != [ABANDONED]:
            await asyncio.sleep(0.02)
    assert gateway.process.house.known.leases.total() == 0


async def test_no_byte_and_no_address_is_kept(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    file_id = (await upload(gateway)).json["id"]
    await ask(gateway, "GET", f"{PATH}/{file_id}/content")
    async with gateway.process.context.database.session() as session:
        await session.run("SELECT row_to_json(f)::text FROM files f")
        (stored,) = await session.cursor.fetchone()
    kept = stored + str(await gateway.log()) + caplog.text
    assert "canary-bytes" not in kept
    assert "sig=" not in kept
