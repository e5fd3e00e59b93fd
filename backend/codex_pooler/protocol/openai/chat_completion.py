"""A finished answer of the backend as one chat completion: what a client gets that asked for no stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from codex_pooler.protocol.openai.chat_answer import (
    CALLS,
    SEPARATOR,
    Shown,
    finish_reason,
    kind_of,
    output_of,
    picture,
    spoken,
    thoughts,
    tool_call,
    usage_of,
)
from codex_pooler.protocol.translation import Shape

COMPLETION = "chat.completion"


def completions(shown: Shown) -> Shape:
    """Makes completions of answers; see ``protocol.translation.Shape``."""
    return lambda answer: orjson.dumps(completion(answer, shown))


def completion(answer: Mapping[str, Any], shown: Shown) -> dict[str, Any]:
    """The completion object.  It says what the chunks of a stream would add up to."""
    said = message(output_of(answer), reasoning=shown.reasoning)
    choice = {
        "index": 0,
        "message": said,
        "logprobs": None,
        "finish_reason": finish_reason(answer, called="tool_calls" in said),
    }
    whole = {**shown.envelope(answer, COMPLETION), "choices": [choice]}
    if (usage := usage_of(answer)) is not None:
        whole["usage"] = usage
    if isinstance(tier := answer.get("service_tier"), str):
        whole["service_tier"] = tier
    return whole


def message(items: Sequence[Mapping[str, Any]], *, reasoning: bool) -> dict[str, Any]:
    """What the assistant says, thinks (if that is to be shown) and calls, in the items of an answer."""
    texts = [_joined(item, "content") for item in items if kind_of(item) == "message"]
    refusals = [_joined(item, "refusal") for item in items if kind_of(item) == "message"]
    calls = [tool_call(item) for item in items if kind_of(item) in CALLS]
    thought = [text for item in items if kind_of(item) == "reasoning" for _, text in thoughts(item)]
    content, refusal = SEPARATOR.join(filter(None, texts)), "".join(refusals)
    pictures = [made for item in items if (made := picture(item)) is not None]
    silent = not content and (calls or refusal or pictures)
    said: dict[str, Any] = {"role": "assistant", "content": None if silent else content, "refusal": refusal or None}
    if thought and reasoning:
        said["reasoning_content"] = SEPARATOR.join(thought)
    if calls:
        said["tool_calls"] = calls
    if pictures:
        said["images"] = pictures
    return said


def _joined(item: Mapping[str, Any], member: str) -> str:
    return "".join(said for _, of, said in spoken(item) if of == member)
