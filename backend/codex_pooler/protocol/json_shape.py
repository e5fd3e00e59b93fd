"""Whether a body is the kind of JSON that a route takes; what is in it stays as it came."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_pooler.protocol.requests import BadRequest

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_either = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw])


def check_object(body: bytes) -> None:
    """Raises BadRequest unless this is one JSON object."""
    _check(_object, body, "the body must be a JSON object")


def check_object_or_array(body: bytes) -> None:
    """Raises BadRequest unless this is one JSON object or array."""
    _check(_either, body, "the body must be a JSON object or array")


def _check(decoder: msgspec.json.Decoder[Any], body: bytes, otherwise: str) -> None:
    try:
        decoder.decode(body)
    except msgspec.ValidationError:
        raise BadRequest(otherwise) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
