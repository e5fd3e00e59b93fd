"""What Responses events mean to a gateway: which are only handshake, which end a turn, and what an end says."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_pooler.protocol.sse import SseEvent
from codex_pooler.protocol.usage import Usage, read_usage

# These announce output without carrying any: after them an account can still be replaced unseen.
HANDSHAKE_TYPES = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
    }
)
SUCCESS_TYPES = frozenset({"response.completed", "response.done"})


class ErrorBody(msgspec.Struct):
    """The ``error`` member of a failed response, an error event or an HTTP error body; any part may be missing."""

    code: str | int | None = None
    type: str | None = None
    message: str | None = None
    resets_at: float | None = None
    resets_in_seconds: float | None = None


class _Reason(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Any = None  # taken as it comes: odd counts make the usage unknown, not the turn failed
    error: ErrorBody | None = None
    incomplete_details: _Reason | None = None


class _Terminal(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    error: ErrorBody | None = None
    usage: Any = None
    code: str | int | None = None
    message: str | None = None


class Terminal(msgspec.Struct, frozen=True):
    """How a turn ended: ``kind`` is ``completed``, ``incomplete`` or ``failed``."""

    kind: str
    response_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    error: ErrorBody | None = None
    reason: str | None = None


_decoder = msgspec.json.Decoder(_Terminal)


def is_handshake(event: SseEvent) -> bool:
    """True for an event that shows nothing of the answer yet."""
    return event.type in HANDSHAKE_TYPES or event.type.startswith("codex.")


def read_terminal(event: SseEvent) -> Terminal:
    """Decode a terminal event; one that cannot be decoded ends the turn as failed."""
    try:
        body = _decoder.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Terminal("failed", error=ErrorBody(code="invalid_upstream_response"))
    response = body.response or _Response()
    error = body.error or response.error
    if error is None and body.code is not None:  # the flat shape of the public API's error event
        error = ErrorBody(code=body.code, message=body.message)
    return Terminal(
        kind=_kind(event.type, error),
        response_id=response.id,
        model=response.model,
        service_tier=response.service_tier,
        usage=read_usage(body.usage if response.usage is None else response.usage),
        error=error,
        reason=response.incomplete_details.reason if response.incomplete_details else None,
    )


def _kind(event_type: str, error: ErrorBody | None) -> str:
    if event_type in SUCCESS_TYPES:
        return "completed"
    if event_type == "response.incomplete" and error is None:
        return "incomplete"
    return "failed"
