"""What the simulated model says: a pure function of the conversation, so the same input always gets the same answer."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_LOREM_TEXT = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "
    "aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat"
)
_LOREM = _LOREM_TEXT.split()
_DEFAULT_WORDS = 12
_EXACTLY = re.compile(r"reply with exactly:[ \t]*(.+)", re.IGNORECASE)
_COMMAND = re.compile(r"run the shell command:[ \t]*(?:`([^`]+)`|(.+))", re.IGNORECASE)
_AFTERWARDS = re.compile(r"[\s.;,]*\b(?:and )?then reply with exactly:.*", re.IGNORECASE)
_WORDS = re.compile(r"\bsay (\d{1,6}) words\b", re.IGNORECASE)
_OUTPUT_TYPES = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_REASONING_TOKENS = {"none": 0, "minimal": 8, "low": 16, "medium": 32, "high": 64, "xhigh": 128, "max": 256}


@dataclass(frozen=True, slots=True)
class Message:
    """The model speaks."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool: `kind` is the item type, `payload` its arguments or free-form input."""

    kind: str
    name: str
    payload: str


@dataclass(frozen=True, slots=True)
class Compaction:
    """The model folds the conversation into one sealed item."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One answer: reasoning of so many tokens, then one item."""

    reasoning_tokens: int
    item: Message | ToolCall | Compaction


def speak(body: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Speech:
    """The answer to a conversation; `items` is the whole of it, `body` carries tools and format."""
    if items and items[-1].get("type") == "compaction_trigger":
        return Speech(0, Compaction())
    reasoning = _REASONING_TOKENS.get((body.get("reasoning") or {}).get("effort") or "medium", 32)
    prompt, since = _prompt(items)
    output = next((one for one in reversed(since) if one.get("type") in _OUTPUT_TYPES), None)
    if output is None and (call := _tool_call(prompt, body, items)) is not None:
        return Speech(reasoning, call)
    schema = _schema(body)
    if schema is not None:
        return Speech(reasoning, Message(orjson.dumps(_instance(schema, schema, _exact(prompt))).decode()))
    return Speech(reasoning, Message(_text(prompt, output)))


def word_run(count: int, start: int = 0) -> str:
    """So many words of placeholder text."""
    return " ".join(_LOREM[(start + n) % len(_LOREM)] for n in range(count))


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    content = item.get("content")
    if isinstance(content, str):
        yield content
        return
    parts = (part for part in content or () if isinstance(part, dict))
    yield from (str(part.get("text")) for part in parts if part.get("type") in ("input_text", "text"))


def _prompt(items: Sequence[Mapping[str, Any]]) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """The last thing the user typed, and the items after it. Blocks in tags are context that clients add."""
    for index in range(len(items) - 1, -1, -1):
        if items[index].get("role") != "user":
            continue
        typed = [text for text in _texts(items[index]) if not text.lstrip().startswith("<")]
        if typed:
            return typed[-1], items[index + 1 :]
    return "", items


def _exact(prompt: str) -> str | None:
    found = _EXACTLY.search(prompt)
    return found.group(1).strip() if found else None


def _text(prompt: str, output: Mapping[str, Any] | None) -> str:
    exact = _exact(prompt)
    if exact is not None:
        return exact
    if output is not None:
        return f"The command printed: {_first_line(output.get('output'))}"
    start = int(hashlib.sha256(prompt.encode()).hexdigest()[:4], 16)
    words = _WORDS.search(prompt)
    return word_run(int(words.group(1)) if words else _DEFAULT_WORDS, start)


def _first_line(output: Any) -> str:
    if isinstance(output, list):
        output = "\n".join(part.get("text", "") for part in output)
    if isinstance(output, str) and output.startswith("{"):
        output = orjson.loads(output).get("output", output)
    _, marker, after = str(output).partition("Output:\n")
    lines = (after if marker else str(output)).strip().splitlines()
    return lines[0] if lines else "(nothing)"


def _tools(body: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every tool offered, whether at the top level or, as lite models have it, inside the input."""
    yield from body.get("tools") or ()
    for item in items:
        if item.get("type") == "additional_tools":
            yield from item.get("tools") or ()


def _tool_call(prompt: str, body: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> ToolCall | None:
    found = _COMMAND.search(prompt)
    if found is None:
        return None
    command = found.group(1) or _AFTERWARDS.sub("", found.group(2)).strip()
    for tool in _flat(_tools(body, items)):
        shape = _SHELLS.get((tool.get("type", "function"), tool.get("name", "")))
        if shape is not None:
            return shape(command)
    return None


def _flat(tools: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from tool.get("tools") or ()
        else:
            yield tool


def _function(name: str, arguments: Any) -> ToolCall:
    return ToolCall("function_call", name, orjson.dumps(arguments).decode())


def _code(command: str) -> ToolCall:
    call = (
        f"const result = await tools.exec_command({orjson.dumps({'cmd': command}).decode()});\ntext(result.output);\n"
    )
    return ToolCall("custom_tool_call", "exec", call)


_SHELLS: dict[tuple[str, str], Callable[[str], ToolCall]] = {
    ("function", "exec_command"): lambda command: _function("exec_command", {"cmd": command}),
    ("function", "shell_command"): lambda command: _function("shell_command", {"command": command}),
    ("function", "shell"): lambda command: _function("shell", {"command": ["bash", "-lc", command]}),
    ("function", "bash"): lambda command: _function("bash", {"command": command, "description": "What was asked for"}),
    ("function", "Bash"): lambda command: _function("Bash", {"command": command}),
    ("local_shell", ""): lambda command: ToolCall("local_shell_call", "", command),
    ("custom", "exec"): _code,
}


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = (body.get("text") or {}).get("format") or {}
    return form.get("schema") if form.get("type") == "json_schema" else None


def _instance(schema: Mapping[str, Any], root: Mapping[str, Any], words: str | None) -> Any:
    """The smallest value that fits a JSON Schema; strings are `words` where given."""
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            found = found[step]
        return _instance(found, root, words)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _instance(_plainest(schema[key]), root, words)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    return _KINDS[kind[0] if isinstance(kind, list) else kind](schema, root, words)


def _plainest(choices: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The choice that cannot recurse, if there is one: null before anything else."""
    return next((one for one in choices if one.get("type") == "null"), choices[0])


_KINDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], str | None], Any]] = {
    "object": lambda schema, root, words: {
        name: _instance(part, root, words) for name, part in (schema.get("properties") or {}).items()
    },
    "array": lambda schema, root, words: [
        _instance(schema.get("items") or {}, root, words) for _ in range(schema.get("minItems", 0))
    ],
    "string": lambda schema, root, words: words or word_run(3),
    "integer": lambda schema, root, words: int(schema.get("minimum", 1)),
    "number": lambda schema, root, words: float(schema.get("minimum", 1)),
    "boolean": lambda schema, root, words: True,
    "null": lambda schema, root, words: None,
}
