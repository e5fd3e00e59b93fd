"""What Responses events mean to a gateway: which are only handshake, which end a turn, and what an end says."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_pooler.protocol.sse import SseEvent, json_type
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
    param: Any = None


class _Reason(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Any = None  # taken as it comes: odd counts make the usage unknown, not the turn failed
    error: ErrorBody | None = None
    incomplete_details: _Reason | None = None


class _Wrapped(msgspec.Struct):
    error: ErrorBody | None = None


class _Terminal(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    error: ErrorBody | None = None
    usage: Any = None
    code: str | int | None = None
    message: str | None = None
    # of error frames on a websocket, in the forms that were seen
    status: int | None = None
    status_code: int | None = None
    body: _Wrapped | None = None
    headers: dict[str, Any] | None = None


class Terminal(msgspec.Struct, frozen=True):
    """How a turn ended: ``kind`` is ``completed``, ``incomplete`` or ``failed``.

    ``status`` and ``headers`` are those of an error frame on a websocket: the HTTP answer it stands for.
    """

    kind: str
    response_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    error: ErrorBody | None = None
    reason: str | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


_decoder = msgspec.json.Decoder(_Terminal)


CODEX_PREFIX = "codex."  # what the backend tells Codex, and nobody else
RATE_LIMITS = "codex.rate_limits"  # tells the limits of the one account that serves


def frame_type(payload: bytes) -> str:
    """The ``type`` of a websocket message, without decoding it when it comes first, as it always does."""
    if payload.startswith(b'{"type":"'):
        end = payload.find(b'"', 9, 89)
        if end > 0:
            return payload[9:end].decode("ascii", "replace")
    return json_type(payload)


def is_handshake(event: SseEvent) -> bool:
    """True for an event that shows nothing of the answer yet."""
    return event.type in HANDSHAKE_TYPES or event.type.startswith(CODEX_PREFIX)


def read_terminal(event: SseEvent) -> Terminal:
    """Decode a terminal event; one that cannot be decoded ends the turn as failed."""
    try:
        body = _decoder.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Terminal("failed", error=ErrorBody(code="invalid_upstream_response"))
    response = body.response or _Response()
    error = body.error or response.error or (body.body.error if body.body else None)
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
        status=body.status if body.status is not None else body.status_code,
        headers=tuple((name.lower(), _header(value)) for name, value in (body.headers or {}).items()),
    )


def _header(value: Any) -> str:
    """Header values in frames come as strings, numbers or truth values."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(event_type: str, error: ErrorBody | None) -> str:
    if event_type in SUCCESS_TYPES:
        return "completed"
    if event_type == "response.incomplete" and error is None:
        return "incomplete"
    return "failed"
