"""A Messages request as a turn: every member carried over, or named as one that has no effect, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from codex_pooler.protocol.anthropic.content import input_of, instructions_of
from codex_pooler.protocol.anthropic.remarks import Remarks
from codex_pooler.protocol.anthropic.thinking import EFFORTS, effort_of, is_shown
from codex_pooler.protocol.anthropic.tools import is_strict, read_tools
from codex_pooler.protocol.anthropic.wire import Format, Request, read_format, read_request
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.protocol.translation import Translated

ENCRYPTED_REASONING = "reasoning.encrypted_content"
FORMAT_NAME = "answer"
REQUIRED_ANYWAY = frozenset({"max_tokens"})
SESSION_MARK = "session"  # Claude Code names its session here, older versions nowhere else
# members without effect -> values that would change nothing anyway
WITHOUT_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "max_tokens": (),
    "temperature": (1,),
    "top_p": (1,),
    "top_k": (),
    "stop_sequences": ([],),
}


@dataclass(frozen=True, slots=True)
class Voice:
    """How the answer must sound: under which model's name, with or without thinking, and what tools are called there.

    ``names`` leads from the backend's name of a tool to the client's, where they differ.
    """

    model: str
    thinks: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the backend's words, and what its answer needs."""

    translated: Translated
    voice: Voice
    stream: bool


def translate(body: bytes, *, strict: bool) -> Asked:
    """The turn that a body asks for.  Raises BadRequest.

    ``strict``: whatever is named as ignored will be refused, so that what every request has to have is not named.
    """
    asked, unknown = read_request(body)
    remarks = Remarks()
    for name in unknown:
        remarks.ignore(name)
    _note_what_has_no_effect(asked, remarks)
    tools = read_tools(asked.tools or (), asked.tool_choice, remarks)
    items = input_of(asked.messages, remarks)
    members = {
        "model": asked.model,
        "instructions": instructions_of(asked.system),
        "input": items,
        **tools.members,
        **_thought(asked, remarks),
        **_formed(asked),
        **({"service_tier": "priority"} if asked.speed == "fast" else {}),
    }
    ignored = tuple(name for name in remarks.ignored if not (strict and name in REQUIRED_ANYWAY))
    translated = Translated(members, ignored, _opening(asked, items[0]))
    return Asked(translated, Voice(asked.model, is_shown(asked.thinking), tools.names), bool(asked.stream))


def _note_what_has_no_effect(asked: Request, remarks: Remarks) -> None:
    for name, harmless in WITHOUT_EFFECT.items():
        value = getattr(asked, name)
        if value is not None and value not in harmless:
            remarks.ignore(name)
    if asked.context_management and not _keeps_all(asked.context_management):
        remarks.ignore("context_management")
    for name in asked.output_config or ():
        if name not in ("effort", "format"):
            remarks.ignore(f"output_config.{name}")


def _keeps_all(management: Any) -> bool:
    """Claude Code asks with every request that nothing is cleared."""
    edits = management.get("edits") if isinstance(management, dict) else None
    return isinstance(edits, list) and all(isinstance(edit, dict) and edit.get("keep") == "all" for edit in edits)


def _thought(asked: Request, remarks: Remarks) -> dict[str, Any]:
    """The members about reasoning.  It comes sealed, and goes back and forth in blocks of thinking."""
    effort = effort_of(asked.thinking, _effort(asked, remarks))
    reasoning: dict[str, Any] = {"effort": effort} if effort else {}
    if not is_shown(asked.thinking):
        return {"reasoning": reasoning} if reasoning else {}
    if asked.thinking is not None and asked.thinking.display != "omitted":
        reasoning["summary"] = "auto"
    return {"reasoning": reasoning, "include": [ENCRYPTED_REASONING]}


def _effort(asked: Request, remarks: Remarks) -> str | None:
    raw = (asked.output_config or {}).get("effort")
    effort = msgspec.json.decode(raw) if raw is not None else None
    if effort is None or effort in EFFORTS:
        return effort
    remarks.ignore("output_config.effort")
    return None


def _formed(asked: Request) -> dict[str, Any]:
    """Structured output; ``output_format`` is its older name.  Raises BadRequest."""
    raw = (asked.output_config or {}).get("format")
    wanted: Format | None = read_format(raw) if raw is not None else asked.output_format
    if wanted is None:
        return {}
    if wanted.type != "json_schema":
        raise BadRequest("'output_config.format.type' must be json_schema", "output_config.format.type")
    schema = {"name": FORMAT_NAME, "schema": wanted.schema, "strict": is_strict(wanted.schema)}
    return {"text": {"format": {"type": "json_schema", **schema}}}


def _opening(asked: Request, first: Mapping[str, Any]) -> bytes:
    """What the conversation began with, or its name where the client hides one in the metadata."""
    user = asked.metadata.user_id if asked.metadata else None
    if user and SESSION_MARK in user:
        return user.encode("utf-8", "replace")
    return msgspec.json.encode([asked.model, first])
