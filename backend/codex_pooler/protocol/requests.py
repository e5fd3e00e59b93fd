"""The body of a turn: reading the few fields that routing needs, and the rewrites that the backend demands.

Bodies are forwarded as they came; ``rewritten`` decodes the top level only and keeps every other value's bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

import msgspec

UNSUPPORTED = "unsupported_parameter"  # the code for what a public API has and the backend has not
MOST_MEMBERS = 1_000  # of a request that is taken apart; nobody needs so many, and a million keep all others waiting


class BadRequest(Exception):
    """The client's body cannot be a turn.  ``param`` names the member at fault."""

    def __init__(self, message: str, param: str | None = None, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code


def check_count(members: Sized) -> None:
    """Raises BadRequest for more members than a request may have."""
    if len(members) > MOST_MEMBERS:
        raise BadRequest(f"the body may have at most {MOST_MEMBERS:,} members; leave out those that nobody reads")


class _Reasoning(msgspec.Struct):
    effort: Any = None


class RoutedFields(msgspec.Struct):
    """What routing, policy and the log need from a Responses request."""

    model: str
    stream: bool | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: Any = None
    previous_response_id: str | None = None

    def __repr__(self) -> str:
        """Without the cache key, which names the client's conversation."""
        return f"RoutedFields(model={self.model!r}, stream={self.stream!r})"

    @property
    def effort(self) -> str | None:
        effort = self.reasoning.effort if self.reasoning else None
        return effort if isinstance(effort, str) else None


class _Item(msgspec.Struct):
    type: str | None = None


_fields = msgspec.json.Decoder(RoutedFields)
_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(_Item)
SUMMARIES = frozenset({"compaction", "compaction_summary", "context_compaction"})
ACCOUNT_BOUND_ITEMS = frozenset({"reasoning"}) | SUMMARIES
LOST_SUMMARY = (
    "The summary of the conversation up to this point could not be carried over. Go by the messages that are still "
    "here, look at the files again where that helps, and ask the user for whatever else is missing."
)
_lost_summary = msgspec.Raw(
    msgspec.json.encode(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": LOST_SUMMARY}]}
    )
)


def read_fields(body: bytes) -> RoutedFields:
    """Raises BadRequest when the body is not a JSON object with a ``model``."""
    try:
        return _fields.decode(body)
    except msgspec.ValidationError as exc:
        raise BadRequest(_explain(exc), _param(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None


def rewritten(body: bytes, *, dropping: Iterable[str] = (), **members: Any) -> bytes:
    """The body with these top-level members set and others dropped; everything else keeps its bytes."""
    fields: dict[str, Any] = dict(_top_level.decode(body))
    fields.update(members)
    for name in dropping:
        fields.pop(name, None)
    return msgspec.json.encode(fields)


def without_account_bound_items(body: bytes) -> bytes | None:
    """The body without the items whose encrypted content only one account can read; None when it has none.

    A session must outlive its account.  Reasoning is not missed; in the place of a summary of what came before, the
    model is told that there was one.
    """
    fields = _top_level.decode(body)
    try:
        items = _items.decode(fields["input"])
        types = [_item.decode(item).type for item in items]
    except (KeyError, msgspec.DecodeError):
        return None
    if ACCOUNT_BOUND_ITEMS.isdisjoint(types):
        return None
    readable = [item if kind not in SUMMARIES else _lost_summary for item, kind in zip(items, types, strict=True)]
    kept = [item for item, kind in zip(readable, types, strict=True) if kind != "reasoning"]
    return rewritten(body, input=kept)


def _param(exc: msgspec.ValidationError) -> str | None:
    """msgspec ends its messages with ``- at `$.path```; a missing member is named in the text."""
    text = str(exc)
    if "`$." in text:
        return text.rsplit("`$.", 1)[1].rstrip("`")
    return "model" if "`model`" in text else None


def _explain(exc: msgspec.ValidationError) -> str:
    param = _param(exc)
    if param == "model" and "missing" in str(exc):
        return "name the model to use in the member 'model'"
    return f"the member '{param}' has the wrong type" if param else "the body must be a JSON object"


class FrameFields(msgspec.Struct):
    """What a client's websocket message says about itself, beside what every turn says."""

    type: str | None = None
    model: str | None = None
    stream_id: str | None = None
    request_id: str | None = None
    previous_response_id: str | None = None
    response_id: str | None = None


_frame = msgspec.json.Decoder(FrameFields)
OF_FRAMES_ONLY = ("type", "generate", "stream_id", "request_id", "previous_response_id")


def read_frame(payload: bytes) -> FrameFields:
    """Raises BadRequest when the message is not a JSON object, or a member of these has the wrong type."""
    try:
        return _frame.decode(payload)
    except msgspec.ValidationError as exc:
        raise BadRequest(_explain(exc), _param(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the message is not valid JSON") from None


def without(body: bytes, *names: str) -> bytes:
    """The body without these top-level members; everything else keeps its bytes."""
    fields = _top_level.decode(body)
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in names})


def as_http_body(payload: bytes) -> bytes:
    """A turn's websocket message as the body of the same turn over HTTP."""
    return rewritten(without(payload, *OF_FRAMES_ONLY), stream=True)
