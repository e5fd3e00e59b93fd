"""The two calls that make a file usable, whoever carries its bytes in between: announced, and later completed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.accounting.settlement import clean
from codex_pooler.gateway.call import CallAnswer, CallRequest
from codex_pooler.gateway.files import ABANDONED, PENDING, UPLOADED, FileRecord, FileRefused
from codex_pooler.gateway.house import House
from codex_pooler.jobs.file_records import FileKeeper
from codex_pooler.protocol.destinations import is_loopback, may_lead_out
from codex_pooler.protocol.failure import Failure
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.calls import call_of

KEEPER = web.AppKey("file_keeper", FileKeeper)
ROUTE_CLASS = "file_upload"
USE_CASE = "codex"
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


class Created(msgspec.Struct):
    """Where a file's bytes are to go."""

    file_id: str
    upload_url: str


class _Finished(msgspec.Struct):
    status: Any = None
    download_url: Any = None


created = msgspec.json.Decoder(Created)
_finished = msgspec.json.Decoder(_Finished)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as it is announced; ``body`` is what goes upstream."""

    name: str = field(repr=False)
    size: int
    body: bytes = field(repr=False)
    purpose: str = USE_CASE


def announcing(caller: Caller, wanted: Wanted, route: str) -> CallRequest:
    """The call that creates a file; it fails when the backend names an address that nobody may be sent to."""
    here = is_loopback(caller.house.backend.host)

    def check(body: bytes) -> Failure | None:
        return None if _usable(body, loopback_allowed=here) else NO_BRIDGE

    return call_of(caller, path="/files", route=route, route_class=ROUTE_CLASS, body=wanted.body, check=check)


def _usable(body: bytes, *, loopback_allowed: bool) -> bool:
    """Whether the backend's answer names a file, and an address that a client may be sent to."""
    try:
        made = created.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return bool(FILE_ID.match(made.file_id)) and may_lead_out(made.upload_url, loopback_allowed=loopback_allowed)


def remember(caller: Caller, wanted: Wanted, answer: CallAnswer) -> FileRecord | None:
    """Note the file that the backend created; None when it did not."""
    if answer.failure or answer.status >= 300:
        return None
    assert answer.account_id is not None
    house, key, now = caller.house, caller.key, time.time()
    record = FileRecord(
        id=created.decode(answer.body).file_id,
        pool_id=key.pool.id,
        api_key_id=key.id,
        account_id=answer.account_id,
        name=clean(wanted.name) or "file",
        bytes=wanted.size,
        purpose=wanted.purpose,
        status=PENDING,
        created_at=now,
        expires_at=now + house.snapshot.current.settings.files.upload_ttl_seconds,
    )
    house.files.add(record)
    return record


async def found(request: web.Request, caller: Caller, file_id: str) -> FileRecord:
    """The file, which the caller's pool may use.  Raises FileRefused, also when nobody can tell."""
    try:
        if FILE_ID.match(file_id):
            await request.app[KEEPER].look_up(file_id)
    except UNAVAILABLE:
        message = "the gateway cannot look up this file right now; try again"
        raise FileRefused(503, "file_lookup_unavailable", message) from None
    return caller.house.files.owned(file_id, caller.key.pool.id, time.time())


def completing(caller: Caller, record: FileRecord, route: str, body: bytes = b"{}") -> CallRequest:
    """The call that makes the backend take a file's bytes; asking again does no harm.

    Of a file that is still not ready when the time is over nothing is noted: the client may ask again.
    """
    path = f"/files/{record.id}/uploaded"
    call = call_of(
        caller,
        path=path,
        route=route,
        route_class=ROUTE_CLASS,
        body=body,
        pinned=record.account_id,
        replayable=True,
        check=_completed,
        ready=_is_ready,
    )
    return replace(call, method="POST")


def _is_ready(body: bytes) -> bool:
    return bool(_read_finished(body).status != "retry")


def _completed(body: bytes) -> Failure | None:
    finished = _read_finished(body)
    has_address = isinstance(finished.download_url, str) and bool(finished.download_url)
    return None if finished.status == "retry" or (finished.status in DONE and has_address) else INCOMPLETE


def _read_finished(body: bytes) -> _Finished:
    try:
        return _finished.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Finished()


def is_done(answer: CallAnswer) -> bool:
    """Whether the backend has taken the file."""
    return answer.status < 300 and not answer.failure and _read_finished(answer.body).status in DONE


def download_url(answer: CallAnswer) -> str:
    """Where the bytes of a file that is done can be read; empty when the backend does not say."""
    address = _read_finished(answer.body).download_url
    return address if isinstance(address, str) else ""


def note_end(house: House, record: FileRecord, answer: CallAnswer) -> None:
    """What became of the file."""
    if answer.failure is INCOMPLETE and record.status == PENDING:
        house.files.move(record.id, ABANDONED)
    elif is_done(answer):
        house.files.move(record.id, UPLOADED)
