"""Finds the logins in what somebody uploads: one ``auth.json``, a list of them, or one on each line."""

from __future__ import annotations

from typing import Any

import orjson

BOM = "\ufeff"


def logins_in(text: str) -> list[Any]:
    """Each login as an object or as its text, in order; what is no JSON at all counts as one, to be refused by name."""
    cleaned = text.lstrip(BOM).strip()
    found = _parsed(cleaned)
    if isinstance(found, list):
        return found or [text]
    if found is not None:
        return [found]
    lines = [line for line in map(str.strip, cleaned.splitlines()) if line]
    return lines if any(isinstance(_parsed(line), dict) for line in lines) else [text]


def _parsed(text: str) -> Any:
    """The JSON value; None when it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
