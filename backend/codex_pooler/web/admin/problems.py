"""Errors of the admin API as RFC 9457 problem documents."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
FieldErrors = Sequence[tuple[str, str, str]]


class Problem(Exception):
    """An answer that is not success.  ``detail`` says what happened and the next step; it holds no secret.

    ``more``: members of the document beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: FieldErrors = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.more = errors, dict(headers or {}), dict(more or {})


def not_found(pointer: str | None = None) -> Problem:
    """Also for objects the caller may not see: nobody learns whether they exist."""
    message = "There is no such object, or you may not see it."
    return Problem(404, "not_found", message, errors=[(pointer, "not_found", message)] if pointer else ())


def refused_field(pointer: str, code: str, message: str) -> Problem:
    """One field of the body is not acceptable."""
    return Problem(422, "validation_failed", message, errors=[(pointer, code, message)])


def request_id(request: web.Request) -> str:
    """The caller's ``X-Request-Id`` when it is harmless, else a new one; the same for the whole request."""
    known = request.get("request_id")
    if isinstance(known, str):
        return known
    given = request.headers.get("X-Request-Id", "")
    chosen = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    request["request_id"] = chosen
    return chosen


def problem_response(request: web.Request, problem: Problem, instance: str | None = None) -> web.Response:
    """Write the problem document; ``instance`` stands for the path where that is nobody's business."""
    body: dict[str, Any] = {
        "type": f"urn:codex-pooler:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.path if instance is None else instance,
        "code": problem.code,
        "request_id": request_id(request),
        "errors": [{"pointer": p, "code": c, "message": m} for p, c, m in problem.errors],
        **problem.more,
    }
    return web.Response(
        status=problem.status,
        body=orjson.dumps(body),
        content_type="application/problem+json",
        headers=problem.headers,
    )


def validation_problem(messages: Any) -> Problem:
    """Turn marshmallow's nested messages into pointers; unknown fields are told like any other mistake."""
    errors = [(pointer, "invalid", message) for pointer, message in _flatten(messages, "")]
    many = "1 field needs" if len(errors) == 1 else f"{len(errors)} fields need"
    return Problem(422, "validation_failed", f"{many} attention.", errors=errors)


def _flatten(messages: Any, pointer: str) -> list[tuple[str, str]]:
    if isinstance(messages, Mapping):
        below = (_flatten(value, _pointer(pointer, key)) for key, value in messages.items())
        return [found for group in below for found in group]
    listed = messages if isinstance(messages, list) else [messages]
    return [(pointer, str(message)) for message in listed]


def _pointer(parent: str, key: Any) -> str:
    if key == "_schema":
        return parent
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"
