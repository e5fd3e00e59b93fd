"""The input of a public Responses request: what tools put there, made into items that the backend takes.

Items that need nothing keep their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from codex_pooler.protocol.requests import BadRequest

REFERENCE = "item_reference"
# item type -> how ids of such items begin; any other id is left out
ID_PREFIXES: Mapping[str, str] = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_"}
ROLES: Mapping[str, str] = {"system": "developer"}
# (spoken by the assistant, type of a content part) -> the backend's type for it; None: it takes no such part
PARTS: Mapping[tuple[bool, str], str | None] = {
    (False, "text"): "input_text",
    (False, "output_text"): "input_text",
    (False, "image_url"): "input_image",
    (True, "text"): "output_text",
    (True, "input_text"): "output_text",
    (True, "thinking"): None,
    (True, "redacted_thinking"): None,
    (True, "reasoning"): None,
}
NOT_REPLAYED = ("annotations", "logprobs")  # of what the assistant said: the backend gives them and does not take them
NOTHING = (b"", b"null", b"[]")
# what the conversation so far leaves behind: with one of these among the items, no earlier response is missing
TRACES = frozenset({"function_call", "custom_tool_call", "reasoning"})
CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})


class _Item(msgspec.Struct):
    type: Any = None
    role: Any = None
    id: Any = None
    call_id: Any = None
    encrypted_content: Any = None
    content: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    type: Any = None
    annotations: msgspec.Raw = msgspec.Raw()
    logprobs: msgspec.Raw = msgspec.Raw()


Members = dict[str, msgspec.Raw | Any]
_items = msgspec.json.Decoder(list[msgspec.Raw])
_item, _parts = msgspec.json.Decoder(_Item), msgspec.json.Decoder(list[_Part])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_each = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_encode = msgspec.json.encode


@dataclass(slots=True)
class Input:
    """``continued``: the items tell what the assistant said or did before.  ``referring``: some only named an item
    that is stored nowhere, and were left out.  ``opening``: a digest of what the conversation begins with."""

    items: list[Any] = field(default_factory=list, repr=False)
    continued: bool = False
    referring: bool = False
    opening: bytes = b""
    _calls: list[str] = field(default_factory=list, repr=False)  # that no output has answered so far


def read_input(raw: msgspec.Raw) -> Input:
    """The items of the member ``input``, a text standing for one message.  Raises BadRequest."""
    text = bytes(raw)
    if text.startswith(b'"'):
        items = [msgspec.Raw(_encode(_message_of("user", msgspec.json.decode(text))))]
    else:
        try:
            items = _items.decode(text)
        except msgspec.ValidationError:
            raise BadRequest("the member 'input' must be a text or a list of items", "input") from None
    found = Input()
    opening = hashlib.sha256()
    for place, item in enumerate(items):
        read = _read(item, place)
        if not found.opening:
            opening.update(item)
            found.opening = opening.digest() if read.role == "user" else b""
        if (taken := _taken(item, read, found, place)) is not None:
            found.items.append(taken)
    return found


def _read(item: msgspec.Raw, place: int) -> _Item:
    try:
        read = _item.decode(item)
    except msgspec.ValidationError:
        raise BadRequest(f"input[{place}] must be an object", f"input[{place}]") from None
    read.role = read.role if isinstance(read.role, str) else None
    return read


def _taken(item: msgspec.Raw, read: _Item, found: Input, place: int) -> msgspec.Raw | Members | None:
    """The item as it goes to the backend; None when it does not."""
    kind = read.type if isinstance(read.type, str) else "message" if read.role is not None else ""
    found.continued = found.continued or kind in TRACES or (kind == "message" and read.role == "assistant")
    changes: Members = {}
    if kind in STEPS and not STEPS[kind](read, found, changes, place):
        return None
    if read.id is not None and not _is_id(read.id, ID_PREFIXES.get(kind, "")):
        changes["id"] = None
    if not changes:
        return item
    return {name: value for name, value in {**_members.decode(item), **changes}.items() if value is not None}


def _is_id(given: object, prefix: str) -> bool:
    return isinstance(given, str) and given.startswith(prefix) and "_" in given


# -- one step per type of item: what has to change goes into ``changes``; False leaves the item out


def _message(read: _Item, found: Input, changes: Members, place: int) -> bool:
    if read.type is None:
        changes["type"] = "message"
    if read.role in ROLES:
        changes["role"] = ROLES[read.role]
    spoken = read.role == "assistant"
    content = bytes(read.content)
    if content.startswith(b'"'):
        changes["content"] = [_text_part(msgspec.json.decode(content), spoken=spoken)]
        return True
    parts = _rewritten_parts(content, f"input[{place}].content", spoken=spoken)
    if parts is not None:
        changes["content"] = parts
    return parts != []


def _reasoning(read: _Item, found: Input, changes: Members, place: int) -> bool:
    """The backend keeps nothing: thoughts that do not come sealed are gone."""
    return bool(read.encrypted_content)


def _reference(read: _Item, found: Input, changes: Members, place: int) -> bool:
    found.referring = True
    return False


def _call(read: _Item, found: Input, changes: Members, place: int) -> bool:
    if isinstance(read.call_id, str):
        found._calls.append(read.call_id)
    return True


def _output(read: _Item, found: Input, changes: Members, place: int) -> bool:
    if not isinstance(read.call_id, str) or not read.call_id:
        if not found._calls:
            told = f"input[{place}] answers no call; set its call_id to that of the call"
            raise BadRequest(told, f"input[{place}].call_id")
        changes["call_id"] = found._calls.pop(0)
    elif read.call_id in found._calls:
        found._calls.remove(read.call_id)
    output = bytes(read.output)
    if output.startswith(b"{"):  # tools answer with text or parts; some clients pass on what a function returned
        changes["output"] = output.decode("utf-8", "replace")
    elif (parts := _rewritten_parts(output, f"input[{place}].output", spoken=False)) is not None:
        changes["output"] = parts
    return True


Step = Callable[[_Item, Input, Members, int], bool]
STEPS: Mapping[str, Step] = {
    "message": _message,
    "reasoning": _reasoning,
    REFERENCE: _reference,
    **dict.fromkeys(CALLS, _call),
    **{f"{kind}_output": _output for kind in CALLS},
}


# -- content


def _rewritten_parts(content: bytes, param: str, *, spoken: bool) -> list[Members] | None:
    """The parts of a list of content, or None when it may stay as it is."""
    if not content.startswith(b"["):
        return None
    try:
        if not any(_is_foreign(part, spoken=spoken) for part in _parts.decode(content)):
            return None
        return [taken for part in _each.decode(content) if (taken := _part(part, spoken=spoken)) is not None]
    except msgspec.ValidationError:
        raise BadRequest(f"the parts of {param} must be objects", param) from None


def _is_foreign(part: _Part, *, spoken: bool) -> bool:
    replayed = bytes(part.annotations) not in NOTHING or bytes(part.logprobs) not in NOTHING
    return replayed or (isinstance(part.type, str) and (spoken, part.type) in PARTS)


def _part(part: dict[str, msgspec.Raw], *, spoken: bool) -> Members | None:
    kept: Members = {name: value for name, value in part.items() if name not in NOT_REPLAYED}
    kind = msgspec.json.decode(part.get("type", b"null"))
    if not isinstance(kind, str) or (spoken, kind) not in PARTS:
        return kept
    named = PARTS[spoken, kind]
    if named is None:
        return None
    if kind == "image_url":
        kept |= _image(part.get("image_url"))
    return {**kept, "type": named}


def _image(given: msgspec.Raw | None) -> Members:
    """A picture as Chat Completions name it: an address, or an object with one."""
    image = msgspec.json.decode(given or b"null")
    if not isinstance(image, dict):
        return {"image_url": image}
    return {"image_url": image.get("url"), **({"detail": image["detail"]} if image.get("detail") else {})}


def _text_part(text: str, *, spoken: bool) -> Members:
    return {"type": "output_text" if spoken else "input_text", "text": text}


def _message_of(role: str, text: str) -> Members:
    return {"type": "message", "role": role, "content": [_text_part(text, spoken=False)]}
