"""Transcriptions of the OpenAI API in the backend's words: which fields go along, and how its text is given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from codex_pooler.protocol.multipart import Part
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest

MODEL = "gpt-4o-transcribe"
# names that tools have for the one model there is
ALIASES = frozenset(
    {
        "",
        MODEL,
        "gpt-4o-mini-transcribe",
        "gpt-transcribe",
        "whisper-1",
        "whisper",
        "whisper-large-v3",
        "whisper-large-v3-turbo",
    }
)
DATED = ("gpt-4o-transcribe-20", "gpt-4o-mini-transcribe-20")
JSON, TEXT, VERBOSE = "json", "text", "verbose_json"
FORMATS = (JSON, TEXT, VERBOSE)
SENT = ("prompt", "language")
READ = frozenset({"file", "model", "response_format", "temperature", "stream", "include", *SENT})
NO_LOGPROBS = "the backend gives no log probabilities; leave out include"
TIMES = "the backend gives the text without times or speakers"
NO_MODEL = f"there is one model that transcribes; set model to {MODEL}, or to one of its other names such as whisper-1"


@dataclass(frozen=True, slots=True)
class Transcription:
    """A recording to be transcribed: the fields that go along with it, and the shape of the answer."""

    fields: tuple[tuple[str, str], ...] = field(repr=False)
    shape: str
    stream: bool
    language: str | None
    ignored: tuple[str, ...]


def read_transcription(form: Form) -> Transcription:
    """What is asked for, the recording aside.  Raises BadRequest."""
    shape = form.text("response_format") or JSON
    if shape not in FORMATS:
        message = f"{TIMES}; set response_format to {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise BadRequest(message, "response_format", UNSUPPORTED)
    if form.texts("include"):
        raise BadRequest(NO_LOGPROBS, "include", UNSUPPORTED)
    ignored = form.others(READ)
    if form.text("temperature") not in (None, "0", "0.0"):
        ignored.append("temperature")
    fields = [(name, value) for name in SENT if (value := form.text(name))]
    return Transcription(tuple(fields), shape, form.flag("stream"), form.text("language"), tuple(ignored))


def model_of(name: str) -> str:
    """The backend's model for the name that a client has for it.  Raises BadRequest."""
    wanted = name.casefold()
    if wanted in ALIASES or wanted.startswith(DATED):
        return MODEL
    raise BadRequest(NO_MODEL, "model", "invalid_model")


def sent_fields(asked: Transcription) -> list[Part]:
    """The fields as parts of the backend's form."""
    return [Part(name, memoryview(value.encode())) for name, value in asked.fields]


class _Heard(msgspec.Struct):
    text: str
    usage: Any = None
    language: Any = None
    duration: Any = None


_heard = msgspec.json.Decoder(_Heard)


def heard(body: bytes) -> _Heard | None:
    """The backend's answer; None when it has no text."""
    try:
        return _heard.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def shaped(asked: Transcription, body: bytes) -> tuple[str, bytes]:
    """Media type and body of the answer.  Of ``verbose_json`` there is what the backend tells."""
    answer = _heard.decode(body)
    if asked.shape == TEXT:
        return "text/plain", answer.text.encode() + b"\n"
    usage = {"usage": answer.usage} if answer.usage else {}
    if asked.shape == JSON:
        return "application/json", orjson.dumps({"text": answer.text, **usage})
    said = {"task": "transcribe", "language": answer.language or asked.language, "duration": answer.duration}
    return "application/json", orjson.dumps({**said, "text": answer.text, "segments": [], **usage})


def events_of(body: bytes) -> bytes:
    """The answer as a stream: its text in one piece, and its end."""
    answer = _heard.decode(body)
    usage = {"usage": answer.usage} if answer.usage else {}
    delta = {"type": "transcript.text.delta", "delta": answer.text}
    return event(delta) + event({"type": "transcript.text.done", "text": answer.text, **usage})


def event(said: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (str(said["type"]).encode(), orjson.dumps(said))
