"""Refusals in the backend's own words, and how each looks as an HTTP answer and as a websocket error frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

_CONTENT_TYPES = {"<": "text/html", "{": "application/json"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of a turn. `body` is JSON, or text when it is a string."""

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_response(self) -> web.Response:
        """The refusal over HTTP."""
        if isinstance(self.body, str):
            kind = _CONTENT_TYPES.get(self.body[:1], "text/plain")
            return web.Response(status=self.status, text=self.body, content_type=kind, headers=self.headers)
        raw = orjson.dumps(self.body)
        return web.Response(status=self.status, body=raw, content_type="application/json", headers=self.headers)

    def as_frame(self) -> dict[str, Any]:
        """The refusal as an `error` frame: exactly one status, and the headers inside when there are any."""
        frame: dict[str, Any] = {"type": "error", "status": self.status, "error": self._error()}
        if self.headers:
            frame["headers"] = dict(self.headers)
        return frame

    def _error(self) -> Mapping[str, Any]:
        if isinstance(self.body, str):
            return {"type": "server_error", "message": self.body}
        detail = self.body.get("detail")
        if detail is None:
            error: Mapping[str, Any] = self.body["error"]
            return error
        return detail if isinstance(detail, dict) else {"type": "invalid_request_error", "message": detail}


def error(message: str, *, kind: str | None, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error body in the OpenAI envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def bad_request(message: str, code: str | None = None, param: str | None = None) -> Refusal:
    """A 400 in the OpenAI envelope."""
    return Refusal(400, error(message, kind="invalid_request_error", code=code, param=param))


def detail(status: int, text: str) -> Refusal:
    """A refusal in the short `{"detail": …}` form."""
    return Refusal(status, {"detail": text})


def usage_limit(plan: str, resets_at: float, now: float) -> dict[str, Any]:
    """The body that says an account has used up a window."""
    return {
        "error": {
            "type": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "plan_type": plan,
            "resets_at": int(resets_at),
            "resets_in_seconds": max(0, int(resets_at - now)),
        }
    }
