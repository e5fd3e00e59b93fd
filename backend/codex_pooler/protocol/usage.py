"""Token counts as the backend reports them; a count that does not add up is unknown, never invented."""

from __future__ import annotations

import msgspec


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class UsageBody(msgspec.Struct):
    """The ``usage`` object of a response."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one turn.  ``cached`` is part of ``input``, ``reasoning`` is part of ``output``."""

    input: int
    cached: int
    output: int
    reasoning: int


def read_usage(body: UsageBody | None) -> Usage | None:
    """None when the backend gave no usage, or counts that are negative or do not add up to their total."""
    if body is None or body.input_tokens is None or body.output_tokens is None:
        return None
    cached = (body.input_tokens_details and body.input_tokens_details.cached_tokens) or 0
    reasoning = (body.output_tokens_details and body.output_tokens_details.reasoning_tokens) or 0
    if min(body.input_tokens, body.output_tokens, cached, reasoning) < 0:
        return None
    if body.total_tokens is not None and body.total_tokens != body.input_tokens + body.output_tokens:
        return None
    return Usage(
        input=body.input_tokens,
        cached=min(cached, body.input_tokens),
        output=body.output_tokens,
        reasoning=min(reasoning, body.output_tokens),
    )
