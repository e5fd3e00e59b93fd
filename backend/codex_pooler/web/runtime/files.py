"""Files of native clients: announced here, uploaded by the client itself to the backend's storage, completed here."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.accounting.settlement import clean
from codex_pooler.gateway.call import CallAnswer
from codex_pooler.gateway.files import ABANDONED, PENDING, UPLOADED, FileRecord, FileRefused
from codex_pooler.gateway.house import House
from codex_pooler.gateway.turn import Failure
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.protocol.destinations import is_loopback, may_lead_out
from codex_pooler.protocol.json_shape import check_object
from codex_pooler.protocol.requests import BadRequest, rewritten
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.web.bodies import read_body
from codex_pooler.web.context import CONTEXT
from codex_pooler.web.errors import answered, refusal
from codex_pooler.web.runtime.caller import HOUSE, caller_of
from codex_pooler.web.runtime.calls import call_of, carry, response_of

KEEPER = web.AppKey("file_keeper", FileKeeper)

CREATE_ROUTE = "/backend-api/files"
FINISH_ROUTE = "/backend-api/files/{file_id}/uploaded"
ROUTE_CLASS = "file_upload"
USE_CASE = "codex"
MAX_BODY_BYTES = 1024 * 1024
LONGEST_NAME = 1024
FILE_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z")
DONE = ("success", "uploaded", "completed")
NO_BRIDGE = Failure(
    502,
    "upstream_file_bridge_invalid_response",
    "the backend created a file that cannot be uploaded safely; try again",
)
INCOMPLETE = Failure(
    502, "upstream_file_finalize_incomplete", "the backend did not take the uploaded file; upload it again"
)


class _Wanted(msgspec.Struct):
    file_name: Any = None
    file_size: Any = None
    use_case: Any = None


class _Created(msgspec.Struct):
    file_id: str
    upload_url: str


class _Finished(msgspec.Struct):
    status: Any = None
    download_url: Any = None


_wanted = msgspec.json.Decoder(_Wanted)
_created = msgspec.json.Decoder(_Created)
_finished = msgspec.json.Decoder(_Finished)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as a client announces it; ``body`` is what goes upstream."""

    name: str
    size: int
    body: bytes


def add_file_routes(app: web.Application) -> None:
    """Register creation and completion."""
    app[KEEPER] = FileKeeper(app[CONTEXT].database, app[HOUSE].files)
    app.router.add_post(CREATE_ROUTE, create_file)
    app.router.add_post(FINISH_ROUTE, finish_file)


async def create_file(request: web.Request) -> web.StreamResponse:
    """Announce a file; the answer says where to put its bytes."""
    return await answered(request, _create_file)


async def finish_file(request: web.Request) -> web.StreamResponse:
    """The bytes are there: make the file usable."""
    return await answered(request, _finish_file)


async def _create_file(request: web.Request) -> web.StreamResponse:
    caller = caller_of(request)
    key, house = caller.key, caller.house
    if request.content_type.startswith("multipart/"):
        message = "announce the file as JSON (file_name, file_size), then PUT its bytes to the answer's upload_url"
        return refusal(400, "unsupported_multipart_file_create", message)
    wanted = read_wanted(await read_body(request, MAX_BODY_BYTES), house.snapshot.current.settings.files.max_size_bytes)
    here = is_loopback(house.backend.host)

    def check(body: bytes) -> Failure | None:
        return None if _usable(body, loopback_allowed=here) else NO_BRIDGE

    call = call_of(caller, path="/files", route=CREATE_ROUTE, route_class=ROUTE_CLASS, body=wanted.body, check=check)
    answer = await carry(caller, call)
    if answer.status < 300 and not answer.failure:
        _remember(house, key, wanted, answer)
        await request.app[KEEPER].keep()
    return response_of(answer, call.id)


def read_wanted(body: bytes, largest: int) -> Wanted:
    """What the client announces.  Raises BadRequest for anything but a file that may be created."""
    check_object(body)
    asked = _wanted.decode(body)
    if not isinstance(asked.file_name, str) or not asked.file_name.strip() or len(asked.file_name) > LONGEST_NAME:
        raise BadRequest("file_name must be the name of the file", "file_name")
    size = _size(asked.file_size)
    if size is None or size <= 0:
        raise BadRequest("file_size must be the file's size in bytes, and more than 0", "file_size")
    if size > largest:
        raise BadRequest(f"the file may have at most {largest:,} bytes", "file_size")
    if asked.use_case not in (None, USE_CASE):
        raise BadRequest(f"use_case must be {USE_CASE!r}", "use_case")
    complete = asked.use_case == USE_CASE and asked.file_size == size
    return Wanted(asked.file_name, size, body if complete else rewritten(body, use_case=USE_CASE, file_size=size))


def _size(value: Any) -> int | None:
    """A number, or the same in quotes."""
    if isinstance(value, str) and len(value) <= 15 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _usable(body: bytes, *, loopback_allowed: bool) -> bool:
    """Whether the backend's answer names a file, and an address that a client may be sent to."""
    try:
        made = _created.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return bool(FILE_ID.match(made.file_id)) and may_lead_out(made.upload_url, loopback_allowed=loopback_allowed)


def _remember(house: House, key: Key, wanted: Wanted, answer: CallAnswer) -> None:
    assert answer.account_id is not None
    now = time.time()
    record = FileRecord(
        id=_created.decode(answer.body).file_id,
        pool_id=key.pool.id,
        api_key_id=key.id,
        account_id=answer.account_id,
        name=clean(wanted.name) or "file",
        bytes=wanted.size,
        purpose=USE_CASE,
        status=PENDING,
        created_at=now,
        expires_at=now + house.snapshot.current.settings.files.upload_ttl_seconds,
    )
    house.files.add(record)


async def _finish_file(request: web.Request) -> web.StreamResponse:
    caller, file_id = caller_of(request), request.match_info["file_id"]
    house = caller.house
    try:
        if FILE_ID.match(file_id):
            await request.app[KEEPER].look_up(file_id)
        record = house.files.owned(file_id, caller.key.pool.id, time.time())
    except FileRefused as exc:
        return refusal(exc.status, exc.code, exc.message)
    except UNAVAILABLE:
        return refusal(503, "file_lookup_unavailable", "the gateway cannot look up this file right now; try again")
    body = await read_body(request, MAX_BODY_BYTES) or b"{}"
    check_object(body)
    call = call_of(
        caller,
        path=f"/files/{file_id}/uploaded",
        route=FINISH_ROUTE,
        route_class=ROUTE_CLASS,
        body=body,
        pinned=record.account_id,
        replayable=True,
        check=_completed,
        ready=_is_ready,
    )
    answer = await carry(caller, call)
    _note_end(house, record, answer)
    await request.app[KEEPER].keep()
    return response_of(answer, call.id)


def _is_ready(body: bytes) -> bool:
    return bool(_read_finished(body).status != "retry")


def _completed(body: bytes) -> Failure | None:
    """A file that is still not ready when the time is over stays as it is: the client may ask again."""
    finished = _read_finished(body)
    has_address = isinstance(finished.download_url, str) and bool(finished.download_url)
    return None if finished.status == "retry" or (finished.status in DONE and has_address) else INCOMPLETE


def _read_finished(body: bytes) -> _Finished:
    try:
        return _finished.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Finished()


def _note_end(house: House, record: FileRecord, answer: CallAnswer) -> None:
    if answer.failure is INCOMPLETE and record.status == PENDING:
        house.files.move(record.id, ABANDONED)
    elif answer.status < 300 and not answer.failure and _read_finished(answer.body).status in DONE:
        house.files.move(record.id, UPLOADED)
