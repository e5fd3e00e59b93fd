"""Transcription under ``/v1``: the recording goes the way of dictation, its text comes back as the OpenAI API gives
it."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.openai.audio import (
    MODEL,
    TEXT,
    events_of,
    heard,
    model_of,
    read_transcription,
    sent_fields,
    shaped,
)
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.web.runtime.audio import largest, read_recording, recording_in, transcribing
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.v1.entry import check_ignored, entered
from codex_pooler.web.runtime.v1.patience import Waiting
from codex_pooler.web.runtime.v1.told import carried, failure_in, headers_of

ROUTE = "/v1/audio/transcriptions"
NO_TEXT = Failure(502, "transcription_failed", "the backend answered the recording without a text; send it again")


def add_v1_audio_routes(app: web.Application) -> None:
    """Register transcription."""
    app.router.add_post(ROUTE, transcribe)


async def transcribe(request: web.Request) -> web.StreamResponse:
    """One recording as text."""
    return await entered(request, _transcribe)


async def _transcribe(request: web.Request, caller: Caller) -> web.StreamResponse:
    parts = await read_recording(request, caller)
    form = Form(parts)
    asked, recording = read_transcription(form), recording_in(parts, largest(caller))
    check_ignored(caller, asked.ignored)
    named = form.text("model") or MODEL
    model = caller.key.pool.model_named(named) or named
    call = transcribing(caller, recording, model_of(model), sent_fields(asked), ROUTE, check=_has_text)
    seconds = 0.0 if asked.shape == TEXT else caller.house.budgets.keepalive
    waiting = Waiting(request, headers_of(call.id, asked.ignored), events=asked.stream, seconds=seconds)
    answer = await waiting.until(carried(caller, call))
    if failure := failure_in(answer):
        return waiting.failed(failure)
    if asked.stream:
        return waiting.answered(events_of(answer.body))
    kind, body = shaped(asked, answer.body)
    return waiting.answered(body, kind)


def _has_text(body: bytes) -> Failure | None:
    return None if heard(body) else NO_TEXT
