"""The content of chat messages, part by part, in the backend's words.  Texts and media keep their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from codex_pooler.protocol.requests import BadRequest

Made = dict[str, Any]
NULLS = (b"", b"null")
TEXTS = frozenset({"text", "input_text", "output_text"})
UNSAID = frozenset({"thinking", "redacted_thinking", "reasoning"})  # the backend takes thoughts sealed or not at all
AUDIO = {"mp3": "mpeg", "m4a": "mp4"}  # format -> media type, where they differ
TAKEN = "text, image_url, file and input_audio"


class Part(msgspec.Struct):
    """A content part of Chat Completions, of the AI SDK's messages, or of Responses, which some clients mix in."""

    type: str | None = None
    text: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    image_url: msgspec.Raw = msgspec.Raw()
    detail: Any = None
    file: msgspec.Raw = msgspec.Raw()
    file_id: msgspec.Raw = msgspec.Raw()
    file_data: msgspec.Raw = msgspec.Raw()
    file_url: msgspec.Raw = msgspec.Raw()
    filename: msgspec.Raw = msgspec.Raw()
    input_audio: msgspec.Raw = msgspec.Raw()
    call_id: Any = msgspec.field(default=None, name="toolCallId")
    tool: Any = msgspec.field(default=None, name="toolName")
    args: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()


class _Image(msgspec.Struct):
    url: msgspec.Raw = msgspec.Raw()
    detail: Any = None


class _Audio(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    format: Any = None


class _Outcome(msgspec.Struct):
    """What a tool gave, as the AI SDK wraps it."""

    type: Any = None
    value: msgspec.Raw = msgspec.Raw()


_parts = msgspec.json.Decoder(list[Part])
_image, _audio = msgspec.json.Decoder(_Image), msgspec.json.Decoder(_Audio)
_file, _outcome = msgspec.json.Decoder(Part), msgspec.json.Decoder(_Outcome)


def parts_of(content: msgspec.Raw, where: str) -> Sequence[Part]:
    """The parts of a message's content; a plain text is one.  Raises BadRequest."""
    text = bytes(content)
    if text in NULLS:
        return ()
    if text.startswith(b'"'):
        return (Part("text", content),)
    try:
        return _parts.decode(content)
    except msgspec.ValidationError:
        raise BadRequest(f"{where} must be a text or a list of parts", where) from None


def is_text(value: msgspec.Raw) -> bool:
    """True for a JSON string."""
    return bytes(value).startswith(b'"')


def joined(parts: Sequence[Part], where: str) -> str:
    """What parts say that may hold nothing but text.  Raises BadRequest."""
    return "".join(msgspec.json.decode(_text(part, f"{where}[{place}]")["text"]) for place, part in enumerate(parts))


def given(part: Part, where: str) -> Made:
    """What a user or a tool shows the model.  Raises BadRequest."""
    make = GIVEN.get(part.type or "")
    if make is None:
        told = f"parts of this type cannot be sent to the model; choose from {TAKEN}"
        raise BadRequest(f"{where}.type: {told}", f"{where}.type")
    return make(part, where)


def said(part: Part, where: str) -> Made | None:
    """What the assistant said; None for thoughts.  Raises BadRequest."""
    if part.type in UNSAID:
        return None
    if part.type == "refusal" and is_text(part.refusal):
        return {"type": "refusal", "refusal": part.refusal}
    return {**_text(part, where), "type": "output_text"}


def outcome(part: Part) -> msgspec.Raw:
    """What a tool gave, as a text: its own, or the JSON of whatever else it is."""
    value = part.output if bytes(part.output) not in NULLS else part.result
    if bytes(value).startswith(b"{"):
        wrapped = _outcome.decode(value)
        value = wrapped.value if wrapped.type and bytes(wrapped.value) not in NULLS else value
    return value if is_text(value) else as_text(value)


def as_text(value: msgspec.Raw) -> msgspec.Raw:
    """A JSON string that holds this JSON."""
    return msgspec.Raw(msgspec.json.encode(bytes(value).decode("utf-8", "replace")))


def _text(part: Part, where: str) -> Made:
    if part.type not in TEXTS:
        raise BadRequest(f"{where}.type: only text may stand here", f"{where}.type")
    if not is_text(part.text):
        raise BadRequest(f"{where}.text must be a text", f"{where}.text")
    return {"type": "input_text", "text": part.text}


def _picture(part: Part, where: str) -> Made:
    """``image_url`` is an address, or an object with one."""
    url, detail = part.image_url, part.detail
    if bytes(url).startswith(b"{"):
        image = _image.decode(url)
        url, detail = image.url, image.detail
    made: Made = {"type": "input_image", "image_url": url} if is_text(url) else {"type": "input_image"}
    if is_text(part.file_id):
        made["file_id"] = part.file_id
    if len(made) == 1:
        raise BadRequest(f"{where}.image_url.url must be an address or a data URL", f"{where}.image_url")
    return {**made, "detail": detail} if detail else made


def _document(part: Part, where: str) -> Made:
    inner = _file.decode(part.file) if bytes(part.file).startswith(b"{") else part
    members = {"file_id": inner.file_id, "file_data": inner.file_data, "file_url": inner.file_url}
    made = {name: value for name, value in members.items() if is_text(value)}
    if not made:
        raise BadRequest(f"{where}.file needs a file_id, or file_data with a filename", f"{where}.file")
    if "file_id" not in made and is_text(inner.filename):
        made["filename"] = inner.filename
    return {"type": "input_file", **made}


def _sound(part: Part, where: str) -> Made:
    audio = _audio.decode(part.input_audio) if bytes(part.input_audio).startswith(b"{") else _Audio()
    if not is_text(audio.data) or not isinstance(audio.format, str) or not audio.format.isalnum():
        raise BadRequest(f"{where}.input_audio needs data (base64) and format", f"{where}.input_audio")
    kind = AUDIO.get(audio.format, audio.format)
    url = b'"data:audio/%b;base64,%b' % (kind.encode(), bytes(audio.data)[1:])
    return {"type": "input_audio", "audio_url": msgspec.Raw(url)}


GIVEN: Mapping[str, Callable[[Part, str], Made]] = {
    **dict.fromkeys(TEXTS, _text),
    "image_url": _picture,
    "input_image": _picture,
    "file": _document,
    "input_file": _document,
    "input_audio": _sound,
}
