"""Transcriptions in the backend's words and back, without a socket."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.protocol.multipart import Part
from codex_pooler.protocol.openai import audio
from codex_pooler.protocol.openai.audio import Transcription
from codex_pooler.protocol.openai.forms import Form
from codex_pooler.protocol.requests import BadRequest


def asked(**fields: str) -> Transcription:
    return audio.read_transcription(Form([Part(name, memoryview(value.encode())) for name, value in fields.items()]))


# what tools and SDKs send -> what goes along with the recording, and what is named as ignored
CORPUS: list[tuple[dict[str, str], dict[str, str], tuple[str, ...]]] = [
    ({"model": "whisper-1"}, {}, ()),
    (
        {"model": "whisper-1", "language": "en", "prompt": "names", "temperature": "0"},
        {"prompt": "names", "language": "en"},
        (),
    ),
    ({"response_format": "verbose_json", "timestamp_granularities[]": "word"}, {}, ("timestamp_granularities",)),
    ({"temperature": "0.2", "prompt": ""}, {}, ("temperature",)),
    ({"stream": "true", "chunking_strategy": "auto"}, {}, ("chunking_strategy",)),
]


@pytest.mark.parametrize(("fields", "sent", "ignored"), CORPUS)
def test_requests_of_tools_become_the_backends(
    fields: dict[str, str], sent: dict[str, str], ignored: tuple[str, ...]
) -> None:
    made = asked(**fields)
    assert {part.name: part.text() for part in audio.sent_fields(made)} == sent
    assert made.ignored == ignored


@given(st.dictionaries(st.sampled_from([*audio.READ, "later"]), st.text(max_size=8)))
def test_whatever_a_form_says_it_is_read_or_refused(fields: dict[str, str]) -> None:
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    with suppress(BadRequest):
        assert asked(**clean).shape in audio.FORMATS


@given(st.text(max_size=50).map(lambda text: text.encode("utf-8", "replace").decode()))
def test_the_text_is_the_same_in_every_shape(text: str) -> None:
    body = orjson.dumps({"text": text, "usage": {"type": "duration", "seconds": 3}})
    assert audio.shaped(asked(response_format="text"), body) == ("text/plain", text.encode() + b"\n")
    for shape in ("json", "verbose_json"):
        said = orjson.loads(audio.shaped(asked(response_format=shape), body)[1])
        assert (said["text"], said["usage"]["seconds"]) == (text, 3)
    events = [orjson.loads(line[6:]) for line in audio.events_of(body).split(b"\n") if line.startswith(b"data: ")]
    assert [event.get("delta", event.get("text")) for event in events] == [text, text]


def test_answers_without_a_text_are_none() -> None:
    for body in (b"", b"{}", b"[]", b'{"text": null}', b'{"text": 5}'):
        assert audio.heard(body) is None
