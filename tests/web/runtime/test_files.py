"""Files of native clients: announced, uploaded, completed, and from then on tied to the account that has them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
import pytest

from codex_pooler.gateway.files import ABANDONED, PENDING, UPLOADED, FileRefused, Files
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.protocol.file_ids import referenced_files
from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, forget

PATH = "/backend-api/files"
WANTED = {"file_name": "canary-name.pdf", "file_size": 5, "use_case": "codex"}


async def announce(gateway: Gateway, **more: Any) -> Reply:
    return await ask(gateway, "POST", PATH, json=WANTED | more)


async def upload(gateway: Gateway, made: Reply, data: bytes = b"bytes") -> None:
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with gateway.http.put(made.json["upload_url"], data=data, headers=headers) as answer:
        assert answer.status == 201


async def finish(gateway: Gateway, file_id: str, **more: Any) -> Reply:
    return await ask(gateway, "POST", f"{PATH}/{file_id}/uploaded", json={}, **more)


async def file_on(gateway: Gateway, account: str) -> str:
    """A whole upload that lands on this account."""
    other = {"acct-1": "acct-2", "acct-2": "acct-1"}[account]
    await gateway.fault(other, "server_error", route="files")
    made = await announce(gateway)
    assert made.status == 200, made.body
    await gateway.control("DELETE", "/faults")
    forget(gateway)
    await upload(gateway, made)
    done = await finish(gateway, made.json["file_id"])
    assert done.status == 200, done.body
    return str(made.json["file_id"])


def record_of(gateway: Gateway, file_id: str) -> Any:
    return gateway.process.house.files.owned(file_id, _pool(gateway), 0.0)


def _pool(gateway: Gateway) -> Any:
    return next(iter(gateway.process.house.snapshot.current.pools))


async def test_a_file_is_announced_uploaded_and_completed_on_one_account(gateway: Gateway) -> None:
    made = await announce(gateway)
    assert made.status == 200
    assert set(made.json) == {"status", "file_id", "upload_url"}
    assert record_of(gateway, made.json["file_id"]).status == PENDING
    await upload(gateway, made)
    done = await finish(gateway, made.json["file_id"])
    assert (done.status, done.json["status"], done.json["file_size_bytes"]) == (200, "success", 5)
    assert record_of(gateway, made.json["file_id"]).status == UPLOADED
    again = await finish(gateway, made.json["file_id"])
    assert (again.status, again.json["download_url"]) == (200, done.json["download_url"]), "asking twice does no harm"
    seen = await arrived(gateway, PATH)
    assert {one["account"] for one in seen} == {"acct-1"}
    rows = await gateway.log()
    assert [row["route"] for row in rows] == [f"{PATH}/{{file_id}}/uploaded"] * 2 + [PATH]
    assert {row["status"] for row in rows} == {"succeeded"}


async def test_the_announcement_passes_with_its_bytes(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    raw = b'{"use_case":"codex",  "file_name":"\\u0061.pdf", "file_size" : 5, "later": [1 ]}'
    assert (await ask(gateway, "POST", PATH, data=raw)).status == 200
    (arrival,) = await arrived(gateway, PATH)
    assert arrival["body_bytes"] == len(raw)


async def test_what_the_client_left_out_is_filled_in(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    for asked in ({"file_name": "a", "file_size": "5"}, {"file_name": "a", "file_size": 5}):
        assert (await ask(gateway, "POST", PATH, json=asked)).status == 200
        arrival = (await arrived(gateway, PATH))[-1]
        assert arrival["body"] == {"file_name": "a", "file_size": 5, "use_case": "codex"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"file_name": ""}, "file_name"),
    ({"file_name": "  "}, "file_name"),
    ({"file_name": None}, "file_name"),
    ({"file_name": 5}, "file_name"),
    ({"file_name": "a" * 2000}, "file_name"),
    ({"file_size": 0}, "file_size"),
    ({"file_size": -5}, "file_size"),
    ({"file_size": True}, "file_size"),
    ({"file_size": 1.5}, "file_size"),
    ({"file_size": "five"}, "file_size"),
    ({"file_size": "-5"}, "file_size"),
    ({"file_size": "٥"}, "file_size"),
    ({"file_size": None}, "file_size"),
    ({"file_size": 26_214_401}, "file_size"),
    ({"file_size": 10**40}, "file_size"),
    ({"use_case": "assistants"}, "use_case"),
    ({"use_case": 5}, "use_case"),
]


async def test_a_file_that_cannot_be_is_refused_here(gateway: Gateway) -> None:
    for wrong, param in WRONG:
        body = (
            orjson.dumps(WANTED | wrong) if wrong.get("file_size") != 10**40 else b'{"file_name":"a","file_size":1%b}'
        )
        reply = await ask(gateway, "POST", PATH, data=body.replace(b"%b", b"0" * 40))
        assert (reply.status, reply.code, reply.param) == (400, "invalid_request", param), wrong
    for body in (b"", b"[]", b"{", b'"x"'):
        assert (await ask(gateway, "POST", PATH, data=body)).code == "invalid_request"
    assert await arrived(gateway, PATH) == []
    assert (await announce(gateway, file_size=26_214_400)).status == 200


async def test_bytes_do_not_come_this_way(gateway: Gateway) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = await ask(gateway, "POST", PATH, data=b"--x--\r\n", headers=headers)
    assert (reply.status, reply.code) == (400, "unsupported_multipart_file_create")
    assert (await ask(gateway, "POST", PATH, data=b"--x--\r\n", headers=headers, key="")).status == 401


BRIDGES = [
    {"file_id": "file_1"},
    {"file_id": "file_1", "upload_url": 5},
    {"file_id": "file_1", "upload_url": "http://files.example.com/x"},
    {"file_id": "file_1", "upload_url": "https://10.0.0.1/x"},
    {"file_id": "file_1", "upload_url": "https://user:secret@files.example.com/x"},
    {"file_id": "", "upload_url": "https://files.example.com/x"},
    {"file_id": "../x", "upload_url": "https://files.example.com/x"},
    {"upload_url": "https://files.example.com/x"},
    [],
]


async def test_an_address_that_leads_astray_is_not_handed_on(gateway: Gateway) -> None:
    for answer in [*BRIDGES, "<html>"]:
        body = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
        await gateway.control("POST", "/faults", {"fault": {"kind": "refuse", "status": 200, "body": body}, **ONCE})
        reply = await announce(gateway)
        assert (reply.status, reply.code) == (502, "upstream_file_bridge_invalid_response"), answer
    assert len(gateway.process.house.files) == 0
    assert {row["error_code"] for row in await gateway.log()} == {"upstream_file_bridge_invalid_response"}
    good = '{"file_id": "file_9", "upload_url": "https://files.example.com/x?sig=1"}'
    await gateway.control("POST", "/faults", {"fault": {"kind": "refuse", "status": 200, "body": good}, **ONCE})
    assert (await announce(gateway)).body == good.encode()


ONCE = {"route": "files", "times": 1}


async def test_a_failing_account_is_replaced_when_a_file_is_announced_and_never_after(gateway: Gateway) -> None:
    await gateway.fault("acct-1", "usage_limit_reached", route="files")
    made = await announce(gateway)
    assert made.status == 200
    await upload(gateway, made)
    await gateway.fault("acct-2", "server_error", route="files")
    failed = await finish(gateway, made.json["file_id"])
    assert (failed.status, failed.code) == (502, "upstream_request_failed")
    assert record_of(gateway, made.json["file_id"]).status == PENDING, "it may be completed later"
    assert (await finish(gateway, made.json["file_id"])).status == 200
    assert [one["account"] for one in await arrived(gateway, PATH)] == ["acct-1", "acct-2", "acct-2", "acct-2"]


async def test_completion_is_asked_for_until_the_backend_is_ready(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"file_retries": 2})
    made = await announce(gateway)
    await upload(gateway, made)
    done = await finish(gateway, made.json["file_id"])
    assert (done.status, done.json["status"]) == (200, "success")
    assert len(await arrived(gateway, PATH)) == 4
    assert len(await gateway.log()) == 2, "one row for the announcement, one for the completion"


NOT_DONE = ('{"status": "error"}', '{"status": "success"}', '{"status": "success", "download_url": ""}', "<html>")


async def test_a_file_the_backend_does_not_take_is_given_up(gateway: Gateway) -> None:
    for answer in (
        '{"status": "error"}',
        '{"status": "success"}',
        '{"status": "success", "download_url": ""}',
        "<html>",
    ):
        made = await announce(gateway)
        await gateway.control("POST", "/faults", {"fault": {"kind": "refuse", "status": 200, "body": answer}, **ONCE})
        reply = await finish(gateway, made.json["file_id"])
        assert (reply.status, reply.code) == (502, "upstream_file_finalize_incomplete")
        assert (await finish(gateway, made.json["file_id"])).code == "file_not_found"


async def test_a_file_is_of_its_pool_and_of_nobody_else(gateway: Gateway) -> None:
    made = await announce(gateway)
    pool = await gateway.admin("POST", "/pools", {"name": "Other"})
    stranger = (await gateway.admin("POST", "/api-keys", {"name": "s", "pool_id": pool["id"]}))["secret"]
    colleague = (await gateway.admin("POST", "/api-keys", {"name": "c", "pool_id": gateway.pool_id}))["secret"]
    file_id = made.json["file_id"]
    replies = [await finish(gateway, file_id, key=stranger), await finish(gateway, "file_unknown")]
    assert [(reply.status, reply.code) for reply in replies] == [(404, "file_not_found")] * 2
    assert (await finish(gateway, "..%2f..%2fcodex%2fmodels")).status in (400, 404)
    await upload(gateway, made)
    assert (await finish(gateway, file_id, key=colleague)).status == 200
    assert (await finish(gateway, file_id, key="")).status == 401


async def test_an_expired_file_is_gone(gateway: Gateway) -> None:
    made = await announce(gateway)
    record = record_of(gateway, made.json["file_id"])
    assert 86_300 < record.expires_at - record.created_at <= 86_400
    database = gateway.process.context.database
    async with database.session() as session:
        await session.run("UPDATE files SET expires_at = now()")
    await FileKeeper(database, gateway.process.house.files).changed(orjson.dumps([record.id]).decode())
    reply = await finish(gateway, made.json["file_id"])
    assert (reply.status, reply.code) == (410, "file_expired")


async def test_scenario_15_a_turn_goes_where_its_files_are(gateway: Gateway) -> None:
    first, second = await file_on(gateway, "acct-1"), await file_on(gateway, "acct-2")
    house, pool = gateway.process.house, _pool(gateway)
    accounts = {m.account.label: m.account.id for m in house.snapshot.current.pools[pool].members}

    def body(*files: str) -> bytes:
        content = [{"type": "input_file", "file_id": file_id} for file_id in files]
        return orjson.dumps({"model": "gpt-5.5", "input": [{"type": "message", "role": "user", "content": content}]})

    now = time.time()
    assert house.files.pinned_account(referenced_files(body(second)), pool, now) == accounts["acct-2"]
    assert house.files.pinned_account(referenced_files(body(first, first)), pool, now) == accounts["acct-1"]
    assert house.files.pinned_account(referenced_files(body()), pool, now) is None
    with pytest.raises(FileRefused) as refused:
        house.files.pinned_account(referenced_files(body(first, second)), pool, now)
    assert (refused.value.status, refused.value.code) == (409, "file_assignment_conflict")
    pending = (await announce(gateway)).json["file_id"]
    for file_id, status, code in [("file_0", 404, "file_not_found"), (pending, 409, "file_not_ready")]:
        with pytest.raises(FileRefused) as refused:
            house.files.pinned_account({file_id}, pool, now)
        assert (refused.value.status, refused.value.code) == (status, code)


async def test_scenario_15_over_the_wire(gateway: Gateway) -> None:
    first, second = await file_on(gateway, "acct-1"), await file_on(gateway, "acct-2")

    async def turn(*files: str) -> Reply:
        content = [{"type": "input_file", "file_id": file_id} for file_id in files]
        message = {"type": "message", "role": "user", "content": content}
        body = {"model": "gpt-5.5", "input": [message], "stream": True, "store": False}
        return await ask(gateway, "POST", "/backend-api/codex/responses", json=body)

    for file_id in (second, first, second):
        reply = await turn(file_id)
        assert reply.status == 200, reply.body
    assert [one["account"] for one in await arrived(gateway, "/backend-api/codex/responses")] == [
        "acct-2",
        "acct-1",
        "acct-2",
    ]
    conflict = await turn(first, second)
    assert (conflict.status, conflict.code) == (409, "file_assignment_conflict")
    pending = (await announce(gateway)).json["file_id"]
    unready = await turn(pending)
    assert (unready.status, unready.code) == (409, "file_not_ready")
    await gateway.fault("acct-2", "usage_limit_reached")
    refused = await turn(second)
    assert refused.status == 429, "a turn with a file is not moved away from it"
    assert len(await arrived(gateway, "/backend-api/codex/responses")) == 4


async def known_elsewhere(gateway: Gateway, file_id: str) -> FileKeeper:
    """Another process, as soon as it can know the file."""
    keeper = FileKeeper(gateway.process.context.database, Files())
    async with asyncio.timeout(5):
        while not keeper.files.knows(file_id):
            await keeper.look_up(file_id)
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)  # the first process hears of its own news, too
    return keeper


async def test_another_process_knows_the_file_at_once_and_the_next_one_after_a_restart(gateway: Gateway) -> None:
    made = await announce(gateway)
    file_id, pool, database = made.json["file_id"], _pool(gateway), gateway.process.context.database
    elsewhere = await known_elsewhere(gateway, file_id)
    await upload(gateway, made)
    assert (await finish(gateway, file_id)).status == 200
    async with asyncio.timeout(5):
        while elsewhere.files.owned(file_id, pool, time.time()).status != UPLOADED:
            await asyncio.sleep(0.05)
            await elsewhere.changed(orjson.dumps([file_id]).decode())
    restarted = FileKeeper(database, Files())
    await restarted.load()
    assert restarted.files.pinned_account({file_id}, pool, time.time()) == record_of(gateway, file_id).account_id


async def test_a_record_that_cannot_be_stored_does_not_hold_up_the_others(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await announce(gateway, file_name="a\0b\n")).status == 200
    made = await announce(gateway)
    record = record_of(gateway, made.json["file_id"])
    gateway.process.house.files.add(replace(record, id="file_odd", status="no such status"))
    gateway.process.house.files.add(replace(record, id="file_lost", account_id=uuid4()))
    later = await announce(gateway)
    await known_elsewhere(gateway, later.json["file_id"])
    assert "a file record cannot be stored and is dropped" in caplog.text
    async with gateway.process.context.database.session() as session:
        await session.run("SELECT count(*) FROM files")
        assert (await session.cursor.fetchone())[0] == 3


async def test_what_expired_long_ago_is_swept(gateway: Gateway) -> None:
    made = await announce(gateway)
    house, database = gateway.process.house, gateway.process.context.database
    keeper = FileKeeper(database, house.files)
    await known_elsewhere(gateway, made.json["file_id"])
    await keeper.sweep(time.time() + 86_400)
    assert len(house.files) == 1, "for another day it counts as expired, not as unknown"
    await keeper.sweep(time.time() + 2 * 86_400 + 10)
    assert len(house.files) == 0
    restarted = FileKeeper(database, Files())
    await restarted.look_up(made.json["file_id"])
    assert len(restarted.files) == 0


async def test_a_status_only_moves_on(gateway: Gateway) -> None:
    made = await announce(gateway)
    files, file_id = gateway.process.house.files, made.json["file_id"]
    before = record_of(gateway, file_id)
    files.move(file_id, UPLOADED)
    files.merge([before])
    assert record_of(gateway, file_id).status == UPLOADED
    keeper = FileKeeper(gateway.process.context.database, files)
    await keeper.store()
    stale = FileKeeper(gateway.process.context.database, Files())
    stale.files.add(before)
    await stale.store()
    await stale.load()
    assert stale.files.owned(file_id, before.pool_id, before.created_at).status == UPLOADED
    files.move(file_id, ABANDONED)
    with pytest.raises(FileRefused):
        record_of(gateway, file_id)


async def test_no_byte_and_no_address_is_kept(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    made = await announce(gateway)
    await upload(gateway, made, b"canary-bytes")
    await finish(gateway, made.json["file_id"])
    await FileKeeper(gateway.process.context.database, gateway.process.house.files).store()
    async with gateway.process.context.database.session() as session:
        await session.run("SELECT row_to_json(f)::text FROM files f")
        (stored,) = await session.cursor.fetchone()
    kept = stored + str(await gateway.log()) + caplog.text
    assert "canary-bytes" not in kept
    assert "sig=" not in kept
    assert "http://" not in kept
    assert "canary-name" not in str(await gateway.log()) + caplog.text + repr(
        gateway.process.house.files.take_unsaved()
    )
