"""Files under ``/v1``: a form in, three steps to the backend and its storage behind it; known to the whole pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from codex_pooler.gateway.files import ABANDONED, DELETED, PENDING, FileRecord
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.multipart import Part
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.blobs import BlobFailed, get_blob, put_blob
from codex_pooler.web.bodies import BodyRefused
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.calls import carry
from codex_pooler.web.runtime.file_calls import (
    KEEPER,
    USE_CASE,
    Wanted,
    announcing,
    completing,
    created,
    download_url,
    found,
    is_done,
    note_end,
    remember,
)
from codex_pooler.web.runtime.forms import read_parts
from codex_pooler.web.runtime.v1.entry import check_ignored, entered
from codex_pooler.web.runtime.v1.told import failure_in, headers_of, told

log = logging.getLogger(__name__)

ROUTE = "/v1/files"
CONTENT_ROUTE = "/v1/files/{file_id}/content"
PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
DEFAULT_PURPOSE = "user_data"
LONGEST_NAME = 1024
MOST_LISTED = 10_000
STATUSES: Mapping[str, str] = {PENDING: "uploaded"}  # of the API; whatever else can be seen is processed
NOT_STORED = Failure(
    502, "upstream_file_upload_failed", "the backend's storage did not take the file's bytes; upload it again"
)
NOT_READY = Failure(
    502, "upstream_file_finalize_incomplete", "the backend did not finish the file in time; upload it again"
)
NOT_READABLE = Failure(
    502, "upstream_file_content_failed", "the backend's storage did not give the file's bytes back; try again"
)


def add_v1_file_routes(app: web.Application) -> None:
    """Register what there is to do with files."""
    app.router.add_post(ROUTE, create_file)
    app.router.add_get(ROUTE, list_files)
    app.router.add_get("/v1/files/{file_id}", show_file)
    app.router.add_delete("/v1/files/{file_id}", delete_file)
    app.router.add_get(CONTENT_ROUTE, read_content)


async def create_file(request: web.Request) -> web.StreamResponse:
    """Take a file and make it usable in turns."""
    return await entered(request, _create_file)


async def list_files(request: web.Request) -> web.StreamResponse:
    """One page of the pool's files."""
    return await entered(request, _list_files)


async def show_file(request: web.Request) -> web.StreamResponse:
    """One file."""
    return await entered(request, _show_file)


async def delete_file(request: web.Request) -> web.StreamResponse:
    """Forget a file: no turn can use it from now on."""
    return await entered(request, _delete_file)


async def read_content(request: web.Request) -> web.StreamResponse:
    """A file's bytes, from the backend's storage."""
    return await entered(request, _read_content)


async def _create_file(request: web.Request, caller: Caller) -> web.StreamResponse:
    limit = caller.house.snapshot.current.settings.files.max_size_bytes
    form = Form(await read_parts(request, limit, "the file"))
    file = form.file("file", "the file")
    if len(file.data) > limit:
        raise BodyRefused(413, "request_too_large", f"the file may have at most {limit:,} bytes")
    wanted, ignored = wanted_of(file, form.text("purpose")), form.others(("file", "purpose"))
    check_ignored(caller, ignored)
    call = announcing(caller, wanted, ROUTE)
    answer = await carry(caller, call)
    record = remember(caller, wanted, answer)
    if record is None:
        return told(failure_in(answer) or NOT_STORED, call.id, ignored)
    failure = await _filled(caller, record, created.decode(answer.body).upload_url, file.data)
    await request.app[KEEPER].keep()
    if failure:
        return told(failure, call.id, ignored)
    return _object(shown(caller.house.files.owned(record.id, record.pool_id, time.time())), call.id, ignored)


def wanted_of(file: Part, purpose: str | None) -> Wanted:
    """The announcement of an uploaded file.  Raises BadRequest."""
    if purpose is not None and purpose not in PURPOSES:
        raise BadRequest(f"the purpose of a file must be one of {', '.join(PURPOSES)}", "purpose")
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()[:LONGEST_NAME] or "file"
    body = orjson.dumps({"file_name": name, "file_size": len(file.data), "use_case": USE_CASE})
    return Wanted(name, len(file.data), body, purpose or DEFAULT_PURPOSE)


