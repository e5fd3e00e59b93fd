"""How a failure is said to a client: in the words of the Responses API, which Codex and the OpenAI SDKs parse, or in
those of Anthropic's.  One table per dialect; what happened is the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import orjson

from codex_pooler.protocol.errors import error_body, failed_event, read_error
from codex_pooler.protocol.failure import Failure

UNEXPLAINED = "the backend refused the request"


class Dialect(Protocol):
    """Says a failure in an HTTP response, and in a stream that has begun.

    ``request_id`` is the header by which its clients call a request when they ask about it; None where
    ``x-request-id`` will do.
    """

    request_id: str | None

    def status(self, failure: Failure) -> int: ...

    def body(self, failure: Failure) -> bytes:
        """The body of an answer with that status: JSON, unless it is the backend's own and that is not."""
        ...

    def event(self, failure: Failure, response_id: str | None) -> bytes:
        """Server-sent events that end the stream."""
        ...


class Native:
    """For Codex: as the backend itself would say it, the backend's own bodies included."""

    request_id: str | None = None

    def status(self, failure: Failure) -> int:
        return failure.status

    def body(self, failure: Failure) -> bytes:
        if failure.verbatim is not None:
            return failure.verbatim
        return error_body(failure.code, failure.message, kind=failure.kind, **failure.members())

    def event(self, failure: Failure, response_id: str | None) -> bytes:
        return failed_event(failure.code, failure.message, response_id)


UNAUTHORIZED = 401
WRONG_KEY = "invalid_api_key"  # the one code that programs written for that API ask for


class OpenAI(Native):
    """For the public API's clients: always its envelope, also around what the backend said in other words."""

    def body(self, failure: Failure) -> bytes:
        members = {**failure.members(), "param": param_of(failure)}
        code = failure.code
        if failure.status == UNAUTHORIZED:
            code, members["reason"] = WRONG_KEY, code
        return error_body(code, said(failure), kind=failure.kind, **members)

    def event(self, failure: Failure, response_id: str | None) -> bytes:
        return b"data: " + self.body(failure) + b"\n\n"


# status -> type; any other is invalid_request_error below 500, and api_error from there
ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED = 529
OVERLOADS = frozenset({"server_is_overloaded", "gateway_restarting"})
TOO_LONG = "prompt is too long"  # Claude Code shortens its conversation by itself when it reads this


class Anthropic:
    """``{"type":"error","error":{"type","message"}}``; our code stands beside, for whoever looks for it in our docs."""

    request_id: str | None = "request-id"

    def status(self, failure: Failure) -> int:
        return OVERLOADED if failure.code in OVERLOADS else failure.status

    def body(self, failure: Failure) -> bytes:
        status = self.status(failure)
        kind = ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        message = said(failure)
        if failure.code == "context_length_exceeded":
            message = f"{TOO_LONG}: {message}"
        error = {"type": kind, "message": message, "code": failure.code, **failure.members()}
        return orjson.dumps({"type": "error", "error": {**error, "param": param_of(failure)}})

    def event(self, failure: Failure, response_id: str | None) -> bytes:
        return b"event: error\ndata: " + self.body(failure) + b"\n\n"


NATIVE, OPENAI, ANTHROPIC = Native(), OpenAI(), Anthropic()


def said(failure: Failure) -> str:
    """The message; where the backend explained itself, in its words."""
    if failure.verbatim is None:
        return failure.message
    return read_error(failure.verbatim).message or failure.message or UNEXPLAINED


def param_of(failure: Failure) -> str | None:
    """The member of the request that is at fault, as far as anybody says."""
    if failure.verbatim is None:
        return failure.param
    return read_error(failure.verbatim).param or failure.param
