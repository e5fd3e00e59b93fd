"""The events of one turn, composed ahead of time from what the model says; both transports send these bytes."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from codex_pooler.simulator.faults import Fault, cut_at
from codex_pooler.simulator.record import Usage
from codex_pooler.simulator.script import Compaction, Message, Speech, ToolCall
from codex_pooler.simulator.world import Account, World

_BYTES_PER_TOKEN = 4
_OBFUSCATION = "aB3dE"
_ECHOED = ("instructions", "parallel_tool_calls", "prompt_cache_key", "reasoning", "text", "tool_choice", "tools")
_OUTPUT_AT_ONCE = frozenset({"compaction", "local_shell_call"})
_FIXED: dict[str, Any] = {
    "background": False,
    "error": None,
    "incomplete_details": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "safety_identifier": None,
    "store": False,
    "temperature": 1.0,
    "top_logprobs": 0,
    "top_p": 0.98,
    "truncation": "disabled",
    "user": None,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type, its JSON, and whether it carries output."""

    type: str
    json: bytes
    carries_output: bool = False

    @property
    def sse(self) -> bytes:
        """The event as a block of an SSE stream."""
        return b"event: %s\ndata: %s\n\n" % (self.type.encode(), self.json)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to be played: the request, who pays, and the numbers it will report."""

    response_id: str
    account: Account
    body: Mapping[str, Any]
    speech: Speech | None
    input_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Score:
    """A composed turn: its events, its usage, and the output items that later turns may refer to."""

    events: list[Event]
    usage: Usage
    output: list[dict[str, Any]]


def tokens_of(length: int) -> int:
    """Tokens in so many bytes of text; never none."""
    return max(1, length // _BYTES_PER_TOKEN)


def compose(turn: Turn, world: World) -> Score:
    """All events of the turn. Without speech it is a prewarm: created and completed, nothing said, nothing spent."""
    shell = _shell(turn, int(world.clock()))
    output: list[dict[str, Any]] = []
    bodies: list[tuple[dict[str, Any], bool]] = [
        ({"type": "response.created", "response": shell}, False),
        ({"type": "response.in_progress", "response": shell}, False),
    ]
    usage = Usage()
    if turn.speech is not None:
        bodies += _said(turn, turn.speech, world, output)
        usage = _usage(turn, turn.speech)
    shown = [] if world.settings.empty_completed_output else output
    served = {"service_tier": turn.body.get("service_tier") or "default"}  # asked for at first, told at the end
    ended = shell | served | {"status": "completed", "completed_at": int(world.clock()), "output": shown}
    bodies.append(({"type": "response.completed", "response": ended | {"usage": as_wire(usage)}}, False))
    return Score([_event(body, number, carries) for number, (body, carries) in enumerate(bodies)], usage, output)


def as_wire(usage: Usage) -> dict[str, Any]:
    """Usage as a terminal event reports it."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def spoil(score: Score, fault: Fault, turn: Turn) -> Score:
    """The turn as the fault leaves it: cut short, perhaps with another ending."""
    kept = score.events[: cut_at([event.carries_output for event in score.events], fault)]
    ending = _ENDINGS.get(fault.kind)
    if ending is None:
        return Score(kept, Usage(), [])
    body = ending(fault, _shell(turn, int(time.time())), score.usage)
    usage = score.usage if fault.kind == "incomplete" else Usage()
    return Score([*kept, _event(body, len(kept), False)], usage, [])


def rate_limits(account: Account, now: float) -> Event:
    """The event that tells a client how full the account's windows are."""
    windows = {slot: account.windows[slot].as_event(now) for slot in account.windows}
    full = account.exhausted() is not None
    body = {
        "type": "codex.rate_limits",
        "plan_type": account.plan,
        "metered_limit_name": None,
        "limit_name": None,
        "rate_limits": {"allowed": not full, "limit_reached": full} | windows,
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
    }
    return Event("codex.rate_limits", orjson.dumps(body))


def _event(body: dict[str, Any], number: int, carries: bool) -> Event:
    return Event(body["type"], orjson.dumps(body | {"sequence_number": number}), carries)


def _shell(turn: Turn, now: int) -> dict[str, Any]:
    body = turn.body
    return (
        {
            "id": turn.response_id,
            "object": "response",
            "created_at": now,
            "status": "in_progress",
            "completed_at": None,
            "model": body.get("model"),
            "output": [],
            "previous_response_id": body.get("previous_response_id"),
            "service_tier": body.get("service_tier") or "auto",
            "usage": None,
        }
        | {name: body.get(name) for name in _ECHOED}
        | _FIXED
    )


def _usage(turn: Turn, speech: Speech) -> Usage:
    match speech.item:
        case Message(text):
            said = tokens_of(len(text.encode()))
        case ToolCall(_, name, payload):
            said = tokens_of(len(name) + len(payload.encode()))
        case Compaction():
            said = tokens_of(turn.input_tokens)
    output = said + speech.reasoning_tokens
    total = turn.input_tokens + output
    return Usage(1, turn.input_tokens, turn.cached_tokens, output, speech.reasoning_tokens, total)


