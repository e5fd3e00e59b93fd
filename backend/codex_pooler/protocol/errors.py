"""Error bodies: reading those of the backend, writing ours in the shape its clients parse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from codex_pooler.protocol.events import ErrorBody


class _Envelope(msgspec.Struct):
    error: ErrorBody | str | None = None
    detail: Any = None
    code: str | int | None = None
    message: str | None = None


_decoder = msgspec.json.Decoder(_Envelope)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class UpstreamError(msgspec.Struct, frozen=True):
    """What an error says, whatever its shape.  ``code`` falls back to the type; empty when there is neither."""

    code: str = ""
    type: str = ""
    message: str = ""
    resets_at: float | None = None
    resets_in_seconds: float | None = None
    is_json: bool = True
    param: str | None = None


def read_error(body: bytes) -> UpstreamError:
    """Decode an HTTP error body: ``{"error":{…}}``, ``{"error":"…"}``, ``{"detail":…}``, or no JSON at all."""
    try:
        envelope = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UpstreamError(is_json=False)
    if isinstance(envelope.error, ErrorBody):
        return from_body(envelope.error)
    detail = envelope.detail if isinstance(envelope.detail, dict) else {}
    return UpstreamError(
        code=str(detail.get("code") or envelope.code or ""),
        message=str(envelope.error or envelope.message or detail.get("message") or envelope.detail or ""),
    )


def from_body(error: ErrorBody) -> UpstreamError:
    return UpstreamError(
        code=str(error.code or error.type or ""),
        type=error.type or "",
        message=error.message or "",
        resets_at=error.resets_at,
        resets_in_seconds=error.resets_in_seconds,
        param=error.param if isinstance(error.param, str) else None,
    )


def error_body(code: str, message: str, *, kind: str = "invalid_request_error", **extra: Any) -> bytes:
    """``{"error":{"message","type","code","param",…}}``."""
    return orjson.dumps({"error": {"message": message, "type": kind, "code": code, "param": None, **extra}})


def failed_event(code: str, message: str, response_id: str | None) -> bytes:
    """A ``response.failed`` event, for a stream whose head has already gone out."""
    response = {
        "id": response_id,
        "object": "response",
        "status": "failed",
        "error": {"code": code, "message": message},
    }
    data = orjson.dumps({"type": "response.failed", "response": response})
    return b"event: response.failed\ndata: " + data + b"\n\n"


def failed_frame(code: str, message: str, response_id: str | None) -> bytes:
    """The same event as a websocket message."""
    return failed_event(code, message, response_id).partition(b"data: ")[2].strip()


def error_frame(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """An error body as a websocket message: with exactly one status member, without which Codex would wait for ever."""
    try:
        members = _members.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        members = {}
    error: Any = members.get("error")
    if error is None or bytes(error)[:1] != b"{":
        said = read_error(body)
        error = {
            "message": said.message or "the backend refused the request",
            "type": "invalid_request_error",
            "code": said.code or "upstream_error",
        }
    frame = {"type": "error", "status": status, "error": error}
    return msgspec.json.encode(frame | {"headers": headers} if headers else frame)
