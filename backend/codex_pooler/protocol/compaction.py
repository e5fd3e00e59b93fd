"""Compaction of a conversation: its present form recognised, its old form turned into it, the result turned back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from codex_pooler.protocol.requests import BadRequest

TRIGGER_TYPE = "compaction_trigger"
RESULT_TYPES = frozenset({"compaction", "compaction_summary"})
MISPLACED = "compaction_trigger must be the final input item"

# What an old request may say; whatever else it has, the backend would refuse.
PASSED = (
    "model",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "text",
    "client_metadata",
)
# What people wrote stays readable beside the compaction, as present clients keep it by themselves: the newest of it,
# up to so many characters; a part that is no text counts as much as its tokens would.
MOST_KEPT = 80_000
NOT_TEXT = 6_000
# user messages that older clients write by themselves, and write again after each compaction
OF_THE_CLIENT = ("<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<turn_aborted>")
SPELLED_OTHERWISE = {"promptCacheKey": "prompt_cache_key"}


class _Passthrough(msgspec.Struct):
    turn_id: str | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    encrypted_content: str | None = None
    internal_chat_message_metadata_passthrough: _Passthrough | None = None


class _Summary(msgspec.Struct):
    compaction_summary: _Item | str | None = None


class _Type(msgspec.Struct):
    type: str | None = None


class _Input(msgspec.Struct):
    input: list[msgspec.Raw] | None = None


class _Sealed(msgspec.Struct):
    encrypted_content: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    type: str = "message"
    role: str | None = None
    content: str | list[_Part] = ""

    @property
    def texts(self) -> list[str | None]:
        """One a part; None for a part that is no text."""
        return [self.content] if isinstance(self.content, str) else [part.text for part in self.content]


_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_input, _type, _item = msgspec.json.Decoder(_Input), msgspec.json.Decoder(_Type), msgspec.json.Decoder(_Item)
_message = msgspec.json.Decoder(_Message)
_sealed, _summary = msgspec.json.Decoder(_Sealed), msgspec.json.Decoder(_Summary)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def is_compaction(body: bytes) -> bool:
    """Whether a turn asks for compaction, its last input item being the trigger.

    Raises BadRequest when a trigger stands anywhere else.
    """
    return _ends_with_trigger(_items_with_trigger(body))


def ends_in_compaction(body: bytes) -> bool:
    """As ``is_compaction``, without a judgement of triggers in the wrong place."""
    items = _items_with_trigger(body)
    return bool(items) and _type_of(items[-1]) == TRIGGER_TYPE


def _items_with_trigger(body: bytes) -> list[msgspec.Raw]:
    """The input items of a body that may have a trigger among them; none when it cannot, or is unreadable: whoever
    reads the body itself will say what is wrong with it."""
    if TRIGGER_TYPE.encode() not in body:
        return []
    try:
        return _input.decode(body).input or []
    except _UNREADABLE:
        return []


def as_turn(body: bytes) -> bytes:
    """The old request ``{model, input, instructions, …}`` as a streamed turn that ends with the trigger.

    Raises BadRequest.
    """
    try:
        asked = _top_level.decode(body)
    except _UNREADABLE:
        raise BadRequest("the body must be a JSON object") from None
    try:
        items = _items.decode(asked.get("input", msgspec.Raw(b"null")))
    except _UNREADABLE:
        raise BadRequest("the member 'input' must be a list of items", "input") from None
    asked |= {name: asked[alias] for alias, name in SPELLED_OTHERWISE.items() if alias in asked and name not in asked}
    turn: dict[str, Any] = {name: asked[name] for name in PASSED if name in asked}
    turn["input"] = items if _ends_with_trigger(items) else [*items, {"type": TRIGGER_TYPE}]
    turn |= {"stream": True, "store": False, "include": ["reasoning.encrypted_content"]}
    return msgspec.json.encode(turn)


def _ends_with_trigger(items: list[msgspec.Raw]) -> bool:
    triggers = [position for position, item in enumerate(items) if _type_of(item) == TRIGGER_TYPE]
    if triggers and triggers != [len(items) - 1]:
        raise BadRequest(MISPLACED, "input")
    return bool(triggers)


def _type_of(item: msgspec.Raw) -> str | None:
    try:
        return _type.decode(item).type
    except _UNREADABLE:
        return None


def conversation_digest(body: bytes) -> str | None:
    """A name for a conversation that brings none: the digest of its first encrypted item, None when it has none.

    It stays the same while the conversation grows, and only the account that wrote that item can read it.
    """
    if b'"encrypted_content"' not in body:
        return None
    try:
        items = _input.decode(body).input or []
    except _UNREADABLE:  # whoever reads the body itself will say what is wrong with it
        return None
    return next((digest for item in items if (digest := sealed_digest(item))), None)


def sealed_digest(item: msgspec.Raw | bytes) -> str | None:
    """The digest of an item's encrypted content, None when it has none."""
    try:
        sealed = _sealed.decode(item).encrypted_content
    except _UNREADABLE:
        return None
    return hashlib.sha256(sealed.encode()).hexdigest() if sealed else None


