"""Pictures in the backend's words and back, without a socket."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.multipart import Part
from codex_pooler.protocol.openai import images
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.openai.images import Drawing
from codex_pooler.protocol.requests import BadRequest

PNG = b"\x89PNG\r\n\x1a\n rest"


def drawing(**given: Any) -> Drawing:
    return images.read_generation(orjson.dumps({"prompt": "p", **given}))


def field(name: str, value: bytes) -> Part:
    return Part(name, memoryview(value))


def answer(**more: Any) -> bytes:
    return orjson.dumps({"created": 7, "data": [{"b64_json": "QUJD", "generation_id": "gen_1"}], **more})


# what tools and SDKs send -> what the backend gets beside the prompt, and what is named as ignored
CORPUS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {"model": "gpt-image-2"}, ()),
    ({"model": "gpt-image-1", "n": 1, "size": "auto"}, {"model": "gpt-image-1", "size": "auto"}, ()),
    ({"quality": "standard", "style": "natural"}, {"model": "gpt-image-2", "quality": "auto"}, ("style",)),
    ({"response_format": "b64_json", "user": ""}, {"model": "gpt-image-2"}, ()),
    ({"moderation": "low", "background": None}, {"model": "gpt-image-2"}, ("moderation",)),
    ({"partial_images": 0, "output_compression": 80}, {"model": "gpt-image-2"}, ("output_compression",)),
    (
        {"output_format": "webp", "seed": 5, "size": "1792x1024"},
        {"model": "gpt-image-2", "output_format": "webp", "size": "1792x1024"},
        ("seed",),
    ),
]


@pytest.mark.parametrize(("asked", "members", "ignored"), CORPUS)
def test_requests_of_tools_become_the_backends(
    asked: dict[str, Any], members: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    made = drawing(**asked)
    assert made.members == {"prompt": "p", **members}
    assert made.ignored == ignored
    assert orjson.loads(images.body_of(made, "m")) == {"prompt": "p", **members, "model": "m"}


@pytest.mark.parametrize(("asked", "members", "ignored"), CORPUS)
def test_a_form_says_the_same_as_json(asked: dict[str, Any], members: dict[str, Any], ignored: tuple[str, ...]) -> None:
    fields = [field(name, str(value).encode()) for name, value in asked.items() if value is not None]
    made = images.read_form_edit(Form([field("prompt", b"p"), field("image[]", PNG), *fields]))
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert made.members == {"prompt": "p", **members, "images": [{"image_url": url}]}
    assert set(made.ignored) == set(ignored)


@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt", "model", "n", "stream", "size", "image", "images", "mask", "user", "response_format"]
        ),
        st.none()
        | st.booleans()
        | st.integers(-3, 12)
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_whatever_json_says_it_is_read_or_refused(given: dict[str, Any]) -> None:
    for read in (images.read_generation, images.read_json_edit):
        with suppress(BadRequest):
            assert 1 <= read(orjson.dumps(given)).count <= images.MOST


def test_bodies_that_are_no_object_are_refused() -> None:
    for body in (b"", b"[]", b"{", b'"x"', b'{"prompt": "\xff"}', b'{"prompt":' + b"[" * 100_000):
        with pytest.raises(BadRequest):
            images.read_generation(body)


def test_answers_without_a_picture_are_objected_to() -> None:
    for body in (
        b"",
        b"{}",
        b"[]",
        answer(data=[]),
        answer(data=[{}]),
        answer(data=[{"b64_json": ""}]),
        b'{"data": 5}',
    ):
        assert images.objection(body) is images.NO_PICTURE, body
    assert images.objection(answer()) is None


def test_pictures_are_joined_and_their_usage_added_up() -> None:
    usages: list[dict[str, Any]] = [
        {"total_tokens": 3, "input_tokens_details": {"text_tokens": 1}},
        {"total_tokens": 4, "input_tokens_details": {"text_tokens": 2, "image_tokens": 5}},
    ]
    bodies = [answer(usage=usage, size="1254x1254") for usage in usages]
    joined = orjson.loads(images.joined(drawing(n=2), bodies))
    assert len(joined["data"]) == 2
    assert joined["size"] == "1254x1254"
    assert joined["usage"] == {"total_tokens": 7, "input_tokens_details": {"text_tokens": 3, "image_tokens": 5}}
    assert "usage" not in orjson.loads(images.joined(drawing(), [answer()]))
    assert len(orjson.loads(images.joined(drawing(n=1), [answer(data=[{"b64_json": "QQ=="}] * 3)]))["data"]) == 1


def test_what_the_backend_decided_otherwise_is_named() -> None:
    asked = drawing(size="1024x1024", quality="high", background="auto", output_format="png")
    body = answer(size="1254x1254", quality="high", background="opaque")
    assert images.deviations(asked, [body]) == ["size"]
    assert images.deviations(drawing(), [body]) == []
