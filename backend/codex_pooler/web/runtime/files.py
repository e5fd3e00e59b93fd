"""Files of native clients: announced here, uploaded by the client itself to the backend's storage, completed here."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.protocol.json_shape import check_object
from codex_pooler.protocol.requests import BadRequest, rewritten
from codex_pooler.web.bodies import read_body
from codex_pooler.web.context import CONTEXT
from codex_pooler.web.errors import answered, refusal
from codex_pooler.web.runtime.caller import HOUSE, caller_of
from codex_pooler.web.runtime.calls import carry, response_of
from codex_pooler.web.runtime.file_calls import (
    KEEPER,
    USE_CASE,
    Wanted,
    announcing,
    completing,
    found,
    note_end,
    remember,
)

CREATE_ROUTE = "/backend-api/files"
FINISH_ROUTE = "/backend-api/files/{file_id}/uploaded"
MAX_BODY_BYTES = 1024 * 1024
LONGEST_NAME = 1024


class _Wanted(msgspec.Struct):
    file_name: Any = None
    file_size: Any = None
    use_case: Any = None


_wanted = msgspec.json.Decoder(_Wanted)


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
    if request.content_type.startswith("multipart/"):
        message = "announce the file as JSON (file_name, file_size), then PUT its bytes to the answer's upload_url"
        return refusal(400, "unsupported_multipart_file_create", message)
    largest = caller.house.snapshot.current.settings.files.max_size_bytes
    wanted = read_wanted(await read_body(request, MAX_BODY_BYTES), largest)
    call = announcing(caller, wanted, CREATE_ROUTE)
    answer = await carry(caller, call)
    if remember(caller, wanted, answer):
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


async def _finish_file(request: web.Request) -> web.StreamResponse:
    caller = caller_of(request)
    record = await found(request, caller, request.match_info["file_id"])
    body = await read_body(request, MAX_BODY_BYTES) or b"{}"
    check_object(body)
    call = completing(caller, record, FINISH_ROUTE, body)
    answer = await carry(caller, call)
    note_end(caller.house, record, answer)
    await request.app[KEEPER].keep()
    return response_of(answer, call.id)
