"""Pictures of the OpenAI API in the backend's words, and the backend's pictures as that API has them.

The backend makes one picture at a time and decides for itself on size, quality and format; it says what it chose.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.json_shape import check_object
from codex_pooler.protocol.multipart import Part
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest, check_count

DEFAULT_MODEL = "gpt-image-2"
FAMILIES = ("gpt-image-", "chatgpt-image-")
MOST = 10  # pictures of one request
CHOICES = ("background", "quality", "size", "output_format")  # what the backend says of a picture
QUALITIES: Mapping[str, str] = {"standard": "auto", "hd": "high"}  # names that older models had
SOURCES = ("image", "images", "mask")
READ = frozenset({"prompt", "model", "n", "stream", "response_format", *CHOICES, *SOURCES})
# what asks for nothing else than what happens anyway
NO_OPS: Mapping[str, tuple[Any, ...]] = {
    "partial_images": (0, "0"),
    "moderation": ("auto",),
    "output_compression": (100, "100"),
    "input_fidelity": ("low",),
    "user": ("",),
}
SIGNS = ((b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
MASKED = (
    "\n\nThe last of the images is a mask of the first: change only what is transparent in it, and leave all else as it"
    " is."
)
NO_PICTURE = Failure(502, "image_generation_failed", "the backend answered without a picture; try again")
AS_BASE64 = "pictures are not kept anywhere that has an address; set response_format to b64_json, or leave it out"
BY_ID = "pictures to edit cannot be named by a file's id; send each as image_url with a data: URL"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A request for pictures; ``members`` are those that the backend gets, with the model as the client calls it."""

    members: Mapping[str, Any] = field(repr=False)
    count: int
    stream: bool
    ignored: tuple[str, ...]

    @property
    def model(self) -> str:
        return str(self.members["model"])


_members = msgspec.json.Decoder(dict[str, Any])


def read_generation(body: bytes) -> Drawing:
    """A picture from nothing but words.  Raises BadRequest."""
    return _drawing(_object(body))


def read_json_edit(body: bytes) -> Drawing:
    """Pictures to be changed, in JSON as ``data:`` URLs.  Raises BadRequest."""
    given = _object(body)
    pictures = _listed(given.get("images")) + _listed(given.get("image"))
    return _drawing(given, [_address(one) for one in pictures], [_address(one) for one in _listed(given.get("mask"))])


def read_form_edit(form: Form) -> Drawing:
    """Pictures to be changed, as files of a form.  Raises BadRequest."""
    names = [*(READ - set(SOURCES)), *NO_OPS]
    given: dict[str, Any] = {name: value for name in names if (value := form.text(name)) is not None}
    given |= dict.fromkeys(form.others([*names, *SOURCES]), True)
    given["n"] = _number(given.get("n"))
    given["stream"] = form.flag("stream")
    pictures = [_data_url(part, "image") for part in form.files("image") + form.files("images")]
    return _drawing(given, pictures, [_data_url(part, "mask") for part in form.files("mask")])


def _object(body: bytes) -> dict[str, Any]:
    check_object(body)
    try:
        found: dict[str, Any] = _members.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
    check_count(found)
    return found


def _number(text: Any) -> Any:
    return int(text) if isinstance(text, str) and len(text) < 9 and text.isascii() and text.isdigit() else text


def _drawing(given: Mapping[str, Any], pictures: Sequence[str] | None = None, masks: Sequence[str] = ()) -> Drawing:
    given = {name: value for name, value in given.items() if value is not None}
    members: dict[str, Any] = {"prompt": _text(given, "prompt"), "model": _text(given, "model", DEFAULT_MODEL)}
    members |= {name: _text(given, name) for name in CHOICES if name in given}
    if "quality" in members:
        members["quality"] = QUALITIES.get(members["quality"], members["quality"])
    if pictures is not None:
        members |= _to_edit(members["prompt"], pictures, masks)
    if given.get("response_format", "b64_json") != "b64_json":
        raise BadRequest(AS_BASE64, "response_format", UNSUPPORTED)
    count, stream = given.get("n", 1), given.get("stream", False)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise BadRequest(f"n must be a number from 1 to {MOST}", "n")
    if not isinstance(stream, bool):
        raise BadRequest("stream must be true or false", "stream")
    return Drawing(members, count, stream, tuple(_without_effect(given)))


def _text(given: Mapping[str, Any], name: str, otherwise: str | None = None) -> str:
    value = given.get(name, otherwise)
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"the member '{name}' must be a text that is not empty", name)
    return value


def _without_effect(given: Mapping[str, Any]) -> Iterable[str]:
    return (name for name, value in given.items() if name not in READ and value not in NO_OPS.get(name, ()))


