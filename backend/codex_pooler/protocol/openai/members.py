"""The members of a public API's request: read once, and those sorted out that have no effect here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from codex_pooler.protocol.requests import UNSUPPORTED, BadRequest, check_count

Given = Mapping[str, msgspec.Raw]
Made = TypeVar("Made")
LONGEST_NO_OP = 64  # bytes of JSON; what is longer says something and is not looked into
_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_members(body: bytes, make: Callable[[Given], Made]) -> Made:
    """What ``make`` makes of the members that say something; null says nothing.  Raises BadRequest."""
    try:
        found = _top_level.decode(body)
        check_count(found)
        return make({name: value for name, value in found.items() if bytes(value) != b"null"})
    except msgspec.ValidationError:
        raise BadRequest("the body must be a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None


def left_out(rest: Given, no_ops: Mapping[str, tuple[Any, ...]], refused: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what has no effect, though it was meant to.

    ``no_ops``: values that ask for what happens anyway.  ``refused``: what nobody can leave out without changing what
    the answer means, and what to do instead.  Raises BadRequest for those.
    """
    ignored = tuple(name for name, value in rest.items() if not _changes_nothing(value, no_ops.get(name, ())))
    if wrong := next((name for name in ignored if name in refused), None):
        raise BadRequest(refused[wrong], wrong, UNSUPPORTED)
    return ignored


def _changes_nothing(value: msgspec.Raw, no_ops: tuple[Any, ...]) -> bool:
    return bool(no_ops) and len(value) <= LONGEST_NO_OP and msgspec.json.decode(value) in no_ops