def kept_messages(body: bytes) -> list[msgspec.Raw]:
    """The newest messages of the user in a turn's body, in their order."""
    kept: list[msgspec.Raw] = []
    left = MOST_KEPT
    for item in reversed(_input.decode(body).input or []):
        texts = _texts_of_user(item)
        if not texts or (texts[0] or "").lstrip().startswith(OF_THE_CLIENT):
            continue
        left -= sum(NOT_TEXT if text is None else len(text) for text in texts)
        if left < 0:
            break
        kept.append(item)
    return kept[::-1]


def _texts_of_user(item: msgspec.Raw) -> list[str | None]:
    try:
        message = _message.decode(item)
    except _UNREADABLE:
        return []
    return message.texts if (message.type, message.role) == ("message", "user") else []


def compacted(
    items: Iterable[msgspec.Raw], response: Mapping[str, msgspec.Raw], kept: Iterable[msgspec.Raw] = ()
) -> bytes | None:
    """The answer to an old request: what is kept, and exactly one compaction item; None when the turn brought none.

    ``items`` are those the turn's events carried; ``response`` the response object it ended with.
    """
    found = _found(items) or _found(_output(response)) or _summary_of(response)
    if found is None:
        return None
    item: dict[str, Any] = {"type": "compaction", "encrypted_content": found.encrypted_content}
    if found.id:
        item["id"] = found.id
    if (passthrough := found.internal_chat_message_metadata_passthrough) and passthrough.turn_id:
        item["internal_chat_message_metadata_passthrough"] = {"turn_id": passthrough.turn_id}
    told = {name: response[name] for name in ("id", "created_at", "usage") if name in response}
    return msgspec.json.encode({"object": "response.compaction", "output": [*kept, item], **told})


def _found(items: Iterable[msgspec.Raw]) -> _Item | None:
    """The last compaction item among these that has content."""
    found = None
    for raw in items:
        try:
            item = _item.decode(raw)
        except _UNREADABLE:
            continue
        if item.type in RESULT_TYPES and item.encrypted_content:
            found = item
    return found


def _output(response: Mapping[str, msgspec.Raw]) -> list[msgspec.Raw]:
    try:
        return _items.decode(response.get("output", msgspec.Raw(b"[]")))
    except _UNREADABLE:
        return []


def _summary_of(response: Mapping[str, msgspec.Raw]) -> _Item | None:
    """The response's own member of that name, which some versions of the backend sent instead of an item."""
    try:
        summary = _summary.decode(msgspec.json.encode(response)).compaction_summary
    except _UNREADABLE:
        return None
    item = _Item(encrypted_content=summary) if isinstance(summary, str) else summary
    return item if item and item.encrypted_content else None
