"""The messages of a chat as instructions and input items of the backend, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from codex_pooler.protocol.openai.chat_parts import (
    NULLS,
    Part,
    as_text,
    given,
    is_text,
    joined,
    outcome,
    parts_of,
    said,
)
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest

EMPTY_TEXT, NO_ARGUMENTS = msgspec.Raw(b'""'), msgspec.Raw(b'"{}"')
UNSAID = {"type": "output_text", "text": EMPTY_TEXT}  # what assistants say that only call tools
CALL_PARTS, RESULT_PARTS = frozenset({"tool-call", "tool_call"}), frozenset({"tool-result", "tool_result"})
FUNCTION, CUSTOM = "function_call", "custom_tool_call"
OUT_OF_DATE = "functions have become tools: send {} instead"


class _Named(msgspec.Struct):
    name: Any = None
    arguments: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


class _Call(msgspec.Struct):
    id: Any = None
    type: Any = None
    function: _Named | None = None
    custom: _Named | None = None


class _Message(msgspec.Struct):
    role: Any = None
    content: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    tool_calls: msgspec.Raw = msgspec.Raw()
    tool_call_id: Any = None
    function_call: msgspec.Raw = msgspec.Raw()


_messages = msgspec.json.Decoder(list[_Message])
_calls = msgspec.json.Decoder(list[_Call])


@dataclass(slots=True)
class Conversation:
    """``opening`` is what it began with: the system's words and what the user said first."""

    instructions: list[str] = field(default_factory=list, repr=False)
    items: list[dict[str, Any]] = field(default_factory=list, repr=False)
    opening: bytes = field(default=b"", repr=False)
    _kinds: dict[str, str] = field(default_factory=dict, repr=False)  # of the tool calls, by their ids
    _waiting: list[str] = field(default_factory=list, repr=False)  # tool calls that nothing has answered

    def add(self, role: str, parts: list[dict[str, Any]]) -> None:
        """A message, unless it says nothing."""
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def call(self, kind: str, call_id: object, named: _Named, where: str) -> None:
        """The assistant called a tool.  Raises BadRequest."""
        if not isinstance(named.name, str) or not named.name:
            raise BadRequest(f"{where}.name must say which tool was called", f"{where}.name")
        name = call_id if isinstance(call_id, str) and call_id else f"call_{len(self._kinds)}"
        self._kinds[name] = kind
        self._waiting.append(name)
        payload = {"arguments": _arguments(named)} if kind == FUNCTION else {"input": _or_nothing(named.input)}
        self.items.append({"type": kind, "call_id": name, "name": named.name, **payload})

    def answer(self, call_id: object, output: Any, where: str) -> None:
        """A tool answered: the call that is named, else the oldest that waits.  Raises BadRequest."""
        name = call_id if isinstance(call_id, str) and call_id else next(iter(self._waiting), None)
        if name is None:
            raise BadRequest(f"{where} must name the id of the tool call that this message answers", where)
        if name in self._waiting:
            self._waiting.remove(name)
        kind = self._kinds.get(name, FUNCTION)
        self.items.append({"type": f"{kind}_output", "call_id": name, "output": output})


def read_messages(raw: msgspec.Raw, *, lift: bool = True) -> Conversation:
    """Raises BadRequest.  ``lift``: what the system says before anybody else becomes the instructions; otherwise, as
    for what it says later, it becomes messages of the developer."""
    try:
        messages = _messages.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest("the member 'messages' must be a list of messages", "messages") from None
    found = Conversation()
    begun = not lift
    opening: list[bytes] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        read = ROLES.get(message.role) if isinstance(message.role, str) else None
        if read is None:
            told = f"{where}.role must be system, developer, user, assistant or tool"
            raise BadRequest(told, f"{where}.role")
        begun = begun or read is not _system
        if not found.opening:
            opening.append(bytes(message.content))
            found.opening = b"\n".join(opening) if read is _user else b""
        if not begun:
            found.instructions.append(_words(message, where))
        else:
            read(message, found, where)
    if found.instructions and not found.items:  # somebody has to say something
        found.items = [_developer(text) for text in found.instructions]
        found.instructions = []
    return found


