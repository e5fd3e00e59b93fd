"""What a Messages request looks like on the wire: its members and blocks, decoded once and as far as anybody looks."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_pooler.protocol.requests import BadRequest, check_count

NOTHING = msgspec.Raw(b"{}")
ANY_OBJECT = msgspec.Raw(b'{"type":"object","properties":{}}')


class Source(msgspec.Struct):
    """Where an image or a document comes from."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    content: str | list[Block] | None = None


class Block(msgspec.Struct):
    """A content block of any type; each uses some of the members."""

    type: str
    text: str = ""
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = NOTHING
    tool_use_id: str = ""
    tool_name: str = ""
    content: str | list[Block] | dict[str, Any] | None = None
    is_error: bool | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""


class Message(msgspec.Struct):
    role: str
    content: str | list[Block]


class Tool(msgspec.Struct):
    """One of the client's own tools, or one that the provider is asked to run (``type`` names it with a date)."""

    name: str
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = ANY_OBJECT
    strict: bool | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    max_uses: int | None = None
    user_location: dict[str, Any] | None = None


class ToolChoice(msgspec.Struct):
    type: str
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Format(msgspec.Struct):
    type: str
    schema: msgspec.Raw = NOTHING


class Metadata(msgspec.Struct):
    user_id: str | None = None


class Request(msgspec.Struct):
    """The members of a request that mean something here."""

    model: str
    messages: list[Message]
    system: str | list[Block] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: dict[str, msgspec.Raw] | None = None
    output_format: Format | None = None
    metadata: Metadata | None = None
    stream: bool | None = None
    speed: str | None = None
    max_tokens: Any = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    stop_sequences: Any = None
    context_management: Any = None
    service_tier: Any = None
    cache_control: Any = None

    def __repr__(self) -> str:
        """Without anything that the client said."""
        return f"Request(model={self.model!r}, messages={len(self.messages)})"


SAYS_NOTHING = (b"null", b"false", b"[]", b"{}")
KNOWN = frozenset(Request.__struct_fields__)
_request = msgspec.json.Decoder(Request)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_format = msgspec.json.Decoder(Format)


def read_request(body: bytes) -> tuple[Request, list[str]]:
    """The request, and the members that nobody here knows but that say something.

    Raises BadRequest, which names the member at fault.
    """
    try:
        asked, members = _request.decode(body), _members.decode(body)
    except msgspec.ValidationError as exc:
        raise _explained(str(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
    check_count(members)
    check_count(asked.output_config or ())
    return asked, [n for n, value in members.items() if n not in KNOWN and bytes(value) not in SAYS_NOTHING]


def read_format(raw: msgspec.Raw) -> Format | None:
    """The ``format`` of ``output_config``.  Raises BadRequest."""
    if bytes(raw) == b"null":
        return None
    try:
        return _format.decode(raw)
    except msgspec.ValidationError:
        message = "the member 'output_config.format' must be an object with a type"
        raise BadRequest(message, "output_config.format") from None


def _explained(told: str) -> BadRequest:
    """msgspec says what is wrong, and ends with ``- at `$.path``` unless it is wrong at the top."""
    problem, _, place = told.partition(" - at `$")
    param = place.rstrip("`").lstrip(".")
    if "missing required field `" in problem:
        member = problem.rpartition("field `")[2].rstrip("`")
        param = f"{param}.{member}" if param else member
        return BadRequest(f"the member '{param}' is missing", param)
    if not param:
        return BadRequest("the body must be a JSON object")
    return BadRequest(f"the member '{param}' has the wrong type", param)
