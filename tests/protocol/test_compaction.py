"""The old form of compaction becomes the present one, and its result the old answer with exactly one item."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from codex_pooler.protocol.compaction import (
    as_turn,
    compacted,
    conversation_digest,
    ends_in_compaction,
    is_compaction,
    kept_messages,
)
from codex_pooler.protocol.requests import BadRequest

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
TRIGGER = {"type": "compaction_trigger"}
SEALED = {"type": "compaction", "encrypted_content": "gAAA"}


def body(*items: Any, **members: Any) -> bytes:
    return json.dumps({"model": "gpt-5.5", "input": list(items), **members}).encode()


def test_an_old_request_becomes_a_streamed_turn_that_ends_with_the_trigger() -> None:
    turn = json.loads(as_turn(body(MESSAGE, instructions="be kind", tools=[], text={"verbosity": "low"})))
    assert turn == {
        "model": "gpt-5.5",
        "instructions": "be kind",
        "tools": [],
        "text": {"verbosity": "low"},
        "input": [MESSAGE, TRIGGER],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_what_the_backend_would_refuse_is_left_out_and_the_cache_key_found_in_both_spellings() -> None:
    turn = json.loads(as_turn(body(promptCacheKey="p", max_output_tokens=5, store=True, stream=False, user="u")))
    assert turn["prompt_cache_key"] == "p"
    assert set(turn) == {"model", "prompt_cache_key", "input", "stream", "store", "include"}
    assert json.loads(as_turn(body(promptCacheKey="p", prompt_cache_key="q")))["prompt_cache_key"] == "q"


def test_items_keep_their_bytes() -> None:
    odd = '{"type":"message","text":"\\u00e9 \\ud83d\\ude00","n":1.0,"big":123456789012345678901234567890}'
    assert odd.encode() in as_turn(b'{"model":"m","input":[' + odd.encode() + b"]}")


def test_a_trigger_that_is_there_already_is_not_doubled() -> None:
    assert json.loads(as_turn(body(MESSAGE, TRIGGER)))["input"] == [MESSAGE, TRIGGER]


@pytest.mark.parametrize("items", [(TRIGGER, MESSAGE), (TRIGGER, TRIGGER), (MESSAGE, TRIGGER, MESSAGE)])
def test_a_misplaced_trigger_is_refused(items: tuple[Any, ...]) -> None:
    for read in (as_turn, is_compaction):
        with pytest.raises(BadRequest) as caught:
            read(body(*items))
        assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'"x"', None),
        (b"{", None),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","input":"hi"}', "input"),
        (b'{"model":"m","input":{}}', "input"),
        (b'{"model":"m","input":null}', "input"),
        (b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    ],
)
def test_what_is_no_old_request_is_refused(raw: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        as_turn(raw)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        (body(MESSAGE, TRIGGER), True),
        (body(TRIGGER), True),
        (body(MESSAGE), False),
        (body({**MESSAGE, "content": "what is a compaction_trigger?"}), False),
        (body("compaction_trigger"), False),
        (body(MESSAGE, {"type": ["compaction_trigger"]}), False),
        (b'{"input":"compaction_trigger"}', False),
        (b'{"input":[{"type":"compaction_trigger"', False),
    ],
)
def test_the_present_form_is_recognised_by_its_last_item(raw: bytes, asked: bool) -> None:
    assert is_compaction(raw) is ends_in_compaction(raw) is asked


def test_a_conversation_without_a_name_is_named_by_its_first_sealed_item() -> None:
    other = {"type": "reasoning", "encrypted_content": "other"}
    digest = conversation_digest(body(MESSAGE, SEALED))
    assert digest
    assert digest == conversation_digest(body(MESSAGE, {"type": "x", "encrypted_content": 5}, 7, SEALED, other))
    assert digest != conversation_digest(body(MESSAGE, other, SEALED))
    assert conversation_digest(body(MESSAGE)) is None
    assert "gAAA" not in digest
    for unreadable in (b"", b'{"input":"\\"encrypted_content\\""', b'{"input":5,"encrypted_content":""}'):
        assert conversation_digest(unreadable) is None


def said(text: Any, **members: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text, **members}


def parts(*texts: str | None) -> list[dict[str, Any]]:
    return [
        {"type": "input_image", "image_url": "data:x"} if t is None else {"type": "input_text", "text": t}
        for t in texts
    ]


KEPT = [
    # the input, which of its items are kept
    ([], []),
    ([said("one"), SEALED, said(parts("two", None)), said("three", role="assistant"), said("four")], [0, 2, 4]),
    ([said("one", role="developer"), said("two", role="system"), {"type": "function_call_output", "output": "x"}], []),
    ([{"role": "user", "content": "without a type"}, "text", 5, None, said(5), said([5])], [0]),
    ([said(parts("<environment_context>\n <cwd>")), said(" # AGENTS.md instructions for /x"), said("<b>hi</b>")], [2]),
    ([said("old"), said("x" * 79_000), said("y" * 600), said("z" * 400)], [1, 2, 3]),
    ([said("old"), said("x" * 79_000), said("y" * 5000), said("z")], [2, 3]),
    ([said("before"), said(parts(*[None] * 14)), said("after")], [2]),
    ([said("")], [0]),
    ([said([])], []),
]


@pytest.mark.parametrize(("items", "kept"), KEPT)
def test_what_the_user_wrote_last_stays_readable(items: list[Any], kept: list[int]) -> None:
    assert [json.loads(bytes(item)) for item in kept_messages(body(*items))] == [items[number] for number in kept]


def test_what_is_kept_stands_before_the_compaction() -> None:
    answer = compacted(raw(SEALED), {}, kept_messages(body(MESSAGE)))
    assert answer is not None
    assert json.loads(answer)["output"] == [MESSAGE, SEALED]


def raw(*items: Any) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(item).encode()) for item in items]


def response(**members: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in members.items()}


NOISE = [MESSAGE, {"type": "reasoning", "encrypted_content": "r"}, {"type": "compaction"}, 5]
FULL = {
    "type": "compaction_summary",
    "id": "cmp_1",
    "encrypted_content": "gAAA",
    "status": "completed",
    "internal_chat_message_metadata_passthrough": {"turn_id": "t", "more": 1},
}
RESULTS = [
    # items of the turn's events, response it ended with, the one item of the answer
    ([SEALED], {}, SEALED),
    ([*NOISE, FULL], {}, {
        "type": "compaction",
        "encrypted_content": "gAAA",
        "id": "cmp_1",
        "internal_chat_message_metadata_passthrough": {"turn_id": "t"},
    }),
    ([], {"output": [*NOISE, SEALED]}, SEALED),
    ([SEALED], {"output": [SEALED]}, SEALED),
    ([{**SEALED, "encrypted_content": "old"}, SEALED], {}, SEALED),
    (NOISE, {"compaction_summary": {"encrypted_content": "gAAA"}}, SEALED),
    (NOISE, {"compaction_summary": "gAAA"}, SEALED),
]  # fmt: skip


@pytest.mark.parametrize(("items", "ended", "item"), RESULTS)
def test_the_answer_has_exactly_one_item(items: list[Any], ended: dict[str, Any], item: dict[str, Any]) -> None:
    answer = compacted(raw(*items), response(id="resp_1", usage={"input_tokens": 1}, **ended))
    assert answer is not None
    assert json.loads(answer) == {
        "object": "response.compaction",
        "id": "resp_1",
        "usage": {"input_tokens": 1},
        "output": [item],
    }


@pytest.mark.parametrize(
    ("items", "ended"),
    [
        ([], {}),
        (NOISE, {"output": NOISE}),
        ([{"type": "compaction", "encrypted_content": ""}], {}),
        ([], {"output": "x", "compaction_summary": 5}),
    ],
)
def test_a_turn_without_a_compaction_gives_no_answer(items: list[Any], ended: dict[str, Any]) -> None:
    assert compacted(raw(*items), response(**ended)) is None
