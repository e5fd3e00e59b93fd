"""An answer as one object: the backend's items as content blocks, its end as a stop reason, its tokens as usage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from codex_pooler.protocol.anthropic.request import Voice
from codex_pooler.protocol.anthropic.thinking import thinking_block
from codex_pooler.protocol.translation import Shape
from codex_pooler.protocol.usage import Usage, read_usage

Blocks = list[dict[str, Any]]

# why an answer is incomplete -> stop reason; whatever else there may be, the answer was cut short
INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}
CUT_SHORT = "max_tokens"


def shape_for(voice: Voice) -> Shape:
    """What makes the message out of the finished response."""

    def shape(response: Mapping[str, Any]) -> bytes:
        return msgspec.json.encode(message_of(response, voice))

    return shape


def message_of(response: Mapping[str, Any], voice: Voice) -> dict[str, Any]:
    items = dicts(response.get("output"))
    kinds = {kind for item in items for kind in kinds_of(item)}
    details = response.get("incomplete_details")
    reason = str(details.get("reason")) if isinstance(details, dict) else None
    searches = sum(map(is_search, items))
    return {
        **opening(response.get("id"), voice),
        "content": [block for item in items for block in blocks_of(item, voice)],
        "stop_reason": stop_reason(kinds, reason, incomplete=response.get("status") == "incomplete"),
        "usage": usage_of(read_usage(response.get("usage")), searches),
    }


def opening(response_id: str | None, voice: Voice) -> dict[str, Any]:
    """The message before anything is said."""
    return {
        "id": f"msg_{(response_id or '').removeprefix('resp_')}",
        "type": "message",
        "role": "assistant",
        "model": voice.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, **NO_CACHE, "output_tokens": 0},
    }


NO_CACHE = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def usage_of(usage: Usage | None, searches: int = 0) -> dict[str, Any]:
    """Tokens as Anthropic counts them: what came from a cache, or went into it, is not part of ``input_tokens``."""
    used = usage or Usage(0, 0, 0, 0)
    told: dict[str, Any] = {
        "input_tokens": used.input - used.cached - used.cache_write,
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output,
    }
    told |= {"output_tokens_details": {"thinking_tokens": used.reasoning}} if used.reasoning else {}
    return told | ({"server_tool_use": {"web_search_requests": searches}} if searches else {})


def kinds_of(item: Mapping[str, Any]) -> set[str]:
    """What in an item decides how the answer ends: calls and refusals."""
    if item.get("type") == "function_call":
        return {"tool_use"}
    parts = dicts(item.get("content")) if item.get("type") == "message" else []
    return {"refusal" for part in parts if part.get("type") == "refusal"}


def stop_reason(kinds: set[str], reason: str | None, *, incomplete: bool) -> str:
    """Why the model stopped; ``reason`` is the backend's for an answer that is incomplete."""
    if incomplete:
        return INCOMPLETE.get(reason or "", CUT_SHORT)
    return next((kind for kind in ("refusal", "tool_use") if kind in kinds), "end_turn")


def dicts(value: Any) -> Blocks:
    """The objects of what should be a list of them; whatever else the backend sends there is left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# -- items


def blocks_of(item: Mapping[str, Any], voice: Voice) -> Blocks:
    """The content blocks of a whole item; none for what clients of this protocol do not know."""
    make = BLOCKS.get(str(item.get("type")))
    return make(item, voice) if make else []


def _message(item: Mapping[str, Any], voice: Voice) -> Blocks:
    return [block for part in dicts(item.get("content")) if (block := text_block(part)) is not None]


def text_block(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The block of one part of a message; None when it says nothing."""
    text = part.get("refusal") if part.get("type") == "refusal" else part.get("text")
    if not isinstance(text, str) or not text:
        return None
    citations = citations_of(part.get("annotations"))
    return {"type": "text", "text": text, **({"citations": citations} if citations else {})}


def citations_of(annotations: Any) -> Blocks:
    """The pages that a text refers to."""
    return [_citation(each) for each in dicts(annotations) if each.get("type") == "url_citation"]


def _citation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    url, title = str(annotation.get("url") or ""), annotation.get("title")
    kind = "web_search_result_location"
    return {"type": kind, "url": url, "title": title, "cited_text": "", "encrypted_index": ""}


def _call(item: Mapping[str, Any], voice: Voice) -> Blocks:
    return [{**tool_block(item, voice), "input": _read(item.get("arguments"))}]


def tool_block(item: Mapping[str, Any], voice: Voice) -> dict[str, Any]:
    """The call of a tool before its arguments are known."""
    name = str(item.get("name") or "")
    return {"type": "tool_use", "id": str(item.get("call_id") or ""), "name": voice.names.get(name, name), "input": {}}


def _read(arguments: Any) -> Any:
    """Arguments that an answer which was cut short left unfinished are none."""
    try:
        return msgspec.json.decode(arguments) if arguments else {}
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError):
        return {}


def _thinking(item: Mapping[str, Any], voice: Voice) -> Blocks:
    block = thinking_block(item) if voice.thinks else None
    return [block] if block else []


def is_search(item: Mapping[str, Any]) -> bool:
    """The backend looked something up; opening a page that it found is no search of its own."""
    return item.get("type") == "web_search_call" and _action(item).get("type") in (None, "search")


def _action(item: Mapping[str, Any]) -> Mapping[str, Any]:
    action = item.get("action")
    return action if isinstance(action, dict) else {}


def _search(item: Mapping[str, Any], voice: Voice) -> Blocks:
    if not is_search(item):
        return []
    action = _action(item)
    name = f"srvtoolu_{item.get('id') or ''}"
    results = [_page(source) for source in dicts(action.get("sources"))]
    return [
        {"type": "server_tool_use", "id": name, "name": "web_search", "input": {"query": action.get("query") or ""}},
        {"type": "web_search_tool_result", "tool_use_id": name, "content": results},
    ]


def _page(source: Mapping[str, Any]) -> dict[str, Any]:
    url = str(source.get("url") or "")
    title = str(source.get("title") or url)
    return {"type": "web_search_result", "url": url, "title": title, "encrypted_content": "", "page_age": None}


BLOCKS: Mapping[str, Callable[[Mapping[str, Any], Voice], Blocks]] = {
    "message": _message,
    "function_call": _call,
    "reasoning": _thinking,
    "web_search_call": _search,
}
