"""The tools of a request: the client's own become functions, a search of the web the backend's, others are left out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from codex_pooler.protocol.anthropic.remarks import Remarks
from codex_pooler.protocol.anthropic.wire import Tool, ToolChoice
from codex_pooler.protocol.requests import BadRequest

LONGEST_NAME = 64  # characters that the backend takes; clients build longer ones of a server's and a tool's name
WEB_SEARCH = "web_search"
CHOICES = {"auto": "auto", "any": "required", "none": "none"}

_plain_name = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_strange = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Tools:
    """The backend's members for a request's tools; ``names`` leads from what it calls one to the client's name."""

    members: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def backend_name(name: str) -> str:
    """What the backend calls a tool of this name: the same, or if it does not take that, always the same other one."""
    if _plain_name.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{_strange.sub('_', name)[: LONGEST_NAME - 9]}_{digest}"


def read_tools(tools: Sequence[Tool], choice: ToolChoice | None, remarks: Remarks) -> Tools:
    """Raises BadRequest."""
    given = [(tool.name, made) for tool in tools if (made := _translated(tool, remarks)) is not None]
    if not given:
        if choice is not None and choice.type in ("any", "tool"):
            raise BadRequest("'tool_choice' asks for a tool, and none is left; send one in 'tools'", "tool_choice")
        return Tools()
    members: dict[str, Any] = {"tools": [made for _, made in given], "parallel_tool_calls": True}
    if choice is not None:
        members["tool_choice"] = _chosen(choice, dict(given))
        members["parallel_tool_calls"] = not choice.disable_parallel_tool_use
    return Tools(members, {short: name for name, made in given if (short := made.get("name", name)) != name})


def _translated(tool: Tool, remarks: Remarks) -> dict[str, Any] | None:
    if tool.type is None or tool.type == "custom":
        return _function(tool, remarks)
    if tool.type.startswith(WEB_SEARCH):
        return _web_search(tool, remarks)
    remarks.ignore(f"tools.{tool.type}")
    return None


def _function(tool: Tool, remarks: Remarks) -> dict[str, Any]:
    strict = bool(tool.strict) and is_strict(tool.input_schema)
    if tool.strict and not strict:
        remarks.ignore("tools.strict")
    made = {"type": "function", "name": backend_name(tool.name), "parameters": tool.input_schema, "strict": strict}
    return made | ({"description": tool.description} if tool.description else {})


def _web_search(tool: Tool, remarks: Remarks) -> dict[str, Any]:
    for name in ("blocked_domains", "max_uses"):
        if getattr(tool, name):
            remarks.ignore(f"tools.{name}")
    made: dict[str, Any] = {"type": WEB_SEARCH}
    if tool.allowed_domains:
        made["filters"] = {"allowed_domains": tool.allowed_domains}
    if tool.user_location:
        made["user_location"] = tool.user_location
    return made


def _chosen(choice: ToolChoice, given: Mapping[str, Mapping[str, Any]]) -> Any:
    if choice.type in CHOICES:
        return CHOICES[choice.type]
    if choice.type != "tool":
        raise BadRequest("'tool_choice.type' must be auto, any, tool or none", "tool_choice.type")
    tool = given.get(choice.name)
    if tool is None:
        raise BadRequest("'tool_choice.name' names no tool; send that tool in 'tools'", "tool_choice.name")
    if tool["type"] == WEB_SEARCH:  # the backend's own tools cannot be named, only made necessary
        return "required" if len(given) == 1 else "auto"
    return {"type": "function", "name": tool["name"]}


def is_strict(schema: msgspec.Raw) -> bool:
    """Whether the backend would take this schema as one to keep to strictly: every object is closed, and all of its
    members are required."""
    try:
        return _keeps_strictly(msgspec.json.decode(schema))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _keeps_strictly(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(_keeps_strictly(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    members = schema.get("properties")
    if isinstance(members, dict) or schema.get("type") == "object":
        members = members if isinstance(members, dict) else {}
        if schema.get("additionalProperties") is not False or set(schema.get("required") or ()) != set(members):
            return False
        return all(map(_keeps_strictly, members.values())) and _rest_keeps(schema)
    return _rest_keeps(schema)


def _rest_keeps(schema: Mapping[str, Any]) -> bool:
    named = [part for name in ("$defs", "definitions") for part in (schema.get(name) or {}).values()]
    inner = [schema.get(name) for name in ("items", "anyOf", "oneOf", "allOf")]
    return all(map(_keeps_strictly, [*named, *inner]))