def _words(message: _Message, where: str) -> str:
    return joined(parts_of(message.content, f"{where}.content"), f"{where}.content")


def _developer(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}


# -- one reader per role


def _system(message: _Message, found: Conversation, where: str) -> None:
    if text := _words(message, where):
        found.items.append(_developer(text))


def _user(message: _Message, found: Conversation, where: str) -> None:
    _in_turn(message, found, where, "user", given)


def _assistant(message: _Message, found: Conversation, where: str) -> None:
    if bytes(message.function_call) not in NULLS:
        told = OUT_OF_DATE.format("tool_calls")
        raise BadRequest(f"{where}.function_call: {told}", f"{where}.function_call", UNSUPPORTED)
    _in_turn(message, found, where, "assistant", said)
    if is_text(message.refusal) and bytes(message.refusal) != b'""':
        found.add("assistant", [{"type": "refusal", "refusal": message.refusal}])
    for place, call in enumerate(_tool_calls(message, where)):
        of = f"{where}.tool_calls[{place}]"
        if call.custom is not None:
            found.call(CUSTOM, call.id, call.custom, f"{of}.custom")
        else:
            found.call(FUNCTION, call.id, call.function or _Named(), f"{of}.function")


def _tool(message: _Message, found: Conversation, where: str) -> None:
    parts = parts_of(message.content, f"{where}.content")
    if any(part.type in RESULT_PARTS for part in parts):
        _in_turn(message, found, where, "user", given)
        return
    found.answer(message.tool_call_id, _output(message, parts, f"{where}.content"), f"{where}.tool_call_id")


def _function(message: _Message, found: Conversation, where: str) -> None:
    told = OUT_OF_DATE.format("the result with the role 'tool' and its tool_call_id")
    raise BadRequest(f"{where}.role: {told}", f"{where}.role", UNSUPPORTED)


ROLES: Mapping[str, Callable[[_Message, Conversation, str], None]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}
Reading = Callable[[Part, str], dict[str, Any] | None]


def _in_turn(message: _Message, found: Conversation, where: str, role: str, read: Reading) -> None:
    """The parts of a message; some clients put tool calls and their results among them."""
    parts: list[dict[str, Any]] = []
    for place, part in enumerate(parts_of(message.content, f"{where}.content")):
        of = f"{where}.content[{place}]"
        is_call = part.type in CALL_PARTS
        if not is_call and part.type not in RESULT_PARTS:
            made = read(part, of)
            parts += [made] if made and made != UNSAID else []
            continue
        found.add(role, parts)
        parts = []
        if is_call:
            args = part.input if bytes(part.input) not in NULLS else part.args
            found.call(FUNCTION, part.call_id, _Named(part.tool, args), of)
        else:
            found.answer(part.call_id, outcome(part), f"{of}.toolCallId")
    found.add(role, parts)


def _tool_calls(message: _Message, where: str) -> list[_Call]:
    if bytes(message.tool_calls) in NULLS:
        return []
    try:
        return _calls.decode(message.tool_calls)
    except msgspec.ValidationError:
        raise BadRequest(f"{where}.tool_calls must be a list of tool calls", f"{where}.tool_calls") from None


def _output(message: _Message, parts: Any, where: str) -> Any:
    """A text stays one text; with pictures or files among the parts it is a list."""
    made = [given(part, f"{where}[{place}]") for place, part in enumerate(parts)]
    if len(made) == 1 and "text" in made[0]:
        return made[0]["text"]
    if all("text" in part for part in made):
        return joined(parts, where)
    return made


def _arguments(named: _Named) -> msgspec.Raw:
    """Always a text with JSON in it; some clients send the JSON itself, or nothing."""
    raw = bytes(named.arguments)
    if raw in NULLS or raw == b'""':
        return NO_ARGUMENTS
    return named.arguments if raw.startswith(b'"') else as_text(named.arguments)


def _or_nothing(text: msgspec.Raw) -> msgspec.Raw:
    return text if is_text(text) else EMPTY_TEXT
