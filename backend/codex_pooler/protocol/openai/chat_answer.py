"""What an answer of the backend is in Chat Completions: its id, text, tool calls, counts, and why it ended.

Streams and whole completions read answers through these functions, so that both always tell the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codex_pooler.protocol.usage import read_usage

RESPONSE_PREFIX, COMPLETION_PREFIX = "resp_", "chatcmpl-"
SEPARATOR = "\n\n"  # between two messages, or two summaries of thoughts, that become one string
# type of an output item -> (type of the tool call, member that holds what the tool is given, in both protocols)
CALLS: Mapping[str, tuple[str, str]] = {
    "function_call": ("function", "arguments"),
    "custom_tool_call": ("custom", "input"),
}
# type of a content part -> (member of the part, member of a chat message)
SPOKEN: Mapping[str, tuple[str, str]] = {"output_text": ("text", "content"), "refusal": ("refusal", "refusal")}
PICTURE = "image_generation_call"
INCOMPLETE = "incomplete"
LATEST = 10**11  # Unix seconds; a moment beyond is nonsense


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client sees beside what the model says.

    ``turn_id`` names an answer to which the backend gives no id, ``created`` (Unix seconds) dates one without a date,
    and ``model`` is shown where the backend names none, or always when the client knows it under a name of its own.
    """

    turn_id: str
    created: int
    model: str
    renamed: bool = False
    reasoning: bool = False  # summaries of what the model thought
    usage: bool = False  # at the end of a stream; a whole completion always has it

    def envelope(self, answer: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """What a completion and each of its chunks begins with; ``kind`` is its ``object``."""
        served = answer.get("model")
        model = served if isinstance(served, str) and served and not self.renamed else self.model
        name = completion_id(answer.get("id"), self.turn_id)
        return {"id": name, "object": kind, "created": created_at(answer, self.created), "model": model}


def completion_id(response_id: object, otherwise: str) -> str:
    """``chatcmpl-…`` with the backend's own letters; ``otherwise`` stands in for an answer without an id."""
    name = response_id if isinstance(response_id, str) and response_id else otherwise
    return COMPLETION_PREFIX + name.removeprefix(RESPONSE_PREFIX)


def created_at(answer: Mapping[str, Any], otherwise: int) -> int:
    """Unix seconds."""
    told = answer.get("created_at")
    return int(told) if isinstance(told, int | float) and 0 < told < LATEST else otherwise


def finish_reason(answer: Mapping[str, Any], *, called: bool) -> str:
    """Why the model stopped; ``called``: it asked for tools.  An answer that was cut is never a plain stop."""
    details = answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return "content_filter"
    if reason is not None or answer.get("status") == INCOMPLETE:
        return "length"
    return "tool_calls" if called else "stop"


def usage_of(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The counts in Chat Completions' words; None where the backend's do not add up."""
    usage = read_usage(answer.get("usage"))
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def output_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of a finished answer, as far as it tells them."""
    output = answer.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def kind_of(item: Mapping[str, Any]) -> str:
    """The type of an output item."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def picture(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an image tool made, as a content part with a data URL; None for other items, and while there is nothing."""
    data = item.get("result") if kind_of(item) == PICTURE else None
    if not isinstance(data, str) or not data:
        return None
    form = item.get("output_format")
    url = f"data:image/{form if isinstance(form, str) and form else 'png'};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url}}


def tool_call(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of one of the types in ``CALLS`` as a tool call; what the tool is given is empty while it is awaited."""
    kind, given = CALLS[item["type"]]
    call_id = item.get("call_id") or item.get("id") or ""
    return {"id": call_id, "type": kind, kind: {"name": item.get("name") or "", given: payload_of(item)}}


def payload_of(item: Mapping[str, Any]) -> str:
    """What a tool is given."""
    payload = item.get(CALLS[item["type"]][1])
    return payload if isinstance(payload, str) else ""


def spoken(item: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Of a message: the place of each part, the member of a chat message that takes it, and what it says."""
    content = item.get("content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        known = SPOKEN.get(str(part.get("type"))) if isinstance(part, dict) else None
        said = part.get(known[0]) if known else None
        if known and isinstance(said, str) and said:
            yield place, known[1], said


def thoughts(item: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Of a reasoning item: the place of each summary, and its text."""
    summary = item.get("summary")
    for place, part in enumerate(summary if isinstance(summary, list) else ()):
        said = part.get("text") if isinstance(part, dict) else None
        if isinstance(said, str) and said:
            yield place, said
