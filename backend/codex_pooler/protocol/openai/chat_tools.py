"""Tools, the choice among them, and the form of the answer: what Chat Completions nest, the backend has flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from codex_pooler.protocol.openai.responses_request import OFFERED, SEARCHES
from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest

SEARCHING = SEARCHES | {"web_search"}
HOSTED = frozenset({"image_generation", "namespace"})  # taken by the backend as they come
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
CHOICES = frozenset({"auto", "none", "required"})
CHOICE_ALIASES = {"any": "required"}
DEFAULT_FORMAT_NAME = "response"
NULLS = (b"", b"null")


class _Grammar(msgspec.Struct, omit_defaults=True):
    definition: msgspec.Raw = msgspec.Raw()
    syntax: Any = None


class _Format(msgspec.Struct):
    type: Any = None
    grammar: _Grammar | None = None
    definition: msgspec.Raw = msgspec.Raw()
    syntax: Any = None


class _Function(msgspec.Struct):
    name: Any = None
    description: msgspec.Raw = msgspec.Raw()
    parameters: msgspec.Raw = msgspec.Raw()
    strict: Any = None
    format: _Format | None = None


class _Tool(_Function):
    """A tool, nested or flat."""

    type: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Schema(msgspec.Struct):
    name: Any = None
    description: msgspec.Raw = msgspec.Raw()
    schema: msgspec.Raw = msgspec.Raw()
    strict: Any = None


class _ResponseFormat(_Schema):
    type: Any = None
    json_schema: _Schema | None = None


_raws = msgspec.json.Decoder(list[msgspec.Raw])
_tool = msgspec.json.Decoder(_Tool)
_response_format = msgspec.json.Decoder(_ResponseFormat)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def tools_of(raw: msgspec.Raw) -> list[Any]:
    """The member ``tools``.  Raises BadRequest."""
    try:
        return [_tool_of(each, f"tools[{place}]") for place, each in enumerate(_raws.decode(raw))]
    except msgspec.ValidationError:
        raise BadRequest("the member 'tools' must be a list of tools", "tools") from None


def _tool_of(raw: msgspec.Raw, where: str) -> Any:
    tool = _tool.decode(raw)
    if tool.custom is not None or tool.type == "custom":
        return _custom(tool.custom or tool, where)
    if tool.function is not None or tool.type == "function":
        return _function(tool.function or tool, where)
    if tool.type in SEARCHING:
        return {**_members.decode(raw), "type": "web_search"}
    if tool.type in HOSTED:
        return raw
    told = f"the backend has no such tool; leave it out, or choose from {OFFERED}"
    raise BadRequest(f"{where}.type: {told}", f"{where}.type", UNSUPPORTED)


def _function(function: _Function, where: str) -> dict[str, Any]:
    """Chat Completions are lax unless told otherwise, the backend is strict: so it is always told."""
    described = bytes(function.parameters) not in NULLS
    return {
        "type": "function",
        "name": _name(function.name, f"{where}.function.name"),
        **_described(function.description),
        "parameters": function.parameters if described else NO_PARAMETERS,
        "strict": function.strict is True,
    }


def _custom(custom: _Function, where: str) -> dict[str, Any]:
    made = {"type": "custom", "name": _name(custom.name, f"{where}.custom.name"), **_described(custom.description)}
    if custom.format is None:
        return made
    grammar = custom.format.grammar or custom.format
    if custom.format.type != "grammar":
        return {**made, "format": {"type": custom.format.type}}
    return {**made, "format": {"type": "grammar", "definition": grammar.definition, "syntax": grammar.syntax}}


def _name(given: Any, where: str) -> str:
    if not isinstance(given, str) or not given:
        raise BadRequest(f"{where} must name the tool", where)
    return given


def _described(description: msgspec.Raw) -> dict[str, Any]:
    return {} if bytes(description) in NULLS else {"description": description}


def choice_of(raw: msgspec.Raw) -> Any:
    """The member ``tool_choice``.  Raises BadRequest."""
    given = msgspec.json.decode(raw)
    if isinstance(given, str):
        chosen = CHOICE_ALIASES.get(given, given)
        if chosen not in CHOICES:
            told = "tool_choice must be auto, none, required, or an object that names a tool"
            raise BadRequest(told, "tool_choice")
        return chosen
    if not isinstance(given, dict):
        raise BadRequest("tool_choice must be auto, none, required, or an object that names a tool", "tool_choice")
    if given.get("type") == "allowed_tools":
        return _allowed(given)
    return _chosen(given, "tool_choice")


def _chosen(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = given.get("type") or "function"
    if not isinstance(kind, str):
        raise BadRequest(f"{where}.type must be the type of a tool", f"{where}.type")
    if kind in SEARCHING:
        return {"type": "web_search"}
    if kind not in ("function", "custom"):
        return {"type": kind}
    nested = given.get(kind)
    name = nested.get("name") if isinstance(nested, dict) else given.get("name")
    return {"type": kind, "name": _name(name, f"{where}.{kind}.name")}


def _allowed(given: Mapping[str, Any]) -> dict[str, Any]:
    nested = given.get("allowed_tools")
    allowed: Mapping[str, Any] = nested if isinstance(nested, dict) else given
    tools = allowed.get("tools")
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        where = "tool_choice.allowed_tools.tools"
        raise BadRequest(f"{where} must be a list of tools", where)
    chosen = [_chosen(tool, f"tool_choice.allowed_tools.tools[{place}]") for place, tool in enumerate(tools)]
    return {"type": "allowed_tools", "mode": allowed.get("mode") or "auto", "tools": chosen}


def format_of(raw: msgspec.Raw) -> dict[str, Any]:
    """The member ``response_format`` as the backend has it below ``text``.  Raises BadRequest."""
    try:
        wanted = _response_format.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest("the member 'response_format' must be an object", "response_format") from None
    if wanted.type != "json_schema":
        if wanted.type in ("text", "json_object"):
            return {"type": wanted.type}
        told = "response_format.type must be text, json_object or json_schema"
        raise BadRequest(told, "response_format.type")
    schema = wanted.json_schema or wanted
    if bytes(schema.schema) in NULLS:
        where = "response_format.json_schema.schema"
        raise BadRequest(f"{where} must hold the schema of the answer", where)
    made = {"type": "json_schema", "name": schema.name or DEFAULT_FORMAT_NAME, "schema": schema.schema}
    strict = {} if schema.strict is None else {"strict": schema.strict}
    return {**made, **_described(schema.description), **strict}


def search_of(raw: msgspec.Raw) -> dict[str, Any]:
    """The member ``web_search_options`` as the tool it stands for.  Raises BadRequest."""
    given = msgspec.json.decode(raw)
    if not isinstance(given, dict):
        raise BadRequest("the member 'web_search_options' must be an object", "web_search_options")
    made: dict[str, Any] = {"type": "web_search"}
    if size := given.get("search_context_size"):
        made["search_context_size"] = size
    place = given.get("user_location")
    if isinstance(place, dict):
        approximate = place.get("approximate")
        made["user_location"] = {"type": "approximate", **(approximate if isinstance(approximate, dict) else place)}
    return made
