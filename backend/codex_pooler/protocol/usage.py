"""Token counts as the backend reports them; a count that does not add up is unknown, never invented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

import msgspec

MOST_TOKENS = 10**12  # a count beyond this is nonsense, and would not fit the log

_NOTHING: Mapping[str, object] = {}
_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens")
_INPUT_DETAILS = ("input_tokens_details", "prompt_tokens_details")
_OUTPUT_DETAILS = ("output_tokens_details", "completion_tokens_details")


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one turn.  ``cached`` and ``cache_write`` are part of ``input``, ``reasoning`` of ``output``."""

    input: int
    cached: int
    output: int
    reasoning: int
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


def read_usage(body: object) -> Usage | None:
    """Read a decoded ``usage`` member, in the shape of Responses or of Chat Completions.

    None when there is none, or when a count is missing, negative, no integer, or does not add up to the total.
    """
    if not isinstance(body, dict):
        return None
    within, without = _details(body, _INPUT_DETAILS), _details(body, _OUTPUT_DETAILS)
    read, said = _first(body, _INPUT), _first(body, _OUTPUT)
    cached = _either(within.get("cached_tokens"), body.get("cached_input_tokens"))
    written = _either(within.get("cache_write_tokens"), body.get("cache_write_tokens"))
    reasoned = _either(without.get("reasoning_tokens"), None)
    total = body.get("total_tokens")
    if not (_is_count(read) and _is_count(said) and _is_count(cached) and _is_count(written) and _is_count(reasoned)):
        return None
    if total is not None and (not _is_count(total) or total != read + said):
        return None
    cached = min(cached, read)
    return Usage(read, cached, said, min(reasoned, said), min(written, read - cached))


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MOST_TOKENS


def _first(body: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((body[name] for name in names if body.get(name) is not None), None)


def _details(body: Mapping[str, object], names: tuple[str, ...]) -> Mapping[str, object]:
    found = _first(body, names)
    return found if isinstance(found, dict) else _NOTHING


def _either(first: object, second: object) -> object:
    """A count that is told in neither place is none, not unknown."""
    return first if first is not None else second if second is not None else 0
