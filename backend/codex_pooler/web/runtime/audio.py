"""Dictation: a recording goes in as a form, its text comes back; the recording is kept nowhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from codex_pooler.gateway.call import CallRequest
from codex_pooler.keys.policy import check_model
from codex_pooler.protocol.multipart import FORM_DATA, MalformedForm, Part, write_form
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.web.bodies import BodyRefused
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import Caller, caller_of
from codex_pooler.web.runtime.calls import answer_call, call_of
from codex_pooler.web.runtime.forms import read_parts

ROUTE = "/backend-api/transcribe"
ROUTE_CLASS = "audio_transcription"
MODEL = "gpt-4o-transcribe"
RECORDING = "the recording"

# media type of the recording -> the ending of the name it gets; the client's own name for it stays here
ENDINGS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/webm": "webm",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "application/ogg": "ogg",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
UNSAID = ("", "application/octet-stream")


def add_audio_routes(app: web.Application) -> None:
    """Register transcription."""
    app.router.add_post(ROUTE, transcribe)


async def transcribe(request: web.Request) -> web.StreamResponse:
    """One recording as text."""
    return await answered(request, _transcribe)


async def _transcribe(request: web.Request) -> web.StreamResponse:
    caller = caller_of(request)
    parts = await read_recording(request, caller)
    recording, model = recording_in(parts, largest(caller)), _model(parts)
    others = [Part(part.name, part.data) for part in parts if part.name not in ("file", "model")]
    return await answer_call(caller, transcribing(caller, recording, model, others, ROUTE))


def largest(caller: Caller) -> int:
    """How many bytes a recording may have."""
    return caller.house.snapshot.current.settings.transcription.max_upload_bytes


async def read_recording(request: web.Request, caller: Caller) -> list[Part]:
    """The parts of a form with a recording.  Raises BadRequest, BodyRefused."""
    return await read_parts(request, largest(caller), RECORDING)


def transcribing(
    caller: Caller, recording: Part, model: str, others: Sequence[Part], route: str, **more: Any
) -> CallRequest:
    """The call for a recording: under its new name, with the model and what else goes along.  Raises PolicyRefused."""
    check_model(caller.key, model)
    boundary = secrets.token_hex(16)
    return call_of(
        caller,
        content_type=f"{FORM_DATA}; boundary={boundary}",
        path="/transcribe",
        route=route,
        route_class=ROUTE_CLASS,
        transport="http_multipart",
        body=write_form([recording, Part("model", memoryview(model.encode())), *others], boundary),
        model=model,
        replayable=True,
        **more,
    )


def recording_in(parts: Sequence[Part], limit: int) -> Part:
    """The field ``file``, under a name that says nothing but its kind.  Raises BadRequest, BodyRefused."""
    files = [part for part in parts if part.name == "file"]
    if len(files) != 1:
        raise BadRequest("the form must have one field 'file' with the recording", "file")
    (recording,) = files
    if not len(recording.data):
        raise BadRequest("the recording is empty", "file")
    if len(recording.data) > limit:
        raise BodyRefused(413, "request_too_large", f"the recording may have at most {limit:,} bytes")
    kind = (recording.content_type or "").partition(";")[0].strip().lower()
    name_ending = (recording.filename or "").rpartition(".")[2].lower()
    ending = ENDINGS.get(kind)
    if kind in UNSAID:
        ending = name_ending if name_ending in ENDINGS.values() else "wav"
    if ending is None:
        raise BadRequest("the recording must be wav, mpeg, mp4, webm or ogg", "file")
    content_type = kind if kind not in UNSAID else None
    return replace(recording, filename=f"audio.{ending}", content_type=content_type)


def _model(parts: Sequence[Part]) -> str:
    """The model the client names, else the one there is."""
    named = [part for part in parts if part.name == "model"]
    if not named:
        return MODEL
    try:
        model = named[0].text().strip()
    except MalformedForm as exc:
        raise BadRequest(str(exc), "model") from None
    if len(named) > 1 or not 0 < len(model) <= 128:
        raise BadRequest("the field 'model' must name one model", "model")
    return model
