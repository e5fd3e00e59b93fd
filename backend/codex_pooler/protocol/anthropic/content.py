"""The messages of a request as the backend's input items, block by block and in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codex_pooler.protocol.anthropic.remarks import Remarks
from codex_pooler.protocol.anthropic.thinking import reasoning_item
from codex_pooler.protocol.anthropic.tools import backend_name
from codex_pooler.protocol.anthropic.wire import Block, Message, Source
from codex_pooler.protocol.requests import BadRequest

Item = dict[str, Any]
Part = dict[str, Any]

ROLES = {"user": "user", "assistant": "assistant", "system": "developer"}
PDF = "application/pdf"
UNNAMED_PDF = "document.pdf"
FAILED_TOOL = "The tool failed. It said:\n"  # an output has no other place to say so
# blocks that only tell how an answer came about: the text that follows them stays
UNTOLD = frozenset({"server_tool_use", "web_search_tool_result"})
BILLING = "x-anthropic-billing-header:"  # Claude Code's note to its provider; it changes, and would spoil every cache


def instructions_of(system: str | Sequence[Block] | None) -> str:
    """The system prompt, its blocks joined."""
    if isinstance(system, str):
        return system
    texts = [block.text for block in system or () if block.text and not block.text.startswith(BILLING)]
    return "\n\n".join(texts)


def input_of(messages: Sequence[Message], remarks: Remarks) -> list[Item]:
    """Raises BadRequest."""
    items: list[Item] = []
    for number, message in enumerate(messages):
        role = ROLES.get(message.role)
        if role is None:
            where = f"messages[{number}].role"
            raise BadRequest(f"the member '{where}' must be user, assistant or system", where)
        items += _items(role, message.content, remarks, f"messages[{number}].content")
    if not items:
        raise BadRequest("'messages' must have something in it; send what the user says", "messages")
    if items[-1].get("role") == "assistant":  # the backend answers anew instead of going on in the middle
        remarks.ignore("messages.prefill")
    return items


def _items(role: str, content: str | Sequence[Block], remarks: Remarks, where: str) -> Iterator[Item]:
    """Items that stand alone, and between them what is said, joined."""
    if isinstance(content, str):
        content = [Block("text", text=content)]
    spoken: list[Part] = []
    for number, block in enumerate(content):
        try:
            item, parts = _read(block, role, remarks)
        except BadRequest as exc:
            raise BadRequest(exc.message, f"{where}[{number}]") from None
        if item and spoken:
            yield _message(role, spoken)
            spoken = []
        if item:
            yield item
        spoken += parts
    if spoken:
        yield _message(role, spoken)


def _read(block: Block, role: str, remarks: Remarks) -> tuple[Item | None, list[Part]]:
    make = STANDING_ALONE.get(block.type)
    return (make(block, remarks), []) if make else (None, _parts(block, role, remarks))


def _message(role: str, parts: list[Part]) -> Item:
    return {"type": "message", "role": role, "content": parts}


# -- blocks that are items of their own


def _call(block: Block, remarks: Remarks) -> Item:
    arguments = bytes(block.input).decode()
    return {"type": "function_call", "call_id": block.id, "name": backend_name(block.name), "arguments": arguments}


def _result(block: Block, remarks: Remarks) -> Item:
    output: str | list[Part]
    if isinstance(block.content, list):
        output = [part for each in block.content for part in _parts(each, "user", remarks)]
        output = output[0]["text"] if len(output) == 1 and output[0]["type"] == "input_text" else output
    else:
        output = block.content if isinstance(block.content, str) else ""
    if block.is_error:
        output = FAILED_TOOL + output if isinstance(output, str) else [_text(FAILED_TOOL), *output]
    return {"type": "function_call_output", "call_id": block.tool_use_id, "output": output}


def _reasoning(block: Block, remarks: Remarks) -> Item | None:
    return reasoning_item(block)


STANDING_ALONE: Mapping[str, Callable[[Block, Remarks], Item | None]] = {
    "tool_use": _call,
    "tool_result": _result,
    "thinking": _reasoning,
    "redacted_thinking": _reasoning,
}


# -- blocks that are parts of a message or of a tool's output


def _parts(block: Block, role: str, remarks: Remarks) -> list[Part]:
    """Raises BadRequest."""
    if block.type in UNTOLD:
        return []
    if role == "assistant":
        said = _said(block)
        return [{"type": "output_text", "text": said}] if said else []
    make = PARTS.get(block.type)
    if make is None:
        remarks.ignore(f"content.{block.type}")
        return []
    return make(block, remarks)


def _said(block: Block) -> str:
    """What the model said in a block; a summary that took the place of a conversation counts as that."""
    return block.text or (block.content if isinstance(block.content, str) else "")


def _text(text: str) -> Part:
    return {"type": "input_text", "text": text}


def _texts(block: Block, remarks: Remarks) -> list[Part]:
    return [_text(block.text)] if block.text else []


def _summary(block: Block, remarks: Remarks) -> list[Part]:
    return [_text(block.content)] if isinstance(block.content, str) and block.content else []


def _image(block: Block, remarks: Remarks) -> list[Part]:
    source = _source(block)
    if source.type == "file":
        return [{"type": "input_image", "file_id": source.file_id}]
    url = _inline(source) if source.type == "base64" else source.url
    if not url:
        raise BadRequest("an image needs a source of type base64, url or file")
    return [{"type": "input_image", "image_url": url}]


def _document(block: Block, remarks: Remarks) -> list[Part]:
    source = _source(block)
    make = DOCUMENTS.get(source.type)
    if make is None:
        raise BadRequest("a document needs a source of type base64, text, content, url or file")
    about = "\n".join(line for line in (block.title, block.context) if line)
    return [*([_text(about)] if about else []), *make(block, source, remarks)]


def _pdf(block: Block, source: Source, remarks: Remarks) -> list[Part]:
    name = block.title or UNNAMED_PDF
    name = name if name.lower().endswith(".pdf") or source.media_type != PDF else f"{name}.pdf"
    return [{"type": "input_file", "filename": name, "file_data": _inline(source)}]


def _inner(block: Block, source: Source, remarks: Remarks) -> list[Part]:
    if isinstance(source.content, str):
        return [_text(source.content)] if source.content else []
    return [part for each in source.content or () for part in _parts(each, "user", remarks)]


DOCUMENTS: Mapping[str, Callable[[Block, Source, Remarks], list[Part]]] = {
    "base64": _pdf,
    "text": lambda block, source, remarks: [_text(source.data)] if source.data else [],
    "content": _inner,
    "url": lambda block, source, remarks: [{"type": "input_file", "file_url": source.url}],
    "file": lambda block, source, remarks: [{"type": "input_file", "file_id": source.file_id}],
}


def _found(block: Block, remarks: Remarks) -> list[Part]:
    """A result of the client's own search: where it is from, then what it says."""
    about = "\n".join(line for line in (block.title, block.source) if isinstance(line, str) and line)
    inside = block.content if isinstance(block.content, list) else ()
    return [*([_text(about)] if about else []), *(part for each in inside for part in _parts(each, "user", remarks))]


def _reference(block: Block, remarks: Remarks) -> list[Part]:
    return [_text(f"The tool {backend_name(block.tool_name)} can be used.")]


PARTS: Mapping[str, Callable[[Block, Remarks], list[Part]]] = {
    "text": _texts,
    "image": _image,
    "document": _document,
    "search_result": _found,
    "tool_reference": _reference,
    "compaction": _summary,
}


def _source(block: Block) -> Source:
    if isinstance(block.source, Source):
        return block.source
    raise BadRequest(f"the {block.type} has no source; send one")


def _inline(source: Source) -> str:
    return f"data:{source.media_type};base64,{source.data}" if source.data else ""