def _to_edit(prompt: str, pictures: Sequence[str], masks: Sequence[str]) -> dict[str, Any]:
    """The backend knows no masks: they go along as what they are, and the prompt says so."""
    if not pictures:
        raise BadRequest("send at least one picture to edit", "image")
    if len(masks) > 1:
        raise BadRequest("send one mask at most", "mask")
    images = [{"image_url": address} for address in [*pictures, *masks]]
    return {"images": images, **({"prompt": prompt + MASKED} if masks else {})}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _address(picture: Any) -> str:
    """Where a picture is: ``data:…`` or ``https://…``, plain or in an object."""
    if isinstance(picture, dict):
        if picture.get("file_id"):
            raise BadRequest(BY_ID, "images", UNSUPPORTED)
        picture = picture.get("image_url")
    if not isinstance(picture, str) or not picture.startswith(("data:image/", "https://")):
        raise BadRequest("a picture to edit must be a data: URL of an image, or an https: URL", "images")
    return picture


def _data_url(part: Part, name: str) -> str:
    kind = next((kind for sign, kind in SIGNS if bytes(part.data[: len(sign)]) == sign), None)
    if kind is None:
        raise BadRequest("a picture to edit must be PNG, JPEG, WebP or GIF", name)
    return f"data:image/{kind};base64,{base64.b64encode(part.data).decode()}"


def check_family(model: str) -> None:
    """Raises BadRequest for a model that makes no pictures here."""
    if not model.startswith(FAMILIES):
        message = f"pictures are made by models such as {DEFAULT_MODEL}; set model to that, or leave it out"
        raise BadRequest(message, "model", "invalid_model")


def body_of(asked: Drawing, model: str) -> bytes:
    """The backend's request for one of the pictures."""
    return orjson.dumps({**asked.members, "model": model})


class _Picture(msgspec.Struct):
    b64_json: msgspec.Raw


class Drawn(msgspec.Struct):
    """The backend's answer; the pictures' bytes stay as they came."""

    data: list[msgspec.Raw]
    created: int = 0
    background: Any = None
    quality: Any = None
    size: Any = None
    output_format: Any = None
    usage: Any = None


_drawn, _picture = msgspec.json.Decoder(Drawn), msgspec.json.Decoder(_Picture)


def objection(body: bytes) -> Failure | None:
    """What is wrong with an answer that has no picture."""
    try:
        drawn = _drawn.decode(body)
        pictures = [bytes(_picture.decode(one).b64_json) for one in drawn.data]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_PICTURE
    return None if pictures and all(one.startswith(b'"') and len(one) > 2 for one in pictures) else NO_PICTURE


def deviations(asked: Drawing, bodies: Sequence[bytes]) -> list[str]:
    """What the backend decided otherwise than it was asked to."""
    answers = [_drawn.decode(body) for body in bodies]
    wanted = {name: asked.members[name] for name in CHOICES if asked.members.get(name, "auto") != "auto"}
    return [name for name, value in wanted.items() if any(getattr(one, name) not in (None, value) for one in answers)]


def joined(asked: Drawing, bodies: Sequence[bytes], failure: Mapping[str, Any] | None = None) -> bytes:
    """All pictures in one answer.  ``failure``: why there are fewer of them than were asked for."""
    answers = [_drawn.decode(body) for body in bodies]
    pictures = [one for answer in answers for one in answer.data][: asked.count]
    said: dict[str, Any] = {"created": answers[0].created, "data": pictures, **_choices(answers[0])}
    if usage := _sum([answer.usage for answer in answers]):
        said["usage"] = usage
    if failure:
        said["incomplete"] = {"asked": asked.count, "made": len(pictures), "error": failure}
    return msgspec.json.encode(said)


def event_of(kind: str, body: bytes) -> bytes:
    """A picture as the event that completes it; ``kind``: image_generation or image_edit."""
    answer = _drawn.decode(body)
    said = {"type": f"{kind}.completed", "created_at": answer.created, **_choices(answer), "usage": answer.usage}
    said["b64_json"] = _picture.decode(answer.data[0]).b64_json
    return b"event: %b\ndata: %b\n\n" % (f"{kind}.completed".encode(), msgspec.json.encode(said))


def _choices(answer: Drawn) -> dict[str, Any]:
    return {name: value for name in CHOICES if (value := getattr(answer, name)) is not None}


def _sum(usages: Sequence[Any]) -> Any:
    """Numbers added up, member by member."""
    told = [one for one in usages if one is not None]
    if told and all(isinstance(one, dict) for one in told):
        names = dict.fromkeys(name for one in told for name in one)
        return {name: _sum([one.get(name) for one in told]) for name in names}
    return sum(one for one in told if isinstance(one, int)) if told else None