async def _filled(caller: Caller, record: FileRecord, url: str, data: memoryview) -> Failure | None:
    """Bring the bytes to where the backend wants them, and have it take them.  A file that is not finished here, for
    whatever reason, never will be."""
    try:
        await put_blob(caller.house.backend, _account(caller, record), url, data)
        answer = await carry(caller, completing(caller, record, ROUTE))
    except BlobFailed as exc:
        log.warning("the backend's storage did not take a file (%s)", exc.reason)
        caller.house.files.move(record.id, ABANDONED)
        return NOT_STORED
    except BaseException:
        caller.house.files.move(record.id, ABANDONED)
        raise
    note_end(caller.house, record, answer)
    if is_done(answer):
        return None
    caller.house.files.move(record.id, ABANDONED)
    return failure_in(answer) or NOT_READY


def _account(caller: Caller, record: FileRecord) -> Account:
    """Who holds the file.  Raises BlobFailed when that account is gone."""
    for member in caller.key.pool.members:
        if member.account.id == record.account_id:
            return member.account
    raise BlobFailed("account", passing=False)


async def _list_files(request: web.Request, caller: Caller) -> web.StreamResponse:
    await request.app[KEEPER].look_up_pool(caller.key.pool.id)
    records = caller.house.files.of_pool(caller.key.pool.id, time.time())
    return web.json_response(body=orjson.dumps(page_of(records, request.query)), headers={"cache-control": "no-store"})


def page_of(records: list[FileRecord], query: Mapping[str, str]) -> dict[str, Any]:
    """One page of files, which come the newest first.  Raises BadRequest."""
    order, purpose, limit = query.get("order", "desc"), query.get("purpose"), query.get("limit", str(MOST_LISTED))
    if order not in ("asc", "desc"):
        raise BadRequest("order must be asc or desc", "order")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 9 and 1 <= int(limit) <= MOST_LISTED):
        raise BadRequest(f"limit must be a number from 1 to {MOST_LISTED:,}", "limit")
    chosen = [record for record in records if purpose in (None, "", record.purpose)]
    if order == "asc":
        chosen.reverse()
    page, more = _after(chosen, query.get("after")), int(limit)
    data = [shown(record) for record in page[:more]]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": data, **ends, "has_more": len(page) > more}


def _after(records: list[FileRecord], last: str | None) -> list[FileRecord]:
    if not last:
        return records
    for number, record in enumerate(records, 1):
        if record.id == last:
            return records[number:]
    raise BadRequest("after names no file of this list; begin again without it", "after")


def shown(record: FileRecord) -> dict[str, Any]:
    """The file as the OpenAI API has it."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": int(record.created_at),
        "expires_at": int(record.expires_at),
        "filename": record.name,
        "purpose": record.purpose,
        "status": STATUSES.get(record.status, "processed"),
        "status_details": None,
    }


async def _show_file(request: web.Request, caller: Caller) -> web.StreamResponse:
    return _object(shown(await found(request, caller, request.match_info["file_id"])))


async def _delete_file(request: web.Request, caller: Caller) -> web.StreamResponse:
    record = await found(request, caller, request.match_info["file_id"])
    caller.house.files.move(record.id, DELETED)
    await request.app[KEEPER].keep()
    return _object({"id": record.id, "object": "file", "deleted": True})


async def _read_content(request: web.Request, caller: Caller) -> web.StreamResponse:
    record = await found(request, caller, request.match_info["file_id"])
    caller.house.files.pinned_account([record.id], record.pool_id, time.time())  # only of one that is whole
    call = completing(caller, record, CONTENT_ROUTE)
    answer = await carry(caller, call)
    if not is_done(answer):
        return told(failure_in(answer) or NOT_READABLE, call.id)
    limit = caller.house.snapshot.current.settings.files.max_size_bytes
    try:
        data = await get_blob(caller.house.backend, _account(caller, record), download_url(answer), limit)
    except BlobFailed as exc:
        log.warning("the backend's storage did not give a file back (%s)", exc.reason)
        return told(NOT_READABLE, call.id)
    kind = {"content-type": "application/octet-stream", "x-content-type-options": "nosniff"}
    return web.Response(body=data, headers=kind | dict(headers_of(call.id)))


def _object(members: Mapping[str, Any], call_id: str | None = None, ignored: list[str] | None = None) -> web.Response:
    headers = dict(headers_of(call_id, ignored or ())) if call_id else {"cache-control": "no-store"}
    return web.json_response(body=orjson.dumps(members), headers=headers)
