"""Requests of Chat Completions in the backend's words: what it takes, what is left out and named, and what is refused
because without it the answer would mean something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from codex_pooler.protocol.openai.chat_messages import Conversation, read_messages
from codex_pooler.protocol.openai.chat_tools import choice_of, format_of, search_of, tools_of
from codex_pooler.protocol.openai.members import Given, left_out, read_members
from codex_pooler.protocol.openai.responses_input import read_input
from codex_pooler.protocol.openai.responses_request import ALIASES, ENCRYPTED, reasoning_of
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.protocol.translation import Translated

PASSED = frozenset({"model", "parallel_tool_calls", "prompt_cache_key", "service_tier"})
READ = ALIASES | {
    "messages",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "response_format",
    "verbosity",
    "reasoning",
    "include_reasoning",
    "web_search_options",
    "stream",
    "stream_options",
}
# values that ask for what happens anyway
NO_OPS: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "stop": ([], ""),
    "store": (False,),
    "metadata": ({},),
    "modalities": (["text"], []),
    "functions": ([],),
    "function_call": ("auto", "none"),
    "background": (False,),
}
# what nobody can leave out without changing what the answer means -> what to do instead
REFUSED: Mapping[str, str] = {
    "n": "the backend gives one answer at a time; set n to 1 and send the request again for each further one",
    "logprobs": "the backend gives no log probabilities; leave out logprobs",
    "top_logprobs": "the backend gives no log probabilities; leave out top_logprobs",
    "modalities": 'answers are text here; leave out modalities, or set it to ["text"]',
    "audio": "answers are text here; leave out audio",
    "functions": 'functions have become tools: send each as {"type": "function", "function": …} in tools',
    "function_call": "functions have become tools: send tool_choice instead of function_call",
    "background": "turns do not run in the background here; leave out background and set stream instead",
    "conversation": "no conversations are stored here; leave out conversation and send the messages",
    "previous_response_id": "nothing is stored here; leave out previous_response_id and send the whole conversation",
    "prompt": "no prompt templates are stored here; leave out prompt and send its text as messages",
}
SHOWING_SUMMARY = "auto"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a turn.  ``stream``: its client wants chunks, with ``usage`` the counts after them; ``reasoning``:
    it wants to see summaries of what the model thinks."""

    turn: Translated
    stream: bool = False
    usage: bool = False
    reasoning: bool = False


_plain: Callable[[msgspec.Raw], Any] = msgspec.json.decode


def read_chat(body: bytes, *, show_reasoning: bool = False) -> Asked:
    """Raises BadRequest.  ``show_reasoning``: summaries are shown to clients that do not ask, too."""
    return read_members(body, lambda given: _asked(given, show_reasoning=show_reasoning))


def _asked(given: Given, *, show_reasoning: bool) -> Asked:
    rest = {name: value for name, value in given.items() if name not in PASSED and name not in READ}
    ignored = left_out(rest, NO_OPS, REFUSED)
    text = _text(given)
    items, instructions, opening = _conversation(given, text)
    reasoning, shown = _reasoning(given, show_reasoning=show_reasoning)
    members: dict[str, Any] = {name: given[name] for name in given if name in PASSED and name != "model"}
    if "model" in given:
        members["model"] = _plain(given["model"])
    members |= {"instructions": instructions, "input": items, "include": [ENCRYPTED]} | _tools(given)
    members |= {name: made for name, made in (("text", text), ("reasoning", reasoning)) if made}
    options = _plain(given["stream_options"]) if "stream_options" in given else None
    usage = isinstance(options, dict) and options.get("include_usage") is True
    return Asked(Translated(members, ignored, opening), _flag(given, "stream"), usage, shown)


def _conversation(given: Given, text: Mapping[str, Any]) -> tuple[list[Any], str, bytes]:
    """The input items, the instructions, and what the conversation began with.  Raises BadRequest."""
    own = _plain(given["instructions"]) if "instructions" in given else ""
    if not isinstance(own, str):
        raise BadRequest("the member 'instructions' must be a text", "instructions")
    if "input" in given and not bytes(given.get("messages", b"")).strip(b"[] \t\r\n"):
        found = read_input(given["input"])
        return found.items, own, found.opening
    if "messages" not in given:
        raise BadRequest("give the conversation in the member 'messages'", "messages")
    # JSON mode wants the word in the input, and clients put it into what the system says
    said: Conversation = read_messages(given["messages"], lift=text.get("format") != {"type": "json_object"})
    if not said.items:
        raise BadRequest("the member 'messages' must hold at least one message that says something", "messages")
    return said.items, "\n\n".join(filter(None, [own, *said.instructions])), said.opening


def _text(given: Given) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if "response_format" in given:
        text["format"] = format_of(given["response_format"])
    if "verbosity" in given:
        text["verbosity"] = _plain(given["verbosity"])
    return text


def _tools(given: Given) -> dict[str, Any]:
    tools = tools_of(given["tools"]) if "tools" in given else []
    if "web_search_options" in given:
        tools.append(search_of(given["web_search_options"]))
    if not tools:  # then there is nothing to choose either
        return {}
    choice = {"tool_choice": choice_of(given["tool_choice"])} if "tool_choice" in given else {}
    return {"tools": tools, **choice}


def _reasoning(given: Given, *, show_reasoning: bool) -> tuple[dict[str, Any], bool]:
    """The member ``reasoning``, and whether the client is to see summaries.  Raises BadRequest."""
    reasoning = reasoning_of(given)
    shown = bool(reasoning.get("summary")) or _flag(given, "include_reasoning") or show_reasoning
    if shown:
        reasoning["summary"] = reasoning.get("summary") or SHOWING_SUMMARY
    return {name: reasoning[name] for name in ("effort", "summary") if reasoning.get(name)}, shown


def _flag(given: Given, name: str) -> bool:
    value = _plain(given[name]) if name in given else False
    if not isinstance(value, bool):
        raise BadRequest(f"the member '{name}' takes true or false", name)
    return value