def _said(
    turn: Turn, speech: Speech, world: World, output: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], bool]]:
    if speech.reasoning_tokens:
        item_id = world.identifier("rs")
        sealed = world.mint.seal(turn.account.account_id, item_id)
        item = {"id": item_id, "type": "reasoning", "summary": [], "encrypted_content": sealed}
        yield from _item(item, item, output)
    match speech.item:
        case Message(text):
            yield from _message(text, world, output)
        case ToolCall() as call:
            yield from _tool_call(call, world, output)
        case Compaction():
            item_id = world.identifier("cmp")
            item = {"id": item_id, "type": "compaction", "encrypted_content": ""}
            sealed = world.mint.seal(turn.account.account_id, item_id)
            yield from _item(item, item | {"encrypted_content": sealed}, output)


def _item(
    begun: dict[str, Any],
    done: dict[str, Any],
    output: list[dict[str, Any]],
    between: Iterator[dict[str, Any]] | None = None,
) -> Iterator[tuple[dict[str, Any], bool]]:
    """An item's life: added, whatever happens inside, done. Output is a delta, or an item that has none."""
    index = len(output)
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}, False
    for body in between or ():
        yield {"type": body["type"], "output_index": index} | body, body["type"].endswith(".delta")
    whole = done["type"] in _OUTPUT_AT_ONCE
    yield {"type": "response.output_item.done", "output_index": index, "item": done}, whole
    output.append(done)


def _message(text: str, world: World, output: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    item_id = world.identifier("msg")
    part = {"type": "output_text", "annotations": [], "logprobs": []}
    place = {"item_id": item_id, "content_index": 0}
    base = {"id": item_id, "type": "message", "role": "assistant", "phase": "final_answer"}

    def inside() -> Iterator[dict[str, Any]]:
        yield {"type": "response.content_part.added", "part": part | {"text": ""}} | place
        for piece in _pieces(text):
            spoken = {"delta": piece, "logprobs": [], "obfuscation": _OBFUSCATION}
            yield {"type": "response.output_text.delta"} | spoken | place
        yield {"type": "response.output_text.done", "text": text, "logprobs": []} | place
        yield {"type": "response.content_part.done", "part": part | {"text": text}} | place

    done = base | {"status": "completed", "content": [part | {"text": text}]}
    yield from _item(base | {"status": "in_progress", "content": []}, done, output, inside())


_PREFIXES = {"function_call": "fc", "custom_tool_call": "ctc", "local_shell_call": "lsh"}


def _tool_call(call: ToolCall, world: World, output: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    item_id, call_id = world.identifier(_PREFIXES[call.kind]), world.identifier("call")[:29]
    base: dict[str, Any] = {"id": item_id, "type": call.kind, "call_id": call_id}
    if call.kind == "local_shell_call":
        action = {"type": "exec", "command": ["bash", "-lc", call.payload], "env": {}}
        base |= {"action": action}
        yield from _item(base | {"status": "in_progress"}, base | {"status": "completed"}, output)
        return
    stem, key = (
        ("function_call_arguments", "arguments") if call.kind == "function_call" else (f"{call.kind}_input", "input")
    )
    base |= {"name": call.name}

    def inside() -> Iterator[dict[str, Any]]:
        half = len(call.payload) // 2
        for piece in (call.payload[:half], call.payload[half:]):
            yield {"type": f"response.{stem}.delta", "item_id": item_id, "delta": piece}
        yield {"type": f"response.{stem}.done", "item_id": item_id, key: call.payload}

    done = base | {"status": "completed", key: call.payload}
    yield from _item(base | {"status": "in_progress", key: ""}, done, output, inside())


def _pieces(text: str) -> Iterator[str]:
    """The text cut before each space, so that the pieces join to the text again."""
    start = 0
    for index in range(1, len(text)):
        if text[index] == " ":
            yield text[start:index]
            start = index
    yield text[start:]


def _failed(fault: Fault, shell: dict[str, Any], usage: Usage) -> dict[str, Any]:
    failure = {"code": fault.code, "message": fault.message}
    return {"type": "response.failed", "response": shell | {"status": "failed", "error": failure}}


def _incomplete(fault: Fault, shell: dict[str, Any], usage: Usage) -> dict[str, Any]:
    why = {"status": "incomplete", "incomplete_details": {"reason": fault.code}, "usage": as_wire(usage)}
    return {"type": "response.incomplete", "response": shell | why}


def _error(fault: Fault, shell: dict[str, Any], usage: Usage) -> dict[str, Any]:
    return {"type": "error", "code": fault.code, "message": fault.message, "param": None}


_ENDINGS = {"failed": _failed, "incomplete": _incomplete, "error": _error}
