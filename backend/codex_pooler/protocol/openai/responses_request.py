"""Requests of the public Responses API in the backend's words: what it takes, what is left out, and what is refused
because without it the answer would mean something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from codex_pooler.protocol.openai.members import Given, left_out, read_members
from codex_pooler.protocol.openai.responses_input import REFERENCE, read_input
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest
from codex_pooler.protocol.translation import Translated

PASSED = frozenset({"instructions", "parallel_tool_calls", "text", "client_metadata", "service_tier"})
NAMES = frozenset({"model", "prompt_cache_key"})  # whoever makes a turn of this reads them
READ = frozenset({"input", "tools", "tool_choice", "reasoning", "include"})
OF_FRAMES = frozenset({"type", "generate", "previous_response_id"})
HANDLED = frozenset({"stream", "stream_options", "stream_id", "request_id"})
# other names that tools have for members of ``reasoning``
EFFORTS = ("reasoning_effort", "reasoningEffort")
SUMMARIES = ("reasoning_summary", "reasoningSummary")
THINKING = ("thinking", "enable_thinking")
ALIASES = frozenset({*EFFORTS, *SUMMARIES, *THINKING})
# values that ask for what happens anyway
NO_OPS: Mapping[str, tuple[Any, ...]] = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "temperature": (1,),
    "top_p": (1,),
    "top_logprobs": (0,),
    "metadata": ({},),
    "moderation": ({},),
}
# what nobody can leave out without changing what the answer means -> what to do instead
REFUSED: Mapping[str, str] = {
    "background": "turns do not run in the background here; leave out background and set stream instead",
    "conversation": "no conversations are stored here; leave out conversation and send its items as input",
    "prompt": "no prompt templates are stored here; leave out prompt and send its text as instructions and input",
    "top_logprobs": "the backend gives no log probabilities; leave out top_logprobs",
}
LOST_RESPONSE = (
    "over HTTP no response is kept that another could continue; leave out previous_response_id and send the whole"
    " conversation as input, or use the websocket of /v1/responses"
)
LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
SEARCHES = frozenset({"web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26"})
# tools that run at OpenAI's API and not in the backend of Codex
ELSEWHERE = frozenset({"mcp", "file_search", "code_interpreter", "computer", "computer_use_preview", "shell"})
OFFERED = "function, custom, web_search and image_generation"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a turn; ``stream``: its client wants events."""

    turn: Translated
    stream: bool


class _Tool(msgspec.Struct):
    type: Any = None
    function: dict[str, msgspec.Raw] | None = None


_tools, _tool = msgspec.json.Decoder(list[msgspec.Raw]), msgspec.json.Decoder(_Tool)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_plain = msgspec.json.decode


def read_request(body: bytes, *, on_socket: bool = False) -> Asked:
    """Raises BadRequest.  ``on_socket``: a websocket message, which may continue an earlier response."""
    return read_members(body, lambda given: _asked(given, on_socket=on_socket))


def _asked(given: Given, *, on_socket: bool) -> Asked:
    if "input" not in given:
        raise BadRequest("give what is to be answered in the member 'input'", "input")
    found = read_input(given["input"])
    members: dict[str, Any] = {"instructions": "", **{name: given[name] for name in given if name in PASSED}}
    members |= {name: _plain(given[name]) for name in NAMES if name in given}
    members["input"] = found.items
    members["include"] = _include(given.get("include"))
    if "tools" in given:
        members["tools"] = _tools_of(given["tools"])
    if "tool_choice" in given:
        members["tool_choice"] = _tool_choice(given["tool_choice"])
    if reasoning := reasoning_of(given):
        members["reasoning"] = reasoning
    if on_socket:
        members |= {name: given[name] for name in OF_FRAMES if name in given}
    elif "previous_response_id" in given and not found.continued:
        raise BadRequest(LOST_RESPONSE, "previous_response_id", UNSUPPORTED)
    taken = PASSED | NAMES | READ | HANDLED | ALIASES | (OF_FRAMES if on_socket else frozenset({"type"}))
    rest = {name: value for name, value in given.items() if name not in taken}
    ignored = (*left_out(rest, NO_OPS, REFUSED), *([REFERENCE] if found.referring else []))
    return Asked(Translated(members, ignored, found.opening), _truth(given.get("stream")))


def _truth(value: msgspec.Raw | None) -> bool:
    given = _plain(value) if value is not None else False
    if not isinstance(given, bool):
        raise BadRequest("the member 'stream' takes true or false", "stream")
    return given


def _include(value: msgspec.Raw | None) -> list[Any]:
    """With what lets the next turn go on from the thoughts of this one."""
    given = _plain(value) if value is not None else []
    if not isinstance(given, list):
        raise BadRequest("the member 'include' must be a list", "include")
    if LOGPROBS in given:
        raise BadRequest(f"the backend gives no log probabilities; leave out {LOGPROBS}", "include", UNSUPPORTED)
    return given if ENCRYPTED in given else [*given, ENCRYPTED]


# -- tools


def _tools_of(value: msgspec.Raw) -> list[Any]:
    try:
        return [_taken_tool(tool, place) for place, tool in enumerate(_tools.decode(value))]
    except msgspec.ValidationError:
        raise BadRequest("the member 'tools' must be a list of objects", "tools") from None


def _taken_tool(raw: msgspec.Raw, place: int) -> Any:
    """The tool as it came, unless it is one of Chat Completions, or has an old name."""
    tool = _tool.decode(raw)
    kind = tool.type if isinstance(tool.type, str) else ""
    if kind in ELSEWHERE:
        told = f"the backend has no tool of type {kind}; leave it out, or choose from {OFFERED}"
        raise BadRequest(told, f"tools[{place}].type", UNSUPPORTED)
    if kind in SEARCHES:
        return {**_members.decode(raw), "type": "web_search"}
    if kind == "function" and tool.function is not None:
        return {"type": "function", **tool.function}
    return raw


def _tool_choice(value: msgspec.Raw) -> Any:
    """As with tools."""
    if not bytes(value).startswith(b"{"):
        return value
    choice = _plain(value)
    if str(choice.get("type")) in SEARCHES:
        return {**choice, "type": "web_search"}
    function = choice.get("function")
    if choice.get("type") == "function" and isinstance(function, dict):
        return {"type": "function", "name": function.get("name")}
    return value


# -- reasoning


def reasoning_of(given: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """The member ``reasoning``, with what tools say of it under other names."""
    reasoning = _plain(given["reasoning"]) if "reasoning" in given else {}
    if not isinstance(reasoning, dict):
        raise BadRequest("the member 'reasoning' must be an object", "reasoning")
    if (old := reasoning.pop("generate_summary", None)) and not reasoning.get("summary"):
        reasoning["summary"] = old
    if (effort := _first(given, EFFORTS) or _effort_of(_first(given, THINKING))) and not reasoning.get("effort"):
        reasoning["effort"] = effort
    if (summary := _first(given, SUMMARIES)) and not reasoning.get("summary"):
        reasoning["summary"] = summary
    return reasoning


def _first(given: Mapping[str, msgspec.Raw], names: tuple[str, ...]) -> Any:
    return next((_plain(given[name]) for name in names if name in given), None)


def _effort_of(thinking: Any) -> str | None:
    """What a switch for thinking stands for: ``true``, an effort, or an object that is on or off."""
    if isinstance(thinking, bool):
        return "medium" if thinking else "none"
    if isinstance(thinking, dict):
        effort = thinking.get("effort")
        if isinstance(effort, str):
            return effort
        return "none" if thinking.get("type") == "disabled" else "medium"
    return thinking if isinstance(thinking, str) else None
